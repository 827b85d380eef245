"""What a client is told: tasks, outcomes, workers, methods, figures. Plain values; instants are datetimes in UTC,
durations seconds, and what is not there is None."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rota.client.payload import decode
from rota.model.errors import NotFound, RotaError, TaskCancelled, TaskExpired, TaskFailed, TaskTimedOut
from rota.model.record import record

ENDED_STATES = frozenset({"succeeded", "failed", "cancelled", "expired"})


@record
class Receipt:
    """The answer to one submitted task."""

    id: str
    """The task that now stands for it."""
    duplicate: bool = False
    """It was there before: the same idempotency key, or the holder of the unique key."""
    warning: str = ""
    """`no_worker_for_method`: accepted, but no worker has offered the method so far."""
    refusal: RotaError | None = None
    """Why it was not accepted; then `id` names no task."""


@dataclass(frozen=True, slots=True)
class ErrorView:
    """An exception of a handler. `types`: qualified class names, the raised class first, then its bases."""

    types: tuple[str, ...]
    message: str
    traceback: str

    @property
    def type(self) -> str:
        return self.types[0] if self.types else ""


@record
class Outcome:
    """How a task ended."""

    id: str
    state: str
    """succeeded, failed, cancelled, expired; unknown where the node knows no such task."""
    reason: str
    attempt: int
    raw: bytes
    """The result, JSON."""
    error: ErrorView | None

    @property
    def ok(self) -> bool:
        return self.state == "succeeded"

    def value(self) -> Any:
        """The result. Raises TaskFailed, TaskTimedOut, TaskCancelled, TaskExpired, or NotFound."""
        if self.state == "succeeded":
            return decode(self.raw)
        raise self.failure()

    def failure(self) -> RotaError:
        """What `value` raises for a task that did not succeed."""
        error = self.error or ErrorView((), "", "")
        if self.state == "cancelled":
            return TaskCancelled(self.id, error.message or self.reason)
        if self.state == "expired":
            return TaskExpired(self.id)
        if self.state == "unknown":
            return NotFound.task(self.id)
        kind = TaskTimedOut if self.reason == "timed_out" else TaskFailed
        return kind(self.id, error.type, error.message, error.traceback, self.reason)


@dataclass(frozen=True, slots=True)
class AttemptView:
    """A past attempt."""

    attempt: int
    worker: str
    claimed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    error: ErrorView | None
    late: str
    """A note on a result that came after the attempt had lost its lease."""


@dataclass(frozen=True, slots=True)
class ProgressView:
    share: float
    """0 … 1."""
    note: str
    at: datetime | None
    attempt: int


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as the node knows it."""

    id: str
    method: str
    version: int
    """The pinned version; 0: the highest that a live worker offers."""
    group: str
    target: str
    state: str
    reason: str
    priority: int
    attempt: int
    failures: int
    rescues: int
    retries: int
    created_at: datetime | None
    due_at: datetime | None
    claimed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    expire_at: datetime | None
    worker: str
    raw_params: bytes
    raw_result: bytes
    error: ErrorView | None
    labels: dict[str, str] = field(default_factory=dict)
    unique_key: str = ""
    order_key: str = ""
    timeout: float | None = None
    attempts: tuple[AttemptView, ...] = ()
    progress: ProgressView | None = None
    after: tuple[str, ...] = ()
    """Ids of the tasks that had to end before."""
    on_parent_failure: str = ""
    """`fail` or `run`, for a task that comes after others."""
    batch: str = ""
    concurrency_key: str = ""
    concurrency_limit: int = 0
    unique_mode: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED_STATES

    @property
    def params(self) -> Any:
        return decode(self.raw_params)

    @property
    def result(self) -> Any:
        """The result of a task that succeeded, else None."""
        return decode(self.raw_result)


@dataclass(frozen=True, slots=True)
class LogView:
    """One line of a task's log. `level` is the number of Python's logging."""

    number: int
    attempt: int
    at: datetime | None
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class CallView:
    """What became of a cancel, a retry or a delete."""

    id: str
    state: str
    """The task's state after the call."""
    pending: bool = False
    """A running task is being stopped, and ends when its worker says so."""
    refusal: RotaError | None = None


def accepted(view: CallView) -> CallView:
    """The view itself. Raises the refusal."""
    if view.refusal is not None:
        raise view.refusal
    return view


@dataclass(frozen=True, slots=True)
class LoadView:
    """Shares are 0 … 1, rates bytes a second."""

    cpu: float
    memory_bytes: int
    network_in: float
    network_out: float
    disk_used_bytes: int
    disk_total_bytes: int


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as the node lists it."""

    id: str
    name: str
    application: str
    host: str
    ip: str
    pid: int
    os: str
    language: str
    sdk: str
    cpu_count: int
    memory_bytes: int
    weight: int
    labels: dict[str, str]
    groups: tuple[str, ...]
    slots: int
    online: bool
    draining: bool
    registered_at: datetime | None
    seen_at: datetime | None
    gone_at: datetime | None
    gone_reason: str
    load: LoadView
    in_hand: int
    running: int
    finished: int
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MethodView:
    """A method as last declared by a worker."""

    name: str
    version: int
    docs: tuple[str, ...]
    params_schema: Any
    workers: int
    """How many live workers offer it."""
    defaults: dict[str, Any]
    """Durations in seconds, as they would be said."""


@dataclass(frozen=True, slots=True)
class StatsView:
    """A node's figures. `submitted` … `rescued` count since it started; rates are tasks a second."""

    node_id: str
    node_version: str
    mode: str
    store: str
    durability: str
    started_at: datetime | None
    now: datetime | None
    tasks: dict[str, int]
    """How many tasks are in each state."""
    workers: int
    clients: int
    submitted: int
    finished: int
    failed: int
    rescued: int
    pid: int
    memory_bytes: int
    submit_rate: float
    finish_rate: float
    data_dir: str
