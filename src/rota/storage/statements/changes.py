"""The Changes as guarded updates: what `guard` asks in the model stands here in the WHERE."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SmallInteger, and_, column, literal_column, or_, update
from sqlalchemy.sql.selectable import CTE

from rota.model.task import Reason, State
from rota.storage.schema import tasks
from rota.storage.statements.sql import Many, given_rows
from rota.storage.statements.tasks import in_state

t = tasks.c


def _value(number: int) -> ColumnElement[Any]:
    return literal_column(str(int(number)))


def _held(given: CTE) -> ColumnElement[bool]:
    return and_(t.seq == given.c.seq, in_state(State.RUNNING), t.attempt == given.c.attempt, t.worker == given.c.worker)


def _set(given: CTE, *names: str) -> dict[str, ColumnElement[Any]]:
    return {name: given.c[name] for name in names}


_given = given_rows(t.seq, t.attempt, t.worker, t.claimed_at, t.due_at)
CLAIM = Many(
    update(tasks)
    .values(
        state=_value(State.RUNNING),
        reason=_value(Reason.LEASED),
        attempt=_given.c.attempt + _value(1),
        started_at=literal_column("NULL"),
        **_set(_given, "worker", "claimed_at", "due_at"),
    )
    .where(t.seq == _given.c.seq, in_state(State.READY), t.attempt == _given.c.attempt),
    5,
)

_given = given_rows(t.seq, t.attempt, t.worker, t.started_at)
START = Many(update(tasks).values(_set(_given, "started_at")).where(_held(_given)), 4)

_given = given_rows(t.seq, t.attempt, t.worker, t.due_at)
RENEW = Many(update(tasks).values(_set(_given, "due_at")).where(_held(_given)), 4)

_finished = ("state", "reason", "failures", "due_at", "started_at", "ended_at", "outcome")
_given = given_rows(t.seq, t.attempt, t.worker, *(t[name] for name in _finished))
FINISH = Many(update(tasks).values(_set(_given, *_finished)).where(_held(_given)), 10)

_moved = (
    "state",
    "reason",
    "line",
    "failures",
    "rescues",
    "due_at",
    "worker",
    "claimed_at",
    "started_at",
    "ended_at",
    "outcome",
    "expire_at",
)
_guards = (column("from_state", SmallInteger), column("worker_was"), column("lapsed_by"), column("expired_by"))
_given = given_rows(t.seq, *_guards, t.attempt, *(t[name] for name in _moved))
_g = _given.c
MOVE = Many(
    update(tasks)
    .values(_set(_given, *_moved))
    .where(
        t.seq == _g.seq,
        t.state == _g.from_state,
        t.attempt == _g.attempt,
        or_(_g.from_state != _value(State.RUNNING), t.worker.is_not_distinct_from(_g.worker_was)),
        or_(_g.lapsed_by.is_(None), t.due_at <= _g.lapsed_by),
        or_(_g.expired_by.is_(None), t.expire_at <= _g.expired_by),
    ),
    len(_guards) + 2 + len(_moved),
)
