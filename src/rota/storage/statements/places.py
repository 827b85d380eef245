"""Statements on lanes, workers, methods and the driver's own marks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, insert, null, or_, select, update

from rota.model.task import State
from rota.storage.schema import lanes, marks, methods, tasks, workers
from rota.storage.statements.sql import Packed, PackedMany, Statement, given_rows
from rota.storage.statements.tasks import in_state

n, w, m = lanes.c, workers.c, methods.c

# --- lanes

ADD_LANE = Statement(insert(lanes))
LANES = Packed(select(lanes))
READY_LANES = Packed(
    select(lanes).where(exists(select(tasks.c.seq).where(in_state(State.READY), tasks.c.lane == n.number)))
)

# --- workers

WORKER_BY_ID = Statement(select(w.number).where(w.id == bindparam("of_id")))
ENLIST = Statement(
    insert(workers).values(
        {column.name: bindparam(column.name) for column in w if column.name not in ("number", "gone_at")}
    )
)
ENLIST_ANEW = Statement(
    update(workers)
    .values(
        facts=bindparam("facts"),
        methods=bindparam("methods"),
        seen_at=bindparam("seen_at"),
        gone_at=null(),
        gone_reason=bindparam("gone_reason"),
    )
    .where(w.number == bindparam("of_number"))
)
RETIRE = Statement(
    update(workers)
    .values(gone_at=bindparam("now"), gone_reason=bindparam("reason"))
    .where(w.number == bindparam("of_number"), w.gone_at.is_(None))
)
WORKERS = Packed(select(workers).order_by(w.number))

_given = given_rows(w.number)
WORKERS_BY_NUMBER = PackedMany(select(workers).join(_given, w.number == _given.c.number), 1)

_other = workers.alias("other").c
_most: Any = bindparam("most")
_newest = (
    select(_other.number)
    .where(_other.gone_at.is_not(None))
    .order_by(_other.gone_at.desc(), _other.number.desc())
    .limit(_most)
)
REMOVE_WORKERS = Statement(
    delete(workers).where(
        or_(w.gone_at <= bindparam("before"), and_(w.gone_at <= bindparam("recent"), w.number.not_in(_newest)))
    )
)

# --- methods

_declare: Any = insert(methods).values({column.name: bindparam(column.name) for column in m})
DECLARE = Statement(_declare.prefix_with("OR REPLACE", dialect="sqlite"))
METHODS = Packed(select(methods).order_by(m.name, m.version))

# --- marks

_set: Any = insert(marks).values(name=bindparam("name"), value=bindparam("value"))
SET_MARK = Statement(_set.prefix_with("OR REPLACE", dialect="sqlite"))
MARKS = Statement(select(marks))
