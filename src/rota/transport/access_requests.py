"""Requests about access: tokens, and the audit log."""

from __future__ import annotations

from rota.access.policy import OPEN_NO_LONGER
from rota.contract.store import AuditQuery
from rota.model.errors import InvalidInput, NotAuthenticated
from rota.model.token import TokenRecord
from rota.transport.caller import Caller
from rota.wire.codec_access import write_audit_line, write_token
from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

USUAL_PAGE, LARGEST_PAGE = 100, 1_000
_LATEST = 2**62


async def list_tokens(caller: Caller, _body: house.ListTokens, _: int) -> pb.Frame:
    frame = pb.Frame()
    frame.tokens.SetInParent()
    for token in await caller.verbs.tokens():
        write_token(token, frame.tokens.tokens.add())
    return frame


async def create_token(caller: Caller, body: house.CreateToken, _: int) -> pb.Frame:
    _check_still_good(caller)
    if body.expires_in > _LATEST:
        raise InvalidInput.at("expires_in", "out_of_range", "longer than any token holds; 0: it does not expire")
    groups, was_open = list(body.groups) or None, caller.lobby.policy.open_mode
    frame = _new(*await caller.verbs.create_token(body.name, list(body.roles), groups, body.expires_in or None))
    frame.new_token.notice = OPEN_NO_LONGER if was_open else ""
    return frame


async def rotate_token(caller: Caller, body: house.RotateToken, _: int) -> pb.Frame:
    _check_still_good(caller)
    return _new(*await caller.verbs.rotate_token(body.kid))


async def revoke_token(caller: Caller, body: house.RevokeToken, _: int) -> pb.Frame:
    _check_still_good(caller)
    frame = pb.Frame()
    write_token(await caller.verbs.revoke_token(body.kid), frame.token)
    return frame


async def read_audit(caller: Caller, body: house.ReadAudit, _: int) -> pb.Frame:
    """Newest first; `next` is the number of the last line where there may be more."""
    limit = min(body.limit or USUAL_PAGE, LARGEST_PAGE)
    query = AuditQuery(body.who or None, body.action or None, body.since or None, body.until or None)
    if body.before > _LATEST:
        raise InvalidInput.at("before", "out_of_range", "not the number of a line")
    lines = await caller.verbs.audit(query, body.before or None, limit)
    frame = pb.Frame()
    frame.audit_lines.SetInParent()
    for line in lines:
        write_audit_line(line, frame.audit_lines.lines.add())
    if len(lines) == limit:
        frame.audit_lines.next = lines[-1].number
    return frame


def _check_still_good(caller: Caller) -> None:
    """A link outlives its token by a moment, in which it makes itself no other. Raises NotAuthenticated."""
    if not caller.lobby.policy.still_good(caller.verbs.grant):
        raise NotAuthenticated("the token of this link holds no longer: it was revoked, or has expired")


def _new(token: TokenRecord, secret: str) -> pb.Frame:
    frame = pb.Frame()
    write_token(token, frame.new_token.token)
    frame.new_token.secret = secret
    return frame
