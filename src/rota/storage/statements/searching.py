"""Statements that look for tasks, newest first, and on what they are found by: batches, labels, keys.

Only tasks that have such a thing have rows in those tables. A query that names a batch or a label starts from its rows,
one for few tasks of some states from these, and any other walks back over all tasks.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, exists, func, insert, literal_column, or_, select

from rota.storage.schema import batches, labels, lanes, task_keys, tasks
from rota.storage.statements.sql import Many, Packed, Statement, given_rows

b, k, g, n, t = batches.c, task_keys.c, labels.c, lanes.c, tasks.c
_TRUE: Any = literal_column("1")

_given = given_rows(*b)
ADD_TO_BATCH = Many(
    insert(batches).from_select([c.name for c in b], select(_given).where(_given.c.seq.is_not(None))), len(b)
)
_given = given_rows(*labels.c)
ADD_LABELS = Many(
    insert(labels).from_select([c.name for c in labels.c], select(_given).where(_given.c.name.is_not(None))),
    len(labels.c),
)
_given = given_rows(*task_keys.c)
ADD_KEYS = Many(
    insert(task_keys).from_select([c.name for c in task_keys.c], select(_given).where(_given.c.seq.is_not(None))),
    len(task_keys.c),
)

BATCH = Statement(
    select(t.state, func.count(), func.min(t.created_at))
    .select_from(batches)
    .join(tasks, t.seq == b.seq)
    .where(b.batch == bindparam("of_batch"))
    .group_by(t.state)
)


def _asked(name: str, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition that holds for every row where the parameter is null."""
    return or_(bindparam(name).is_(None), condition)


def _has_text(*columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Both sides in lower case, as SQLite does it: ASCII letters only. No character means anything but itself."""
    return or_(*(func.instr(func.lower(column), bindparam("text")) > literal_column("0") for column in columns))


_in_lanes = t.lane.in_(
    select(n.number).where(
        _asked("method", n.method == bindparam("method")), _asked("group", n.group == bindparam("group"))
    )
)
_l, _b = labels.alias("its_label").c, batches.alias("its_batch").c
_labelled = exists(
    select(_l.seq).where(
        _l.seq == t.seq, _l.name == bindparam("label"), _asked("label_value", _l.value == bindparam("label_value"))
    )
)
_in_batch = exists(select(_b.seq).where(_b.seq == t.seq, _b.batch == bindparam("batch")))
_with_text = or_(
    and_(t.id >= bindparam("id_from"), t.id <= bindparam("id_to")),
    t.lane.in_(select(n.number).where(_has_text(n.method, n.group, n.key))),
    exists(select(k.seq).where(k.seq == t.seq, _has_text(k.unique_key, k.order_key))),
)
_wanted = (
    bindparam("states").bitwise_and(_TRUE.bitwise_lshift(t.state)) != literal_column("0"),
    or_(bindparam("any_lane"), _in_lanes),
    _asked("worker", t.worker == bindparam("worker")),
    _asked("created_after", t.created_at > bindparam("created_after")),
    _asked("created_before", t.created_at < bindparam("created_before")),
    _asked("label", _labelled),
    _asked("batch", _in_batch),
    _asked("text", _with_text),
)


def _newest(found: Select[Any], seq: Any, *where: ColumnElement[bool]) -> Packed:
    return Packed(
        found.where(*where, seq < bindparam("before_seq"), *_wanted).order_by(seq.desc()).limit(bindparam("limit"))
    )


FIND = _newest(select(tasks), t.seq, t.seq >= bindparam("from_seq"))
FIND_IN_BATCH = _newest(
    select(tasks).select_from(batches).join(tasks, t.seq == b.seq), b.seq, b.batch == bindparam("batch")
)
_from_labels = select(tasks).select_from(labels).join(tasks, t.seq == g.seq)
FIND_LABELLED = _newest(_from_labels, g.seq, g.name == bindparam("label"), g.value == bindparam("label_value"))
FIND_NAMED = _newest(_from_labels, g.seq, g.name == bindparam("label"))
FIND_RARE = Packed(
    select(tasks)
    .where(
        t.state == bindparam("state"),
        t.due_at.is_not(None),
        literal_column("+seq") < bindparam("before_seq"),
        *_wanted,
    )
    .order_by(t.seq.desc())
    .limit(bindparam("limit"))
)

# --- retention

_given = given_rows(t.seq)
REMOVALS = tuple(
    Many(delete(table).where(table.c.seq.in_(select(_given.c.seq))), 1) for table in (batches, labels, task_keys)
)
