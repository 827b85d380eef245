"""A Change is one guarded write, decided beforehand by a transition and applied by a driver.

Each kind names the row it was made from (its `seq`), what must still be true of that row (its guard), and the columns it
touches. A driver applies a batch in one transaction and answers with the set of `seq` whose guard held. A guard compares
the attempt, which is never reused, so a change made from an older look at a row can never land on a newer attempt.

The in-memory driver applies a Change by `guard` and `onto`; they are the meaning, and the SQL drivers say the same in SQL.
"""

from __future__ import annotations

from rota.model.record import record
from rota.model.task import AttemptRecord, Reason, State, Task


@record
class Claim:
    """ready → running: raises the attempt and grants a lease."""

    seq: int
    attempt: int
    """The attempt of the row before the claim."""
    worker: int
    claimed_at: int
    due_at: int
    """When the lease lapses."""

    def guard(self, task: Task, now: int) -> bool:
        return task.state is State.READY and task.attempt == self.attempt

    def onto(self, task: Task) -> None:
        task.state, task.reason, task.attempt = State.RUNNING, Reason.LEASED, self.attempt + 1
        task.worker, task.claimed_at, task.due_at, task.started_at = self.worker, self.claimed_at, self.due_at, None


@record
class Start:
    """The worker has started the attempt: from now on its loss counts as a rescue."""

    seq: int
    attempt: int
    worker: int
    started_at: int

    def guard(self, task: Task, now: int) -> bool:
        return task.state is State.RUNNING and task.attempt == self.attempt and task.worker == self.worker

    def onto(self, task: Task) -> None:
        task.started_at = self.started_at


@record
class Renew:
    """A new deadline for a lease: later by a heartbeat, sooner when the link closed."""

    seq: int
    attempt: int
    worker: int
    due_at: int

    def guard(self, task: Task, now: int) -> bool:
        return task.state is State.RUNNING and task.attempt == self.attempt and task.worker == self.worker

    def onto(self, task: Task) -> None:
        task.due_at = self.due_at


@record
class Finish:
    """running → ended, by the holder of the attempt. Frees the task's keys in the same transaction."""

    seq: int
    attempt: int
    worker: int
    state: State
    reason: Reason
    failures: int
    due_at: int
    """When the row may be removed."""
    started_at: int | None
    ended_at: int
    outcome: bytes | None
    unique_key: str | None = None
    order_key: str | None = None
    group: str | None = None

    def guard(self, task: Task, now: int) -> bool:
        return task.state is State.RUNNING and task.attempt == self.attempt and task.worker == self.worker

    def onto(self, task: Task) -> None:
        task.state, task.reason, task.failures, task.due_at = self.state, self.reason, self.failures, self.due_at
        task.started_at, task.ended_at, task.outcome = self.started_at, self.ended_at, self.outcome


@record
class Move:
    """Every other change of state. It sets all the columns that can change.

    With `lapsed` the guard also asks that the row's `due_at` has passed by the driver's own clock, inside the write: a
    lease renewed in between is not rescued. With `expired` it asks the same of `expire_at`.
    """

    seq: int
    from_state: State
    attempt: int
    worker_was: int | None
    """For a running row, the holder it was seen with."""
    state: State
    reason: Reason
    line: int
    failures: int
    rescues: int
    due_at: int | None
    worker: int | None
    claimed_at: int | None
    started_at: int | None
    ended_at: int | None
    outcome: bytes | None
    past: AttemptRecord | None = None
    """The attempt that this change ends without ending the task; kept in a row of its own."""
    lapsed: bool = False
    expired: bool = False
    unique_key: str | None = None
    """The keys of a task that this change ends (to be freed) or revives (to be taken again); else none."""
    order_key: str | None = None
    expire_at: int | None = None
    """As it was, but for a revived task: its time to start has been."""
    group: str | None = None
    """The group that the task leaves by its end, or enters again."""

    def guard(self, task: Task, now: int) -> bool:
        return (
            task.state is self.from_state
            and task.attempt == self.attempt
            and (self.from_state is not State.RUNNING or task.worker == self.worker_was)
            and (not self.lapsed or (task.due_at is not None and task.due_at <= now))
            and (not self.expired or (task.expire_at is not None and task.expire_at <= now))
        )

    def onto(self, task: Task) -> None:
        task.state, task.reason, task.line = self.state, self.reason, self.line
        task.failures, task.rescues, task.due_at = self.failures, self.rescues, self.due_at
        task.worker, task.claimed_at, task.started_at = self.worker, self.claimed_at, self.started_at
        task.ended_at, task.outcome, task.expire_at = self.ended_at, self.outcome, self.expire_at

    @property
    def ends(self) -> bool:
        return self.state.ended and not self.from_state.ended

    @property
    def revives(self) -> bool:
        return self.from_state.ended and not self.state.ended


Change = Claim | Start | Renew | Finish | Move
