"""Concurrency keys in lanes; tasks that come after others; batches, labels and keys to search by."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"
_Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PASSING = sa.text("lane < 0")


def upgrade() -> None:
    _tasks()
    _ledger()


def _tasks() -> None:
    op.add_column("lanes", sa.Column("key", sa.String(512)))
    op.create_index("tasks_passing", "tasks", ["lane"], sqlite_where=_PASSING, postgresql_where=_PASSING)
    op.create_table(
        "dependants",
        sa.Column("parent", _Big, primary_key=True, autoincrement=False),
        sa.Column("child", _Big, primary_key=True, autoincrement=False),
        sa.Column("run_anyway", sa.SmallInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("dependants_child", "dependants", ["child"])
    op.create_table(
        "batches",
        sa.Column("seq", _Big, primary_key=True, autoincrement=False),
        sa.Column("batch", sa.String(128), nullable=False),
    )
    op.create_index("batches_tasks", "batches", ["batch", "seq"])
    op.create_table(
        "labels",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("value", sa.String(512), primary_key=True),
        sa.Column("seq", _Big, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("labels_named", "labels", ["name", "seq"])
    op.create_index("labels_task", "labels", ["seq"])
    op.create_table(
        "task_keys",
        sa.Column("seq", _Big, primary_key=True, autoincrement=False),
        sa.Column("unique_key", sa.String(512)),
        sa.Column("order_key", sa.String(512)),
    )
    _make_findable(op.get_bind())


def _make_findable(bind: sa.Connection) -> None:
    """Labels and keys of the tasks that were there before, out of their packed specs."""
    last = 0
    while rows := bind.execute(_PAGE, {"last": last}).all():
        last = rows[-1].seq
        specs = [(row.seq, msgspec.msgpack.decode(row.spec)) for row in rows]
        keyed = [{"seq": seq, "unique": spec[5], "order": spec[6]} for seq, spec in specs if spec[5] or spec[6]]
        labels = [
            {"name": name, "value": value, "seq": seq} for seq, spec in specs for name, value in dict(spec[8]).items()
        ]
        if keyed:
            bind.execute(sa.text("INSERT INTO task_keys VALUES (:seq, :unique, :order)"), keyed)
        if labels:
            bind.execute(sa.text("INSERT INTO labels VALUES (:name, :value, :seq)"), labels)


_PAGE = sa.text("SELECT seq, spec FROM tasks WHERE seq > :last ORDER BY seq LIMIT 100")


def _ledger() -> None:
    """What is kept for the whole node: controls, tokens, the audit log, the series."""
    op.create_table(
        "controls",
        sa.Column("scope", sa.String(8), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("paused", sa.SmallInteger, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("concurrency", _Big),
        sa.Column("rate_count", _Big),
        sa.Column("rate_period", _Big),
        sa.Column("key_rate_count", _Big),
        sa.Column("key_rate_period", _Big),
        sa.Column("changed_at", _Big, nullable=False),
        sa.Column("changed_by", sa.String, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tokens",
        sa.Column("kid", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("roles", sa.LargeBinary, nullable=False),
        sa.Column("groups", sa.LargeBinary),
        sa.Column("created_at", _Big, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("expires_at", _Big),
        sa.Column("last_used_at", _Big),
        sa.Column("revoked_at", _Big),
        sqlite_with_rowid=False,
    )
    live = sa.text("revoked_at IS NULL")
    op.create_index("tokens_live_name", "tokens", ["name"], unique=True, sqlite_where=live, postgresql_where=live)
    op.create_table(
        "audit",
        sa.Column("number", _Big, primary_key=True),
        sa.Column("at", _Big, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in _SAID),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "points",
        sa.Column("at", _Big, primary_key=True, autoincrement=False),
        *(sa.Column(name, _Big, nullable=False) for name in _MEASURED),
    )


_SAID = ["who", "kid", "source", "door", "action", "object", "outcome", "request_id", "before", "after"]
_MEASURED = [
    "step",
    "submitted",
    "finished",
    "failed",
    "rescued",
    "ready",
    "running",
    "scheduled",
    "waiting",
    "workers",
    "wait_p50",
    "wait_p99",
    "run_p50",
    "run_p99",
]
