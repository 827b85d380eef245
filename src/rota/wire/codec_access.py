"""Tokens without their secrets, and lines of the audit log."""

from __future__ import annotations

from rota.model.audit import AuditRecord
from rota.model.token import TokenRecord
from rota.wire.v1 import house_pb2 as pb


def write_token(token: TokenRecord, message: pb.Token) -> None:
    message.kid = token.kid
    message.name = token.name
    message.roles.extend(sorted(token.roles))
    message.groups.extend(sorted(token.groups or ()))
    message.every_group = token.groups is None
    message.created_at = token.created_at
    message.created_by = token.created_by
    message.expires_at = token.expires_at or 0
    message.last_used_at = token.last_used_at or 0
    message.revoked_at = token.revoked_at or 0


def write_audit_line(line: AuditRecord, message: pb.AuditLine) -> None:
    for name in _OF_LINE:
        setattr(message, name, getattr(line, name))


_OF_LINE = tuple(pb.AuditLine.DESCRIPTOR.fields_by_name)
