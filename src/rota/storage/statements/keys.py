"""Statements on what keeps tasks apart: unique keys, order keys, idempotency keys."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, func, insert, literal_column, select, tuple_, update

from rota.storage.schema import idempotency, order_keys, tasks, unique_keys
from rota.storage.statements.sql import Many, Packed, PackedMany, Statement, given_rows

u, o, i, t = unique_keys.c, order_keys.c, idempotency.c, tasks.c

# --- unique keys

_given = given_rows(u.unique_key, u.seq)
TAKE_UNIQUE = Many(
    insert(unique_keys).from_select(["unique_key", "seq"], select(_given).where(_given.c.unique_key.is_not(None))),
    2,
)
FREE_UNIQUE = Many(delete(unique_keys).where(tuple_(u.unique_key, u.seq).in_(select(_given))), 2)

_given = given_rows(u.unique_key)
HOLDERS = PackedMany(
    select(u.unique_key, t.id, u.seq, t.state)
    .select_from(_given)
    .join(unique_keys, u.unique_key == _given.c.unique_key)
    .join(tasks, t.seq == u.seq),
    1,
)

# --- order keys

_given = given_rows(*o)
ADD_ORDERED = Many(
    insert(order_keys).from_select([c.name for c in o], select(_given).where(_given.c.seq.is_not(None))), len(o)
)

_given = given_rows(o.seq)
_these = o.seq.in_(select(_given.c.seq))
FREE_ORDERED = Many(delete(order_keys).where(_these), 1)
HOLD_ORDERED = Many(update(order_keys).values(waiting=literal_column("0")).where(_these), 1)
BEHIND = PackedMany(select(o.seq).where(_these, o.waiting == literal_column("1")), 1)
"""Of these, those that wait behind another."""

_given = given_rows(o.order_key)
_key = o.order_key == _given.c.order_key
ORDERED = PackedMany(select(_given.c.order_key).where(exists(select(o.seq).where(_key))), 1)

_waiting = and_(_key, o.waiting == literal_column("1"))
_held = and_(_key, o.waiting == literal_column("0"))
NEXT_ORDERED = PackedMany(
    select(tasks)
    .select_from(_given)
    .join(tasks, t.seq == select(func.min(o.seq)).where(_waiting).scalar_subquery())
    .where(~exists(select(o.seq).where(_held))),
    1,
)
"""The first waiting task of each key that nobody holds."""

IN_LINE = Packed(
    select(t.id)
    .select_from(order_keys)
    .join(tasks, t.seq == o.seq)
    .where(o.order_key == bindparam("of_key"))
    .order_by(o.waiting, o.seq)
    .limit(bindparam("limit"))
)
"""The holder of a key, then those behind it."""

WAITING_COUNT = Statement(select(func.count()).where(o.waiting == literal_column("1")).select_from(order_keys))

# --- idempotency keys

_columns = [column.name for column in i]
_given = given_rows(*i)
_remember: Any = insert(idempotency).from_select(_columns, select(_given).where(_given.c.idempotency_key.is_not(None)))
REMEMBER = Many(_remember.prefix_with("OR REPLACE", dialect="sqlite"), len(_columns))

_given = given_rows(i.idempotency_key)
ANSWERS = PackedMany(
    select(i.idempotency_key, i.task_id, i.fingerprint, i.expires_at).join(
        _given, i.idempotency_key == _given.c.idempotency_key
    ),
    1,
)

_expired = (
    select(i.idempotency_key).where(i.expires_at <= bindparam("now")).order_by(i.expires_at).limit(bindparam("limit"))
)
FORGET = Statement(delete(idempotency).where(i.idempotency_key.in_(_expired)))
