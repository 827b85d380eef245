"""Every legal transition of a task, as a pure function: (record, event, now) → Change.

Time and chance are arguments. A transition that the record's state does not allow raises `Conflict`; whether the row in
the store still looks like the record is the Change's guard, decided by the driver. The chart is in docs/lifecycle.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from rota.model.change import Claim, Finish, Move, Renew, Start
from rota.model.errors import Conflict
from rota.model.failure import Failure
from rota.model.retry import SECOND
from rota.model.task import AttemptRecord, Reason, Spec, State, Task, line_of

MAX_RESCUES = 3
"""The third worker lost while it ran a task ends the task as poisoned."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended tasks are kept, in microseconds, where the task itself does not say."""

    succeeded: int = 24 * 3600 * SECOND
    otherwise: int = 30 * 24 * 3600 * SECOND

    def until(self, now: int, state: State, spec: Spec) -> int:
        if spec.result_ttl is not None:
            return now + spec.result_ttl
        return now + (self.succeeded if state is State.SUCCEEDED else self.otherwise)


def accept(task_id: bytes, spec: Spec, now: int, run_at: int | None = None, expire_at: int | None = None) -> Task:
    """A new record: ready at once, or scheduled where `run_at` is ahead."""
    if run_at is not None and run_at > now:
        return Task(
            task_id,
            spec,
            State.SCHEDULED,
            Reason.DELAYED,
            line_of(run_at, spec.priority),
            due_at=run_at,
            expire_at=expire_at,
        )
    return Task(task_id, spec, State.READY, Reason.SUBMITTED, line_of(now, spec.priority), expire_at=expire_at)


def order(task: Task) -> None:
    """Puts a new record behind the earlier tasks of its order key. For drivers, inside the accepting transaction.

    A record that came already leased loses the lease, which nobody has heard of yet.
    """
    _hold_back(task, Reason.ORDERED)


def wait_for_parents(task: Task) -> None:
    """Lets a new record wait for the tasks that it comes after. As `order` otherwise."""
    _hold_back(task, Reason.PARENTS)


def _hold_back(task: Task, reason: Reason) -> None:
    if task.state is State.RUNNING:
        task.attempt, task.worker, task.claimed_at, task.due_at = 0, None, None, None
    task.state, task.reason = State.WAITING, reason


def claim(task: Task, worker: int, now: int, ttl: int) -> Claim:
    """ready → running, leased to `worker` for `ttl`."""
    return Claim(task.seq, task.attempt, worker, now, now + ttl)


def start(task: Task, now: int) -> Start:
    """The holder has begun."""
    return Start(task.seq, task.attempt, _holder(task), now)


def renew(task: Task, now: int, ttl: int) -> Renew:
    """The lease holds until `now + ttl`: later for a heartbeat, sooner when the link closed."""
    return Renew(task.seq, task.attempt, _holder(task), now + ttl)


def succeed(task: Task, result: bytes, started_at: int | None, now: int, keep: Retention) -> Finish:
    """running → succeeded."""
    return _finish(task, State.SUCCEEDED, Reason.RETURNED, task.failures, started_at, now, keep, result)


def fail(
    task: Task,
    failure: Failure,
    reason: Reason,
    started_at: int | None,
    now: int,
    keep: Retention,
    chance: Callable[[], float],
    retry_after: int | None = None,
) -> Finish | Move:
    """running → scheduled for another try, or failed where none is left or allowed.

    `reason` is RAISED, TIMED_OUT, RETRY_ASKED (then `retry_after`, if given, is the wait), or one that is final whatever
    the budget says: INVALID_PARAMS, RESULT_TOO_LARGE. A task whose cancel was asked for ends as cancelled.
    """
    _holder(task)
    failures = task.failures + 1
    packed = failure.pack()
    if task.reason is Reason.CANCEL_ASKED:
        return _finish(task, State.CANCELLED, Reason.CANCELLED_BY_CALLER, failures, started_at, now, keep, packed)
    if reason in _FINAL or not _tried_again(task, failures, failure, reason):
        return _finish(task, State.FAILED, reason, failures, started_at, now, keep, packed)
    wait = retry_after if retry_after is not None else task.spec.retry.wait(failures, chance)
    due_at = now + wait
    again = Reason.RETRY_ASKED if reason is Reason.RETRY_ASKED else Reason.RETRY
    return _move(
        task,
        State.SCHEDULED,
        again,
        line=line_of(due_at, task.spec.priority),
        failures=failures,
        due_at=due_at,
        past=_past(task, started_at, now, reason, packed),
    )


_FINAL = (Reason.INVALID_PARAMS, Reason.RESULT_TOO_LARGE)


def _tried_again(task: Task, failures: int, failure: Failure, reason: Reason) -> bool:
    if reason is Reason.RETRY_ASKED:
        return failures <= task.spec.retry.retries
    return task.spec.retry.allows(failures, failure.types)


def stop(task: Task, reason: Reason, note: str, started_at: int | None, now: int, keep: Retention) -> Finish:
    """running → cancelled, as the worker reports it (by the caller's wish or the handler's own)."""
    outcome = Failure(message=note).pack() if note else task.outcome
    return _finish(task, State.CANCELLED, reason, task.failures, started_at, now, keep, outcome)


def cancel(task: Task, note: str, now: int, keep: Retention) -> Move | None:
    """unended → cancelled, at once where no worker has it; else the wish is written. None: it is written already.

    Raises Conflict (`already_finished`) for an ended task.
    """
    if task.state.ended:
        raise Conflict(f"the task has already {task.state.name.lower()}", code="already_finished")
    outcome = Failure(message=note).pack() if note else None
    if task.state is State.RUNNING:
        if task.reason is Reason.CANCEL_ASKED:
            return None
        return _move(
            task,
            State.RUNNING,
            Reason.CANCEL_ASKED,
            due_at=task.due_at,
            worker=task.worker,
            claimed_at=task.claimed_at,
            started_at=task.started_at,
            outcome=outcome,
        )
    return _end(task, State.CANCELLED, Reason.CANCELLED_BY_CALLER, now, keep, outcome)


def release(task: Task, now: int, reason: Reason, keep: Retention) -> Move:
    """running → ready, given back by its holder. It spends nothing and keeps its place in the line."""
    _holder(task)
    if task.reason is Reason.CANCEL_ASKED:
        return _end(task, State.CANCELLED, Reason.CANCELLED_BY_CALLER, now, keep, task.outcome)
    past = _past(task, task.started_at, now, reason, None) if task.started_at is not None else None
    return _move(task, State.READY, reason, past=past)


def rescue(task: Task, now: int, keep: Retention) -> Move:
    """running → ready after its lease lapsed; failed(poisoned) the third time; cancelled where that was asked for.

    Only a started attempt counts: an un-started one just goes back.
    """
    _holder(task)
    if task.reason is Reason.CANCEL_ASKED:
        return _end(task, State.CANCELLED, Reason.CANCELLED_BY_CALLER, now, keep, task.outcome, lapsed=True)
    if task.started_at is None:
        return _move(task, State.READY, Reason.GIVEN_BACK, lapsed=True)
    rescues = task.rescues + 1
    if rescues >= MAX_RESCUES:
        words = f"{rescues} workers were lost while they ran this task; it is not given to another"
        poisoned = Failure(("WorkerLost",), words).pack()
        return _end(task, State.FAILED, Reason.POISONED, now, keep, poisoned, rescues=rescues, lapsed=True)
    past = _past(task, task.started_at, now, Reason.LEASE_LOST, None)
    return _move(task, State.READY, Reason.LEASE_LOST, rescues=rescues, past=past, lapsed=True)


def crash(task: Task, failure: Failure, started_at: int | None, now: int, keep: Retention) -> Move:
    """running → ready after the process of its handler died, as its worker reports it; failed(poisoned) the third time.

    It counts as a rescue and spends nothing of the retry budget. A task whose cancel was asked for ends as cancelled.
    """
    _holder(task)
    if task.reason is Reason.CANCEL_ASKED:
        return _end(task, State.CANCELLED, Reason.CANCELLED_BY_CALLER, now, keep, task.outcome)
    rescues = task.rescues + 1
    if rescues >= MAX_RESCUES:
        words = f"{rescues} processes or workers were lost while they ran this task; the last: {failure.message}"
        poisoned = Failure(failure.types, words).pack()
        return _end(task, State.FAILED, Reason.POISONED, now, keep, poisoned, rescues=rescues, started_at=started_at)
    past = _past(task, started_at, now, Reason.CRASHED, failure.pack())
    return _move(task, State.READY, Reason.CRASHED, rescues=rescues, past=past)


def promote(task: Task, now: int) -> Move:
    """scheduled → ready, its time has come."""
    return _move(task, State.READY, Reason.DUE, lapsed=True)


def unblock(task: Task, now: int, *, behind: bool = False) -> Move:
    """waiting → ready, or scheduled where its `run_at` is still ahead. One whose parents have all ended, and that is still
    `behind` another of its order key, goes on waiting for that one alone."""
    if behind:
        return _move(task, State.WAITING, Reason.ORDERED, due_at=task.due_at)
    if task.due_at is not None and task.due_at > now:
        return _move(task, State.SCHEDULED, Reason.DELAYED, due_at=task.due_at)
    return _move(task, State.READY, Reason.UNBLOCKED)


def fail_with_parent(task: Task, parent: bytes, ended: State, now: int, keep: Retention) -> Move:
    """waiting → failed, because a task that it came after (its id, and how it `ended`) did not succeed."""
    words = f"it came after the task {UUID(bytes=parent)}, which {_PARENT_ENDED[ended]}"
    return _end(task, State.FAILED, Reason.PARENT_FAILED, now, keep, Failure(("ParentFailed",), words).pack())


_PARENT_ENDED = {State.FAILED: "failed", State.CANCELLED: "was cancelled", State.EXPIRED: "expired"}


def replace(task: Task, by: bytes, now: int, keep: Retention) -> Move:
    """waiting, scheduled or ready → cancelled: the task `by` (an id) has taken its unique key."""
    words = f"the task {UUID(bytes=by)} took its unique key {task.spec.unique_key!r}"
    return _end(task, State.CANCELLED, Reason.REPLACED, now, keep, Failure(message=words).pack())


def expire(task: Task, now: int, keep: Retention) -> Move:
    """waiting, scheduled or ready → expired."""
    return _end(task, State.EXPIRED, Reason.EXPIRED_UNSTARTED, now, keep, None, expired=True)


def run_again(task: Task, now: int) -> Move:
    """ended → ready, with fresh budgets and no expiry. The attempt goes on counting. Raises Conflict (`not_finished`)."""
    if not task.state.ended:
        raise Conflict(
            f"the task is {task.state.name.lower()}: only an ended task can be run again", code="not_finished"
        )
    return Move(
        task.seq,
        task.state,
        task.attempt,
        task.worker,
        State.READY,
        Reason.RUN_AGAIN,
        line_of(now, task.spec.priority),
        failures=0,
        rescues=0,
        due_at=None,
        worker=None,
        claimed_at=None,
        started_at=None,
        ended_at=None,
        outcome=None,
        past=_past(task, task.started_at, task.ended_at or now, task.reason, task.outcome) if task.attempt else None,
        unique_key=task.spec.unique_key,
        order_key=task.spec.order_key,
        group=task.spec.lane.group,
    )


def _holder(task: Task) -> int:
    if task.state is not State.RUNNING or task.worker is None:
        raise Conflict(f"no worker holds the task: it is {task.state.name.lower()}", code="stale_attempt")
    return task.worker


def _finish(
    task: Task,
    state: State,
    reason: Reason,
    failures: int,
    started_at: int | None,
    now: int,
    keep: Retention,
    outcome: bytes | None,
) -> Finish:
    spec = task.spec
    return Finish(
        task.seq,
        task.attempt,
        _holder(task),
        state,
        reason,
        failures,
        keep.until(now, state, spec),
        started_at if started_at is not None else task.started_at,
        now,
        outcome,
        spec.unique_key,
        spec.order_key,
        spec.lane.group,
    )


def _move(
    task: Task,
    state: State,
    reason: Reason,
    *,
    line: int | None = None,
    failures: int | None = None,
    rescues: int | None = None,
    due_at: int | None = None,
    worker: int | None = None,
    claimed_at: int | None = None,
    started_at: int | None = None,
    ended_at: int | None = None,
    outcome: bytes | None = None,
    past: AttemptRecord | None = None,
    lapsed: bool = False,
    expired: bool = False,
) -> Move:
    ends = state.ended
    return Move(
        task.seq,
        task.state,
        task.attempt,
        task.worker,
        state,
        reason,
        task.line if line is None else line,
        task.failures if failures is None else failures,
        task.rescues if rescues is None else rescues,
        due_at,
        worker,
        claimed_at,
        started_at,
        ended_at,
        outcome,
        past,
        lapsed,
        expired,
        task.spec.unique_key if ends else None,
        task.spec.order_key if ends else None,
        task.expire_at,
        task.spec.lane.group,
    )


def _end(
    task: Task,
    state: State,
    reason: Reason,
    now: int,
    keep: Retention,
    outcome: bytes | None,
    *,
    rescues: int | None = None,
    started_at: int | None = None,
    lapsed: bool = False,
    expired: bool = False,
) -> Move:
    return _move(
        task,
        state,
        reason,
        rescues=rescues,
        due_at=keep.until(now, state, task.spec),
        worker=task.worker,
        claimed_at=task.claimed_at,
        started_at=started_at if started_at is not None else task.started_at,
        ended_at=now,
        outcome=outcome,
        lapsed=lapsed,
        expired=expired,
    )


def _past(task: Task, started_at: int | None, now: int, reason: Reason, outcome: bytes | None) -> AttemptRecord:
    began = started_at if started_at is not None else task.started_at
    return AttemptRecord(task.seq, task.attempt, task.worker, task.claimed_at, began, now, reason, outcome)
