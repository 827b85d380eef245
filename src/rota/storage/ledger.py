"""The verbs on what is kept for the whole node: controls, tokens, the audit log, the points of the series.

The writing ones run inside the writer's transaction, the reading ones on a reader's connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from sqlite3 import Connection
from typing import Any

import msgspec

from rota.contract.store import AuditQuery
from rota.model.audit import AuditRecord
from rota.model.control import Control, Rate, Scope
from rota.model.series import Point
from rota.model.token import TokenRecord
from rota.storage.remembered import name_taken
from rota.storage.statements import ledger
from rota.storage.transaction import Transaction

Row = Sequence[Any]

AFTER_ALL = 2**63 - 1
"""A number after every other."""

_pack = msgspec.msgpack.Encoder().encode
_names = msgspec.msgpack.Decoder(frozenset[str]).decode

# --- controls


def set_control(tx: Transaction, control: Control) -> None:
    if control.scope is Scope.GROUP:
        tx.depths.limit(control.name, control.max_queued)
    if control.sets_nothing:
        ledger.UNSET_CONTROL.run(tx.connection, of_scope=control.scope.value, of_name=control.name)
        return
    rate_count, rate_period = _columns_of(control.rate)
    key_rate_count, key_rate_period = _columns_of(control.key_rate)
    ledger.SET_CONTROL.run(
        tx.connection,
        scope=control.scope.value,
        name=control.name,
        paused=int(control.paused),
        note=control.note,
        concurrency=control.concurrency,
        rate_count=rate_count,
        rate_period=rate_period,
        key_rate_count=key_rate_count,
        key_rate_period=key_rate_period,
        changed_at=control.changed_at,
        changed_by=control.changed_by,
        max_queued=control.max_queued,
    )


def controls(connection: Connection) -> list[Control]:
    return [_control_of(row) for row in ledger.CONTROLS.rows(connection)]


def _columns_of(rate: Rate | None) -> tuple[int | None, int | None]:
    return (None, None) if rate is None else (rate.count, rate.period)


def _control_of(row: Row) -> Control:
    scope, name, paused, note, concurrency, count, period, key_count, key_period, changed_at, changed_by, queued = row
    return Control(
        Scope(scope),
        name,
        bool(paused),
        note,
        concurrency,
        None if count is None else Rate(count, period),
        None if key_count is None else Rate(key_count, key_period),
        changed_at,
        changed_by,
        queued,
    )


# --- tokens


def add_token(tx: Transaction, token: TokenRecord) -> None:
    if ledger.LIVE_NAMED.rows(tx.connection, of_name=token.name):
        raise name_taken(token.name)
    ledger.ADD_TOKEN.run(
        tx.connection,
        kid=token.kid,
        name=token.name,
        digest=token.digest,
        roles=_pack(sorted(token.roles)),
        groups=None if token.groups is None else _pack(sorted(token.groups)),
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        revoked_at=token.revoked_at,
    )


def revoke_token(tx: Transaction, kid: str, at: int) -> TokenRecord | None:
    ledger.REVOKE.run(tx.connection, of_kid=kid, at=at)
    found = ledger.TOKEN.rows(tx.connection, of_kid=kid)
    return _token_of(found[0]) if found else None


def touch_tokens(tx: Transaction, used: Mapping[str, int]) -> None:
    ledger.TOUCH.run(tx.connection, list(used.items()))


def tokens(connection: Connection) -> list[TokenRecord]:
    return [_token_of(row) for row in ledger.TOKENS.rows(connection)]


def _token_of(row: Row) -> TokenRecord:
    kid, name, digest, roles, groups, created_at, created_by, expires_at, last_used_at, revoked_at = row
    return TokenRecord(
        kid,
        name,
        digest,
        _names(roles),
        None if groups is None else _names(groups),
        created_at,
        created_by,
        expires_at,
        last_used_at,
        revoked_at,
    )


# --- the audit log


def add_audit(tx: Transaction, lines: Iterable[AuditRecord]) -> None:
    rows = [
        (
            line.at,
            line.who,
            line.kid,
            line.source,
            line.door,
            line.action,
            line.object,
            line.outcome,
            line.request_id,
            line.before,
            line.after,
        )
        for line in lines
    ]
    ledger.ADD_AUDIT.run(tx.connection, rows)


def forget_audit(tx: Transaction, keep: int, limit: int) -> int:
    """The oldest lines beyond `keep` go, up to `limit` of them; answers how many."""
    return ledger.FORGET_AUDIT.run(tx.connection, keep=keep, limit=limit)


def audit_log(connection: Connection, query: AuditQuery, before: int | None, limit: int) -> list[AuditRecord]:
    found = ledger.AUDIT.rows(
        connection,
        before=AFTER_ALL if before is None else before,
        who=query.who,
        action=query.action,
        noun=None if query.action is None else query.action + ".",
        since=query.since,
        until=query.until,
        limit=limit,
    )
    return [AuditRecord(*row[1:], number=row[0]) for row in found]


# --- the series


def add_points(tx: Transaction, points: Iterable[Point], forget_before: int) -> None:
    ledger.ADD_POINTS.run(tx.connection, [astuple(point) for point in points])
    ledger.FORGET_POINTS.run(tx.connection, before=forget_before)


def points(connection: Connection, since: int) -> list[Point]:
    return [Point(*row) for row in ledger.POINTS.rows(connection, since=since)]
