"""The store: where the truth is.

A driver keeps tasks, applies Changes, and owns `now`. Whatever it has answered it will still know after the process, or
the machine, has died: every verb that writes answers after its transaction is durable, never before.

Rules for every driver, held by one contract suite:

* a batch is one transaction; the verbs of several callers may share one (group commit), and a verb that fails takes none
  of its neighbours with it;
* a write is guarded inside the statement or the transaction that writes, never by a look beforehand;
* cancelling an await never undoes, halves or mixes up a write: the caller only stops hearing of it;
* what cannot be written now raises `Unavailable`: `store_unavailable`, or `store_full` where the disk or a set limit is
  full. Nothing of the batch is kept then. `outcome_unknown` where a commit may or may not have happened.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rota.model.audit import AuditRecord
from rota.model.change import Change
from rota.model.control import Control
from rota.model.errors import RotaError
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.record import record
from rota.model.series import Point
from rota.model.task import AttemptRecord, Lane, State, Task
from rota.model.token import TokenRecord
from rota.model.worker import Facts, WorkerRecord
from rota.telemetry.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can and cannot do, asked by name."""

    durable: bool
    """What it answered survives the process."""
    shared: bool
    """Several nodes may use it at once."""
    loss_window: str = ""
    """In words: what a power cut may take although it was answered. Empty: nothing."""


@dataclass(slots=True)
class Entry:
    """A task to be accepted. A driver gives the record its `seq`, and makes it wait behind its order key if need be."""

    task: Task
    idempotency_key: str | None = None
    fingerprint: bytes = b""
    """Of the body, to tell a repeat from another body under the same key."""
    bound: frozenset[str] | None = None
    """The groups that its sender knows of; None: all. A task of another group never stands for it, is never replaced by it,
    is no task that it can come after, and is not named to it."""


@record
class Receipt:
    """The answer for one entry: the task that now stands for it, or why there is none."""

    task_id: bytes
    duplicate: bool = False
    """The task was there before: the same id, the same idempotency key, or the holder of the unique key."""
    refusal: RotaError | None = None
    warning: str = ""
    """Accepted, with a hint for people: `no_worker_for_method`. Drivers leave it empty."""
    replaced: Task | None = None
    """The task that this one replaced (it ended as cancelled), as it stands now."""
    unblocked: tuple[Task, ...] = ()
    """What moved on because of that, as in `Applied`; tasks of the same batch are not among them: their records say how they
    stand after the batch."""


@dataclass(slots=True)
class Applied:
    """The answer to a batch of Changes."""

    accepted: set[int] = field(default_factory=set)
    """The `seq` of each row whose guard held."""
    unblocked: list[Task] = field(default_factory=list)
    """Tasks that moved on because a task before them ended, as they stand after the batch: ready, scheduled, waiting for
    something else by now, or failed because a parent did."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which tasks to list. None: any. Newest first."""

    states: tuple[State, ...] = ()
    method: str | None = None
    group: str | None = None
    worker: int | None = None
    created_after: int | None = None
    created_before: int | None = None
    label: tuple[str, str] | None = None
    """A label's name and its value; an empty value: any."""
    batch: str | None = None
    text: str | None = None
    """Literally in the method's name, the group, the unique, order or concurrency key, or at the beginning of the id as text;
    ASCII letters in either case."""


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """How the tasks of a batch stand. Tasks that retention has removed are not counted."""

    name: str
    states: Mapping[State, int]
    created_at: int
    """Of its first task."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which lines of the audit log. None: any. Newest first."""

    who: str | None = None
    action: str | None = None
    """`token.create`, or a noun alone: `token`."""
    since: int | None = None
    """At or after this instant."""
    until: int | None = None
    """Before this instant."""


GroupCounts = dict[str, dict[str, dict[State, int]]]
"""Unended tasks by group, method and state; the empty name: the tasks without a group."""
ALL = 2**62


class Store(Protocol):
    """See the module's text for what holds of every verb."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def unended(self) -> int:
        """How many tasks have not ended. Kept as tasks come and go; it costs nothing to ask."""
        ...

    @property
    def trouble(self) -> str:
        """Why the last write failed (`store_full`, `store_unavailable` …); empty while writes go well."""
        ...

    @property
    def commit_seconds(self) -> Histogram | None:
        """How long commits took since the store was opened; None where there are none to speak of."""
        ...

    async def open(self) -> None:
        """Raises RefusesToStart where another process holds the store, or its schema is newer than this program."""
        ...

    async def close(self) -> None:
        """Finishes what was asked and lets go. May be called twice, or before `open`."""
        ...

    def now(self) -> int:
        """Microseconds since the epoch by the store's clock; it never goes back while the store is open."""
        ...

    # --- writes

    async def submit(self, entries: Sequence[Entry], *, atomic: bool = False) -> list[Receipt]:
        """Accepts tasks; one receipt each, in order. A record may come already leased (state running, attempt 1).

        A duplicate is not stored, and its receipt names the task that was there. The same id with another method or params,
        or the same idempotency key with another fingerprint, is refused (`id_reused`, `idempotency_key_reused`).
        A task with an order key held by an unended earlier task is stored as waiting; `entry.task` then says so. So is one
        that comes after tasks (`spec.after`) of which one has not ended; one whose parent has ended without success is
        stored as failed (`parent_failed`) unless it runs anyway; an unknown parent refuses it (`parent_not_found`). A unique
        key that is held: the mode of the new task decides, see UNIQUE_MODES. What is replaced ends once the whole batch is
        stored, so a task of the batch that comes after it fails with it. One that is stored as failed takes no keys and
        replaces nothing. With `atomic` one refusal refuses all (each
        other receipt carries `batch_refused`).
        """
        ...

    async def apply(self, changes: Sequence[Change], *, patient: bool = False) -> Applied:
        """Applies each change whose guard holds. A batch has at most one change a row. A `patient` one may be held back
        for a few milliseconds, so that it shares a commit with others.

        In the same transaction: past attempts are kept; a change that ends a task frees its keys, the next waiting task
        of its order key is unblocked, and so are the tasks that came after it and wait for nothing else, or they fail
        with it, and those after them; one that revives an ended task takes its unique key again, and is not
        accepted where another task holds it.
        """
        ...

    async def enlist(self, facts: Facts, methods: Sequence[Method], declares: bool = True) -> int:
        """Registers a worker, or registers it anew; answers its number, the same for the same `facts.id`. With `declares`
        its methods are kept as the house's, too (`methods`)."""
        ...

    async def retire(self, number: int, reason: str) -> None:
        """Notes that a worker is gone."""
        ...

    async def append_logs(self, lines: Sequence[tuple[int, LogLine]]) -> None:
        """Keeps lines by the `seq` of their task. Best effort: lines of a task that is gone are dropped."""
        ...

    async def set_progress(self, marks: Sequence[tuple[int, Progress]]) -> None:
        """Keeps the latest mark a task, by its `seq`."""
        ...

    async def note_late(self, seq: int, attempt: int, note: str) -> None:
        """Notes a result that came after the attempt had lost its lease, beside the record of that attempt."""
        ...

    async def remove(self, ids: Sequence[bytes]) -> dict[bytes, State]:
        """Removes ended tasks with all that hangs on them. By id: the state that a task was in. One that has not ended
        stays. Ids that are not in the answer stand for no task."""
        ...

    async def set_control(self, control: Control) -> None:
        """Keeps what is set for a scope in the place of what was; one that sets nothing is removed."""
        ...

    async def add_token(self, token: TokenRecord) -> None:
        """Raises Conflict (`name_taken`) where an unrevoked token has the name."""
        ...

    async def revoke_token(self, kid: str, at: int) -> TokenRecord | None:
        """The token as it stands now; None where there is none. `at` may be in the future: until then the token holds, and
        its name is free from now on. Revoked again: the earlier instant stays."""
        ...

    async def touch_tokens(self, used: Mapping[str, int]) -> None:
        """Notes when tokens were last used, by kid."""
        ...

    async def audit(self, lines: Sequence[AuditRecord]) -> None:
        """Adds lines; each gets its number."""
        ...

    async def add_points(self, points: Sequence[Point], forget_before: int) -> None:
        """Keeps points of the series, and forgets those before an instant."""
        ...

    async def purge(self, limit: int, keep_ended: int | None = None, keep_audit: int | None = None) -> int:
        """Removes up to `limit` ended tasks past their time, and, oldest first, succeeded ones beyond `keep_ended`.

        Their attempts, logs and progress go with them. Also expired idempotency keys, workers gone for a day, and the
        oldest lines of the audit log beyond `keep_audit`.
        Answers how many tasks went: fewer than `limit` means that no more were due.
        """
        ...

    # --- reads

    async def get(self, ids: Sequence[bytes]) -> dict[bytes, Task]:
        """The records of the ids that are known."""
        ...

    async def states(self, ids: Sequence[bytes]) -> dict[bytes, State]:
        """The states of the ids that are known: a look that costs less than `get`."""
        ...

    async def line(self, lane: Lane, after: tuple[int, int] | None, limit: int, max_bytes: int) -> list[Task]:
        """Ready tasks of a lane in order of (line, seq), from after a place; up to `limit`, and about `max_bytes` of params.

        At least one if there is any. Fewer than `limit` with less than `max_bytes` means that no more are there.
        """
        ...

    async def ready_lanes(self) -> list[Lane]:
        """The lanes that have ready tasks."""
        ...

    async def due(self, state: State, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        """Scheduled or running tasks whose `due_at` is at or before an instant, by (due_at, seq), from after a place."""
        ...

    async def expiring(self, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        """Waiting, scheduled and ready tasks whose `expire_at` is at or before an instant, by (expire_at, seq)."""
        ...

    async def next_due(self) -> int | None:
        """The earliest of all scheduled, lease and expiry instants, so that the caretaker can sleep until then."""
        ...

    async def find(self, query: Query, before_seq: int | None, limit: int) -> list[Task]:
        """Tasks, newest first by `seq`, from before a place."""
        ...

    async def attempts(self, seq: int) -> list[AttemptRecord]:
        """The past attempts of a task, oldest first; the current one is in the record itself."""
        ...

    async def logs(self, seq: int, after: int, limit: int) -> list[LogLine]:
        """Lines of a task by number, from after a number (0: from the first)."""
        ...

    async def progress(self, seqs: Sequence[int]) -> dict[int, Progress]: ...

    async def counts(self) -> Mapping[State, int]:
        """How many tasks are in each state."""
        ...

    async def workers(self, numbers: Sequence[int] | None = None) -> list[WorkerRecord]:
        """Workers, gone ones of the last day too. Load and counts are the engine's to add."""
        ...

    async def methods(self) -> list[Method]:
        """Every method that a worker has offered, in each version, as last declared."""
        ...

    async def group_counts(
        self, after: str | None = None, limit: int = ALL, names: Collection[str] | None = None
    ) -> GroupCounts:
        """Of up to `limit` groups that have unended tasks, by name, from after a name (None: from the first). `names`: of
        these groups, however many, and no others. For views, not for hot paths."""
        ...

    async def place(self, lane: Lane, line: int, seq: int) -> int:
        """How many ready tasks of the lane stand before this place."""
        ...

    async def parents(self, seq: int) -> list[tuple[bytes, State]]:
        """The tasks that a waiting task still waits for, up to 100."""
        ...

    async def children(self, task_id: bytes, limit: int) -> list[bytes]:
        """Ids of tasks that wait for this one."""
        ...

    async def key_holders(self, order_key: str) -> list[bytes]:
        """The id of the unended task that holds an order key, then those behind it, up to 100."""
        ...

    async def batch(self, name: str) -> BatchCounts | None:
        """How a batch stands; None where no task of it is there."""
        ...

    async def controls(self) -> list[Control]: ...

    async def tokens(self) -> list[TokenRecord]:
        """Every token, revoked ones too, oldest first."""
        ...

    async def audit_log(self, query: AuditQuery, before: int | None, limit: int) -> list[AuditRecord]:
        """Lines, newest first, from before a number."""
        ...

    async def points(self, since: int) -> list[Point]:
        """Points of the series from an instant on, oldest first."""
        ...
