"""Statements on what hangs on a task: past attempts, log lines, progress."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from rota.storage.schema import attempts, logs, progress, tasks
from rota.storage.statements.sql import Many, Packed, PackedMany, Statement, given_rows

a, g, p = attempts.c, logs.c, progress.c

# --- attempts

_columns = [column.name for column in a]
_given = given_rows(*(column for column in a if column.name != "late"))
_noted = attempts.alias("noted")
_late = (
    select(_noted.c.late).where(_noted.c.seq == _given.c.seq, _noted.c.attempt == _given.c.attempt).scalar_subquery()
)
_keep: Any = insert(attempts).from_select(_columns, select(_given, _late).where(_given.c.seq.is_not(None)))
KEEP_ATTEMPT = Many(_keep.prefix_with("OR REPLACE", dialect="sqlite"), len(_columns) - 1)
"""Keeps a note that came before the record did."""

NOTE_LATE = Statement(
    update(attempts)
    .values(late=bindparam("note"))
    .where(a.seq == bindparam("of_seq"), a.attempt == bindparam("of_attempt"))
)
ATTEMPTS = Packed(select(attempts).where(a.seq == bindparam("of_seq")).order_by(a.attempt))

# --- log lines

_given = given_rows(*g)
_known = exists(select(tasks.c.seq).where(tasks.c.seq == _given.c.seq))
ADD_LINES = Many(insert(logs).from_select([c.name for c in g], select(_given).where(_known)), len(g))
LINES = Packed(
    select(g.number, g.attempt, g.at, g.level, g.text)
    .where(g.seq == bindparam("of_seq"), g.number > bindparam("after"))
    .order_by(g.number)
    .limit(bindparam("limit"))
)
LAST_LINE = Statement(select(func.max(g.number)))

# --- progress

_given = given_rows(*p)
_known = exists(select(tasks.c.seq).where(tasks.c.seq == _given.c.seq))
_mark: Any = insert(progress).from_select([c.name for c in p], select(_given).where(_known))
MARK = Many(_mark.prefix_with("OR REPLACE", dialect="sqlite"), len(p))

_given = given_rows(p.seq)
MARKS = PackedMany(select(progress).join(_given, p.seq == _given.c.seq), 1)

# --- retention

REMOVALS = tuple(
    Many(delete(table).where(table.c.seq.in_(select(_given.c.seq))), 1) for table in (attempts, logs, progress)
)
