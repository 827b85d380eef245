"""Tasks as JSON shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from rota.engine.engine import Details
from rota.model.failure import Failure
from rota.model.sealed import hidden
from rota.model.task import AttemptRecord, State, Task
from rota.model.text import instant_text, task_id_text
from rota.transport.http.values import Id, Instant, instant_or_none, seconds_or_none
from rota.wire.codec import REASONS, STATES

NULL = Raw(b"null")
StateWord = Literal["waiting", "scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired"]
_SHORT = 200
_HISTORY_BYTES = 1024 * 1024
"""Of errors in past attempts: older ones are cut short."""


class Error(Struct, frozen=True):
    """Why a try, or a task, did not go well: what the handler raised, or what became of it."""

    type: Annotated[str, Meta(description="The qualified name of the exception's class; empty where none was raised.")]
    message: str
    types: Annotated[list[str], Meta(description="The class and its bases.")] = []
    traceback: str = ""


class Progress(Struct, frozen=True):
    """How far the handler says it has come."""

    share: Annotated[float, Meta(ge=0, le=1)]
    note: str
    at: Instant
    attempt: int


class Attempt(Struct, frozen=True):
    """A past try."""

    attempt: int
    reason: str
    worker: str | None
    claimed_at: Instant | None
    started_at: Instant | None
    ended_at: Instant
    error: Error | None
    late: Annotated[str | None, Meta(description="A result came when the try had lost its lease already.")]


class TaskBrief(Struct, frozen=True):
    """A task in a list: without params, result, traceback and past tries."""

    id: Id
    method: str
    version: int | None
    group: str | None
    target: str | None
    state: StateWord
    reason: Annotated[str, Meta(description="Why it is in this state.")]
    priority: int
    attempt: Annotated[int, Meta(description="How many tries were begun.")]
    failures: int
    rescues: Annotated[int, Meta(description="How often a worker was lost that ran it.")]
    retries: int
    created_at: Instant
    due_at: Annotated[
        Instant | None,
        Meta(
            description="Scheduled: when it becomes ready. Running: when its lease lapses. Ended: when it may be removed."
        ),
    ]
    claimed_at: Instant | None
    started_at: Instant | None
    ended_at: Instant | None
    expire_at: Instant | None
    worker: Annotated[str | None, Meta(description="The id of the worker that holds, or held, it.")]
    batch: str | None
    labels: dict[str, str]
    error: Error | None


class TaskView(TaskBrief, frozen=True):
    """A task with all that is known of it."""

    params: Annotated[Raw, Meta(description="Any JSON value.")]
    result: Annotated[Raw, Meta(description="What the handler returned; null unless it succeeded.")]
    timeout: float | None
    result_ttl: float | None
    unique_key: str | None
    order_key: str | None
    concurrency_key: str | None
    concurrency_limit: int | None
    after: list[Id]
    attempts: Annotated[list[Attempt], Meta(description="Past tries, oldest first.")]
    progress: Progress | None


class TaskPage(Struct, frozen=True):
    """Tasks, newest first."""

    tasks: list[TaskBrief]
    cursor: Annotated[str | None, Meta(description="Ask again with it for the next page; null: there is none.")]


class Outcome(Struct, frozen=True):
    """How a task ended."""

    id: Id
    state: StateWord
    reason: str
    attempt: int
    result: Annotated[Raw, Meta(description="What the handler returned; null unless it succeeded.")]
    error: Error | None
    duplicate: Annotated[bool, Meta(description="The task was there before this request.")] = False


def brief(task: Task, worker: str | None) -> TaskBrief:
    return TaskBrief(**_brief_fields(task, worker, error_of(task, whole=False)))


def whole(task: Task, details: Details, names: Mapping[int, str]) -> TaskView:
    """`names`: the ids of workers by number."""
    spec = task.spec
    progress = details.progress
    return TaskView(
        **_brief_fields(task, names.get(task.worker or 0), error_of(task, whole=True)),
        params=Raw(hidden(spec.params)),
        result=_result(task),
        timeout=seconds_or_none(spec.timeout),
        result_ttl=seconds_or_none(spec.result_ttl),
        unique_key=spec.unique_key,
        order_key=spec.order_key,
        concurrency_key=spec.lane.key,
        concurrency_limit=spec.concurrency_limit if spec.lane.key is not None else None,
        after=[task_id_text(parent) for parent in spec.after],
        attempts=_attempts(details.attempts, names),
        progress=None
        if progress is None
        else Progress(progress.share, progress.note, instant_text(progress.at), progress.attempt),
    )


def outcome(task: Task, *, duplicate: bool = False) -> Outcome:
    """Of an ended task."""
    return Outcome(
        task_id_text(task.id),
        STATES[task.state],  # type: ignore[arg-type]
        REASONS[task.reason],
        task.attempt,
        _result(task),
        error_of(task, whole=True),
        duplicate,
    )


def error_of(task: Task, *, whole: bool) -> Error | None:
    """Of a task that ended, but not well, or that is being cancelled."""
    if not task.outcome or task.state is State.SUCCEEDED:
        return None
    return _error(task.outcome, whole=whole)


def _brief_fields(task: Task, worker: str | None, error: Error | None) -> dict[str, Any]:
    spec = task.spec
    lane = spec.lane
    return {
        "id": task_id_text(task.id),
        "method": lane.method,
        "version": lane.version,
        "group": lane.group,
        "target": lane.target,
        "state": STATES[task.state],
        "reason": REASONS[task.reason],
        "priority": spec.priority,
        "attempt": task.attempt,
        "failures": task.failures,
        "rescues": task.rescues,
        "retries": spec.retry.retries,
        "created_at": instant_text(spec.created_at),
        "due_at": instant_or_none(task.due_at),
        "claimed_at": instant_or_none(task.claimed_at),
        "started_at": instant_or_none(task.started_at),
        "ended_at": instant_or_none(task.ended_at),
        "expire_at": instant_or_none(task.expire_at),
        "worker": worker or None,
        "batch": spec.batch,
        "labels": dict(spec.labels),
        "error": error,
    }


def _result(task: Task) -> Raw:
    return Raw(hidden(task.outcome)) if task.outcome and task.state is State.SUCCEEDED else NULL


def _error(packed: bytes, *, whole: bool) -> Error:
    failure = Failure.unpack(packed)
    if not whole:
        return Error(failure.error_type, failure.message[:_SHORT])
    return Error(failure.error_type, failure.message, list(failure.types), failure.traceback)


def _attempts(records: Sequence[AttemptRecord], names: Mapping[int, str]) -> list[Attempt]:
    room = _HISTORY_BYTES
    shown: list[Attempt] = []
    for record in reversed(records):
        room -= len(record.outcome or b"")
        shown.append(
            Attempt(
                record.attempt,
                REASONS[record.reason],
                names.get(record.worker or 0) or None,
                instant_or_none(record.claimed_at),
                instant_or_none(record.started_at),
                instant_text(record.ended_at),
                _error(record.outcome, whole=room >= 0) if record.outcome else None,
                record.late,
            )
        )
    return shown[::-1]
