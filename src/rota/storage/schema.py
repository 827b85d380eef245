"""The tables, said once for every SQL driver.

The row of a task is narrow: the columns that statements touch, and one packed `spec` for the rest. Lanes and workers are
interned as numbers. The driver assigns `seq` itself, so nothing depends on what a database returns from an insert.
CHECKs refuse rows that no transition makes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

VERSION = "0001"
"""The revision in `migrations/versions` that these tables are; revisions sort as text."""

metadata = MetaData()
_Big = BigInteger().with_variant(Integer(), "sqlite")

schema_version = Table("schema_version", metadata, Column("version_num", String(32), primary_key=True))

marks = Table(
    "marks",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", _Big, nullable=False),
    sqlite_with_rowid=False,
)
"""Ordinals that must not be used again after retention has removed the rows that bore them."""

lanes = Table(
    "lanes",
    metadata,
    Column("number", _Big, primary_key=True, autoincrement=False),
    Column("method", String(128), nullable=False),
    Column("group", String(128)),
    Column("version", Integer),
    Column("target", String(128)),
)

tasks = Table(
    "tasks",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("id", LargeBinary(16), nullable=False, unique=True),
    Column("lane", _Big, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("reason", SmallInteger, nullable=False),
    Column("line", _Big, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("rescues", Integer, nullable=False),
    Column("due_at", _Big),
    Column("expire_at", _Big),
    Column("worker", _Big),
    Column("claimed_at", _Big),
    Column("started_at", _Big),
    Column("ended_at", _Big),
    Column("created_at", _Big, nullable=False),
    Column("outcome", LargeBinary),
    Column("spec", LargeBinary, nullable=False),
    CheckConstraint("state BETWEEN 1 AND 8", name="state_known"),
    CheckConstraint("(state >= 5) = (ended_at IS NOT NULL)", name="ended_has_its_instant"),
    CheckConstraint("state <> 4 OR worker IS NOT NULL", name="running_is_leased"),
    CheckConstraint("state IN (1, 3) OR due_at IS NOT NULL", name="has_its_time"),
)

_READY = text("state = 3")
_DUE = text("due_at IS NOT NULL")
_EXPIRES = text("expire_at IS NOT NULL AND state <= 3")
Index("tasks_ready", tasks.c.lane, tasks.c.line, sqlite_where=_READY, postgresql_where=_READY)
Index("tasks_due", tasks.c.state, tasks.c.due_at, sqlite_where=_DUE, postgresql_where=_DUE)
Index("tasks_expiring", tasks.c.expire_at, sqlite_where=_EXPIRES, postgresql_where=_EXPIRES)

unique_keys = Table(
    "unique_keys",
    metadata,
    Column("unique_key", String(512), primary_key=True),
    Column("seq", _Big, nullable=False),
    sqlite_with_rowid=False,
)

order_keys = Table(
    "order_keys",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("order_key", String(512), nullable=False),
    Column("waiting", SmallInteger, nullable=False),
    Index("order_keys_line", "order_key", "waiting", "seq"),
)
"""Every unended task with an order key: the one that holds it (waiting 0), then those behind it by `seq` (waiting 1)."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("idempotency_key", String(512), primary_key=True),
    Column("task_id", LargeBinary(16), nullable=False),
    Column("fingerprint", LargeBinary(64), nullable=False),
    Column("expires_at", _Big, nullable=False),
    Index("idempotency_expiry", "expires_at"),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("worker", _Big),
    Column("claimed_at", _Big),
    Column("started_at", _Big),
    Column("ended_at", _Big, nullable=False),
    Column("reason", SmallInteger, nullable=False),
    Column("outcome", LargeBinary),
    Column("late", String),
    sqlite_with_rowid=False,
)

logs = Table(
    "logs",
    metadata,
    Column("number", _Big, primary_key=True, autoincrement=False),
    Column("seq", _Big, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", _Big, nullable=False),
    Column("level", Integer, nullable=False),
    Column("text", String, nullable=False),
    Index("logs_of_task", "seq", "number"),
)

progress = Table(
    "progress",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("at", _Big, nullable=False),
    Column("share", Float, nullable=False),
    Column("note", String, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("number", _Big, primary_key=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("facts", LargeBinary, nullable=False),
    Column("methods", LargeBinary, nullable=False),
    Column("registered_at", _Big, nullable=False),
    Column("seen_at", _Big, nullable=False),
    Column("gone_at", _Big),
    Column("gone_reason", String, nullable=False),
    sqlite_autoincrement=True,
)

methods = Table(
    "methods",
    metadata,
    Column("name", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("declaration", LargeBinary, nullable=False),
    UniqueConstraint("name", "version"),
)
