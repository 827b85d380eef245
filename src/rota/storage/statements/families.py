"""Statements on tasks that come after others."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, delete, distinct, exists, func, insert, literal_column, select

from rota.storage.schema import dependants, order_keys, tasks
from rota.storage.statements.sql import Many, Packed, PackedMany, Statement, given_rows

d, o, t = dependants.c, order_keys.c, tasks.c

_given = given_rows(*d)
DEPEND = Many(
    insert(dependants).from_select([c.name for c in d], select(_given).where(_given.c.parent.is_not(None))), len(d)
)

_given = given_rows(d.parent)
CHILDREN = PackedMany(
    select(d.child).select_from(_given).join(dependants, d.parent == _given.c.parent).distinct(),
    1,
)
"""Those that wait for one of these."""
FORGET_PARENTS = Many(delete(dependants).where(d.parent.in_(select(_given.c.parent))), 1)

_first = select(d.child, d.parent).select_from(_given).join(dependants, d.parent == _given.c.parent)
_fails = d.run_anyway == literal_column("0")
_doomed = _first.where(_fails).cte("doomed", recursive=True)
_doomed = _doomed.union(select(d.child, d.parent).join(_doomed, d.parent == _doomed.c.child).where(_fails))
DOOMED = PackedMany(select(_doomed.c.child, _doomed.c.parent), 1)
"""Those that fail when these do, and when those do, with each parent that they fail with."""

_given = given_rows(d.child)
FORGET_CHILDREN = Many(delete(dependants).where(d.child.in_(select(_given.c.child))), 1)
_waits = exists(select(d.parent).where(d.child == _given.c.child))
FREE = PackedMany(select(_given.c.child).where(_given.c.child.is_not(None), ~_waits), 1)
"""Of these, those that wait for nobody any more."""

PARENTS = Packed(
    select(t.id, t.state)
    .select_from(dependants)
    .join(tasks, t.seq == d.parent)
    .where(d.child == bindparam("of_child"))
    .order_by(d.parent)
    .limit(bindparam("limit"))
)

_parent = tasks.alias("parent")
CHILD_IDS = Packed(
    select(t.id)
    .select_from(_parent)
    .join(dependants, d.parent == _parent.c.seq)
    .join(tasks, t.seq == d.child)
    .where(_parent.c.id == bindparam("of_id"))
    .order_by(d.child)
    .limit(bindparam("limit"))
)

# --- what the driver learns when it opens

ALL = Statement(select(func.count()).select_from(dependants))
_in_line = exists(select(o.seq).where(and_(o.seq == d.child, o.waiting == literal_column("1"))))
WAITING_COUNT = Statement(select(func.count(distinct(d.child))).where(~_in_line).select_from(dependants))
"""Tasks that wait for parents only."""
