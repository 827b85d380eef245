"""Statements on lanes, workers, methods and the driver's own marks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    union,
    union_all,
    update,
)

from rota.model.task import State
from rota.storage.schema import dependants, lanes, marks, methods, order_keys, tasks, workers
from rota.storage.statements.sql import Many, Packed, PackedMany, Statement, given_rows
from rota.storage.statements.tasks import in_state

n, w, m = lanes.c, workers.c, methods.c

# --- lanes

_given = given_rows(*n)
ADD_LANES = Many(
    insert(lanes).from_select([column.name for column in n], select(_given).where(_given.c.number.is_not(None))), len(n)
)
LANES = Packed(select(lanes))
READY_LANES = Packed(
    select(lanes).where(exists(select(tasks.c.seq).where(in_state(State.READY), tasks.c.lane == n.number)))
)

_t, _o, _d = tasks.c, order_keys.c, dependants.c
_behind = literal_column("1") == _o.waiting
_waiting = union(
    select(_o.seq.label("seq")).where(_behind),
    select(_d.child),
).subquery("waiting")
_by_lane = union_all(
    select(_t.lane.label("lane"), _t.state.label("state"), func.count().label("number"))
    .where(in_state(State.READY))
    .group_by(_t.lane),
    *(
        select(_t.lane, _t.state, func.count()).where(in_state(state), _t.due_at.is_not(None)).group_by(_t.lane)
        for state in (State.SCHEDULED, State.RUNNING)
    ),
    select(_t.lane, _t.state, func.count())
    .select_from(_waiting)
    .join(tasks, _t.seq == _waiting.c.seq)
    .group_by(_t.lane),
).subquery("by_lane")
_group = func.coalesce(n.group, literal_column("''"))
_in_groups = _by_lane.join(lanes, n.number == _by_lane.c.lane)
_number = func.sum(_by_lane.c.number).label("number")
_counts = select(_group.label("name"), n.method, _by_lane.c.state, _number).select_from(_in_groups)
_after = bindparam("after")
_ranked = (
    _counts.add_columns(func.dense_rank().over(order_by=_group).label("place"))
    .where(or_(_after.is_(null()), _group > _after))
    .group_by(_group, n.method, _by_lane.c.state)
    .subquery("ranked")
)
GROUP_COUNTS = Packed(
    select(_ranked.c.name, _ranked.c.method, _ranked.c.state, _ranked.c.number)
    .where(_ranked.c.place <= bindparam("limit"))
    .order_by(_ranked.c.name, _ranked.c.method, _ranked.c.state)
)
"""Unended tasks by group, method and state, of the first groups after one."""
_given = given_rows(n.group)
NAMED_GROUP_COUNTS = PackedMany(
    _counts.join(_given, _group == _given.c.group).group_by(_group, n.method, _by_lane.c.state), 1
)
GROUP_DEPTHS = Statement(select(_group, func.sum(_by_lane.c.number)).select_from(_in_groups).group_by(_group))
GROUP_DEPTH = Statement(
    select(func.sum(_by_lane.c.number)).select_from(_in_groups).where(_group == bindparam("of_group"))
)
"""Unended tasks by group; the empty name: those without one."""

_given = given_rows(tasks.c.seq)
_passing = tasks.c.lane < literal_column("0")
PASSING_LANES = PackedMany(select(tasks.c.lane).join(_given, tasks.c.seq == _given.c.seq).where(_passing).distinct(), 1)
"""Lanes that come and go, of these tasks."""
_given = given_rows(n.number)
UNUSED_LANES = PackedMany(
    select(_given.c.number).where(
        _given.c.number.is_not(None), ~exists(select(tasks.c.seq).where(_passing, tasks.c.lane == _given.c.number))
    ),
    1,
)
REMOVE_LANES = Many(delete(lanes).where(n.number.in_(select(_given.c.number))), 1)

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
