"""Statements on what is kept for the whole node: controls, tokens, the audit log, the points of the series."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, literal_column, null, or_, select, update

from rota.storage.schema import audit, controls, points, tokens
from rota.storage.statements.sql import Many, Packed, Statement, given_rows

c, t, a, p = controls.c, tokens.c, audit.c, points.c

# --- controls

_set: Any = insert(controls).values({column.name: bindparam(column.name) for column in c})
SET_CONTROL = Statement(_set.prefix_with("OR REPLACE", dialect="sqlite"))
UNSET_CONTROL = Statement(delete(controls).where(c.scope == bindparam("of_scope"), c.name == bindparam("of_name")))
CONTROLS = Packed(select(controls).order_by(c.scope, c.name))

_limited = and_(c.scope == literal_column("'group'"), c.max_queued.is_not(None))
DEPTH_LIMITS = Statement(select(c.name, c.max_queued).where(_limited))
"""Of groups, by name."""

# --- tokens

ADD_TOKEN = Statement(insert(tokens).values({column.name: bindparam(column.name) for column in t}))
LIVE_NAMED = Statement(select(t.kid).where(t.name == bindparam("of_name"), t.revoked_at.is_(None)))
REVOKE = Statement(
    update(tokens)
    .values(revoked_at=bindparam("at"))
    .where(t.kid == bindparam("of_kid"), or_(t.revoked_at.is_(None), t.revoked_at > bindparam("at")))
)
TOKEN = Packed(select(tokens).where(t.kid == bindparam("of_kid")))
TOKENS = Packed(select(tokens).order_by(t.created_at, t.kid))

_given = given_rows(t.kid, t.last_used_at)
TOUCH = Many(
    update(tokens)
    .values(last_used_at=_given.c.last_used_at)
    .where(t.kid == _given.c.kid, func.coalesce(t.last_used_at, literal_column("0")) < _given.c.last_used_at),
    2,
)

# --- the audit log

_columns = [column for column in a if column.name != "number"]
_given = given_rows(*_columns)
ADD_AUDIT = Many(
    insert(audit).from_select([column.name for column in _columns], select(_given).where(_given.c.at.is_not(None))),
    len(_columns),
)

_who, _action, _noun = bindparam("who"), bindparam("action"), bindparam("noun")
_since, _until = bindparam("since"), bindparam("until")
AUDIT = Packed(
    select(audit)
    .where(
        a.number < bindparam("before"),
        or_(_who.is_(null()), a.who == _who),
        or_(_action.is_(null()), a.action == _action, func.substr(a.action, 1, func.length(_noun)) == _noun),
        or_(_since.is_(null()), a.at >= _since),
        or_(_until.is_(null()), a.at < _until),
    )
    .order_by(a.number.desc())
    .limit(bindparam("limit"))
)

_last = select(func.max(a.number)).scalar_subquery()
_first = select(func.min(a.number)).scalar_subquery()
FORGET_AUDIT = Statement(
    delete(audit).where(and_(a.number <= _last - bindparam("keep"), a.number < _first + bindparam("limit")))
)

# --- the series

_given = given_rows(*p)
_add: Any = insert(points).from_select([column.name for column in p], select(_given).where(_given.c.at.is_not(None)))
ADD_POINTS = Many(_add.prefix_with("OR REPLACE", dialect="sqlite"), len(p))
FORGET_POINTS = Statement(delete(points).where(p.at < bindparam("before")))
POINTS = Packed(select(points).where(p.at >= bindparam("since")).order_by(p.at))
