"""The task: one piece of work with one outcome, and the words its life is told in.

A `Task` is the record that the store keeps and the engine holds a window of. It is changed only by applying a `Change`
(`change.py`), and Changes are made only by the transitions in `lifecycle.py`. Instants are microseconds since
1970-01-01 UTC, durations are microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from rota.model.record import record
from rota.model.retry import NO_RETRY, RetryPolicy

PRIORITY_STEP = 60_000_000
"""One step of priority is worth this many microseconds of waiting: a waiting task ages past a newer, higher one."""
LOWEST_PRIORITY, HIGHEST_PRIORITY = -9, 9


class State(IntEnum):
    """Where a task is. Each says who moves it on."""

    WAITING = 1
    """For another task; its finish moves it on."""
    SCHEDULED = 2
    """For its time (`run_at`, or the wait before a retry); the caretaker moves it on."""
    READY = 3
    """In its lane; dispatch gives it to a worker."""
    RUNNING = 4
    """Leased to a worker, whose report, or the lease's lapse, moves it on."""
    SUCCEEDED = 5
    FAILED = 6
    """Kept, and can be run again by hand."""
    CANCELLED = 7
    EXPIRED = 8
    """Its time to start ran out."""

    @property
    def ended(self) -> bool:
        return self >= State.SUCCEEDED


ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED)


class Reason(IntEnum):
    """Why a task is in its state."""

    SUBMITTED = 1
    DELAYED = 2
    """Its `run_at` is ahead."""
    ORDERED = 3
    """An earlier task of the same order key has not ended."""
    DUE = 4
    """Its time came."""
    UNBLOCKED = 5
    """The task it waited for ended."""
    LEASED = 6
    CANCEL_ASKED = 7
    """Running; the wish to cancel is written and the worker is told."""
    RETURNED = 8
    """The handler returned."""
    RAISED = 9
    """The handler raised, and no try is left or allowed."""
    RETRY = 10
    """The handler raised; the next try waits for its time."""
    RETRY_ASKED = 11
    """The handler asked for another try itself."""
    TIMED_OUT = 12
    LEASE_LOST = 13
    """The worker was lost after it had started the task."""
    GIVEN_BACK = 14
    """The worker was lost before it had said that it started the task."""
    POISONED = 15
    """Three workers were lost while they ran it."""
    CANCELLED_BY_CALLER = 16
    CANCELLED_BY_HANDLER = 17
    EXPIRED_UNSTARTED = 18
    RUN_AGAIN = 19
    """Somebody asked for an ended task to be run again."""
    INVALID_PARAMS = 20
    """The handler cannot take these params; trying again would not help."""
    RESULT_TOO_LARGE = 21
    ABANDONED = 22
    """The handler could not be stopped; its outcome was written without it."""
    DRAINED = 23
    """The worker stops in an orderly way and gave the task back."""
    RECALLED = 24
    """Called back before it started, for a worker with a free slot."""
    CRASHED = 25
    """The process that ran the handler died; its worker lives and told of it."""
    PARENTS = 26
    """It waits for tasks that it was submitted to come after."""
    PARENT_FAILED = 27
    """One of the tasks it waited for did not succeed."""
    REPLACED = 28
    """A newer task took its unique key before it had started."""


class Lane(NamedTuple):
    """One line of tasks that the same workers can run."""

    method: str
    group: str | None = None
    version: int | None = None
    """A pinned version, or none: the highest that a live worker offers."""
    target: str | None = None
    """A worker's id the task is bound to, or none."""
    key: str | None = None
    """A concurrency key, or none: tasks that may have to wait for each other stand in a lane of their own."""


@record
class Spec:
    """What was asked for. It never changes once the task is accepted."""

    lane: Lane
    params: bytes = b"null"
    """JSON, opaque to the node."""
    priority: int = 0
    retry: RetryPolicy = NO_RETRY
    timeout: int | None = None
    """The run timeout of one try."""
    result_ttl: int | None = None
    """How long the ended task is kept; none means the node's default for its state."""
    unique_key: str | None = None
    """At most one unended task may hold it."""
    order_key: str | None = None
    """Tasks of one key run one at a time, in the order they were accepted."""
    created_at: int = 0
    fire_at: int | None = None
    """The instant of the schedule that made the task."""
    labels: tuple[tuple[str, str], ...] = ()
    unique_mode: str = "return"
    concurrency_limit: int = 1
    """How many tasks with the lane's key may run at once, as far as this one is concerned."""
    after: tuple[bytes, ...] = ()
    """The tasks that must have ended before this one starts."""
    run_anyway: bool = False
    """It runs even where one of them did not succeed."""
    batch: str | None = None
    trace: str = ""
    """A W3C traceparent of who submitted it."""


@dataclass(slots=True)
class Task:
    """The record of a task, with its current attempt."""

    id: bytes
    """16 bytes, a UUIDv7 made by the submitter; it is also the submit's idempotency key."""
    spec: Spec
    state: State
    reason: Reason
    line: int
    """The place in the lane: the instant it became ready, less its priority times a minute. Smaller is sooner."""
    seq: int = 0
    """The store's own ordinal, given when the task is accepted; it breaks ties in the line."""
    attempt: int = 0
    """Raised at every lease, never reused: the fence."""
    failures: int = 0
    """Spent of the retry budget."""
    rescues: int = 0
    """Leases lost after the start."""
    due_at: int | None = None
    """Scheduled: when it becomes ready. Running: when the lease lapses. Ended: when it may be removed."""
    expire_at: int | None = None
    """If it has not started by then it expires."""
    worker: int | None = None
    """The worker (the store's number for it) that holds, or held, the current attempt."""
    claimed_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    outcome: bytes | None = None
    """Succeeded: the result, JSON. Failed or cancelled: the error, as `Failure.pack` writes it."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One past attempt, moved out of the task's row by a retry or a rescue."""

    seq: int
    attempt: int
    worker: int | None
    claimed_at: int | None
    started_at: int | None
    ended_at: int
    reason: Reason
    outcome: bytes | None = None
    late: str | None = None
    """A note on a result that came after the attempt had lost its lease."""


def line_of(ready_at: int, priority: int) -> int:
    """The place in a lane. Constant while the task waits, so ageing needs no rescoring."""
    return ready_at - priority * PRIORITY_STEP
