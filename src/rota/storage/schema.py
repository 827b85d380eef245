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

VERSION = "0003"
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
    Column("key", String(512)),
)
"""The first lanes have the numbers from 1 up and stay. Numbers below 0 are of lanes that come and go (those with a key or a
target, and whatever is beyond the first): `tasks_passing` finds their tasks, and the last one takes its lane with it."""

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
_PASSING = text("lane < 0")
Index("tasks_ready", tasks.c.lane, tasks.c.line, sqlite_where=_READY, postgresql_where=_READY)
Index("tasks_due", tasks.c.state, tasks.c.due_at, sqlite_where=_DUE, postgresql_where=_DUE)
Index("tasks_expiring", tasks.c.expire_at, sqlite_where=_EXPIRES, postgresql_where=_EXPIRES)
Index("tasks_passing", tasks.c.lane, sqlite_where=_PASSING, postgresql_where=_PASSING)

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

dependants = Table(
    "dependants",
    metadata,
    Column("parent", _Big, primary_key=True, autoincrement=False),
    Column("child", _Big, primary_key=True, autoincrement=False),
    Column("run_anyway", SmallInteger, nullable=False),
    Index("dependants_child", "child"),
    sqlite_with_rowid=False,
)
"""Which task (by `seq`) still waits for which. A row goes when either of them ends: no row names an ended task."""

batches = Table(
    "batches",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("batch", String(128), nullable=False),
    Index("batches_tasks", "batch", "seq"),
)
"""The tasks that have a batch."""

labels = Table(
    "labels",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", String(512), primary_key=True),
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Index("labels_named", "name", "seq"),
    Index("labels_task", "seq"),
    sqlite_with_rowid=False,
)

task_keys = Table(
    "task_keys",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("unique_key", String(512)),
    Column("order_key", String(512)),
)
"""The keys of every task that has one, ended or not, to be searched."""

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

controls = Table(
    "controls",
    metadata,
    Column("scope", String(8), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("paused", SmallInteger, nullable=False),
    Column("note", String, nullable=False),
    Column("concurrency", _Big),
    Column("rate_count", _Big),
    Column("rate_period", _Big),
    Column("key_rate_count", _Big),
    Column("key_rate_period", _Big),
    Column("changed_at", _Big, nullable=False),
    Column("changed_by", String, nullable=False),
    Column("max_queued", _Big),
    sqlite_with_rowid=False,
)

tokens = Table(
    "tokens",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("roles", LargeBinary, nullable=False),
    Column("groups", LargeBinary),
    Column("created_at", _Big, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires_at", _Big),
    Column("last_used_at", _Big),
    Column("revoked_at", _Big),
    sqlite_with_rowid=False,
)
_LIVE = text("revoked_at IS NULL")
Index("tokens_live_name", tokens.c.name, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)

audit = Table(
    "audit",
    metadata,
    Column("number", _Big, primary_key=True),
    Column("at", _Big, nullable=False),
    Column("who", String, nullable=False),
    Column("kid", String, nullable=False),
    Column("source", String, nullable=False),
    Column("door", String, nullable=False),
    Column("action", String, nullable=False),
    Column("object", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("before", String, nullable=False),
    Column("after", String, nullable=False),
    sqlite_autoincrement=True,
)
"""Its numbers have no gaps, so that how many lines are kept is told from the first and the last."""

points = Table(
    "points",
    metadata,
    Column("at", _Big, primary_key=True, autoincrement=False),
    Column("step", _Big, nullable=False),
    *(
        Column(name, _Big, nullable=False)
        for name in (
            "submitted",
            "finished",
            "failed",
            "rescued",
            "ready",
            "running",
            "scheduled",
            "waiting",
            "workers",
        )
    ),
    *(Column(name, _Big, nullable=False) for name in ("wait_p50", "wait_p99", "run_p50", "run_p99")),
)
