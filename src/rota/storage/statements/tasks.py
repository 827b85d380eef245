"""Statements that look up, page over and remove tasks; what changes them is in `changes.py`.

States are written into the text, not bound: SQLite uses a partial index only where the statement repeats its condition.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal_column, select, tuple_, union_all

from rota.model.task import Reason, State
from rota.storage.schema import tasks
from rota.storage.statements.sql import Many, Packed, PackedMany, Statement, given_rows

t = tasks.c
ID_BYTES: Any = literal_column("16")
COLUMNS = tuple(column.name for column in t)


def in_state(state: State) -> ColumnElement[bool]:
    return t.state == literal_column(str(state.value))


_given = given_rows(*t)
INSERT = Many(insert(tasks).from_select(COLUMNS, select(_given).where(_given.c.seq.is_not(None))), len(COLUMNS))

_given = given_rows(t.seq, t.id, t.lane, t.line, t.created_at, t.spec)
INSERT_FRESH = Many(
    insert(tasks).from_select(
        (*_given.c.keys(), "state", "reason", "attempt", "failures", "rescues"),
        select(_given, *(literal_column(str(int(n))) for n in (State.READY, Reason.SUBMITTED, 0, 0, 0))).where(
            _given.c.seq.is_not(None)
        ),
    ),
    len(_given.c),
)
"""For tasks that are ready and nothing else yet: a third of the values to bind."""

_given = given_rows(t.id)
BY_ID = PackedMany(select(tasks).join(_given, t.id == _given.c.id), 1)

SEQS = PackedMany(select(t.seq, t.id, t.state).join(_given, t.id == _given.c.id), 1)
LANES = PackedMany(select(t.id, t.lane).join(_given, t.id == _given.c.id), 1)

_ids: Any = bindparam("ids")
_at = select(literal_column("0").label("at")).cte("places", recursive=True)
_at = _at.union_all(select(_at.c.at + ID_BYTES).where(_at.c.at + ID_BYTES < func.length(_ids)))
_found = (
    select(
        _at.c.at,
        select(t.state)
        .where(t.id == func.substr(_ids, _at.c.at + literal_column("1"), ID_BYTES))
        .scalar_subquery()
        .label("state"),
    )
    .order_by(_at.c.at)
    .subquery("found")
)
STATES = Statement(select(func.group_concat(func.coalesce(_found.c.state, literal_column("0")), literal_column("''"))))
"""Given the ids joined, their states joined: a digit each, 0 for an unknown one."""

_given = given_rows(t.seq)
BY_SEQ = PackedMany(select(tasks).join(_given, t.seq == _given.c.seq), 1)
STANDING = PackedMany(select(t.seq, t.id, t.state).join(_given, t.seq == _given.c.seq), 1)
DELETE = Many(delete(tasks).where(t.seq.in_(select(_given.c.seq))), 1)

# --- pages

_after = tuple_(bindparam("after_place"), bindparam("after_seq"))
_limit: Any = bindparam("limit")

LINE = Packed(
    select(tasks)
    .where(in_state(State.READY), t.lane == bindparam("lane"), tuple_(t.line, t.seq) > _after)
    .order_by(t.line, t.seq)
    .limit(_limit)
)
DUE = Packed(
    select(tasks)
    .where(t.state == bindparam("state"), t.due_at <= bindparam("before"), tuple_(t.due_at, t.seq) > _after)
    .order_by(t.due_at, t.seq)
    .limit(_limit)
)

_expires = (t.expire_at.is_not(None), t.state <= literal_column("3"))
EXPIRING = Packed(
    select(tasks)
    .where(*_expires, t.expire_at <= bindparam("before"), tuple_(t.expire_at, t.seq) > _after)
    .order_by(t.expire_at, t.seq)
    .limit(_limit)
)

_instants = union_all(
    select(func.min(t.due_at).label("at")).where(in_state(State.SCHEDULED), t.due_at.is_not(None)),
    select(func.min(t.due_at)).where(in_state(State.RUNNING), t.due_at.is_not(None)),
    select(func.min(t.expire_at)).where(*_expires),
).subquery("instants")
NEXT_DUE = Statement(select(func.min(_instants.c.at)))

PLACE = Statement(
    select(func.count())
    .where(
        in_state(State.READY),
        t.lane == bindparam("lane"),
        tuple_(t.line, t.seq) < tuple_(bindparam("line"), bindparam("seq")),
    )
    .select_from(tasks)
)

# --- retention

PAST_TIME = Packed(
    select(t.due_at, t.seq)
    .where(t.state == bindparam("state"), t.due_at <= bindparam("now"))
    .order_by(t.due_at, t.seq)
    .limit(_limit)
)

# --- what the driver learns when it opens

FIRST = Statement(select(func.min(t.seq)))
LAST = Statement(select(func.max(t.seq)))
READY_COUNT = Statement(select(func.count()).where(in_state(State.READY)).select_from(tasks))
DUE_COUNTS = Statement(select(t.state, func.count()).where(t.due_at.is_not(None)).group_by(t.state))
