"""What a client is told of the house: why a task waits, batches, groups, limits, figures, tokens, the audit log.

Plain values, as in `views`: instants are datetimes in UTC, durations seconds, and what is not there is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

_SUCCEEDED = "succeeded"
UNDONE = ("failed", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class CauseView:
    """One thing that holds a task back, or tells where it is."""

    code: str
    """Stable: no_worker, paused, rate_limited, concurrency_full, waiting_for_parents …"""
    message: str
    """A sentence: what holds it back, and what to do about it where somebody can."""
    until: datetime | None = None
    """When it is over by itself, where that is known."""
    by: tuple[str, ...] = ()
    """Ids of tasks or workers, or names, that hold it back."""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a task does not run, or where it is. The first cause is the one to look at first."""

    id: str
    state: str
    summary: str
    causes: tuple[CauseView, ...] = ()


@dataclass(frozen=True, slots=True)
class Bulk:
    """What became of one call for many tasks."""

    action: str
    """cancel, retry or delete."""
    matched: int
    """Tasks that the filter fits, up to the limit."""
    done: int
    """With `dry_run`: what would be tried."""
    refused: dict[str, int] = field(default_factory=dict)
    """How many were refused, by the code of the refusal."""
    sample: tuple[str, ...] = ()
    """Ids of up to 100 tasks where it was done."""
    more: bool = False
    """The limit was reached: there may be more."""


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """How the tasks of a batch stand. Those that retention has removed are not counted."""

    name: str
    tasks: dict[str, int]
    """How many are in each state."""
    created_at: datetime | None
    """When its first task was accepted."""

    @property
    def total(self) -> int:
        return sum(self.tasks.values())

    @property
    def succeeded(self) -> int:
        return self.tasks.get(_SUCCEEDED, 0)

    @property
    def failed(self) -> int:
        """Ended, but not well: failed, cancelled or expired."""
        return sum(self.tasks.get(state, 0) for state in UNDONE)

    @property
    def done(self) -> int:
        """Ended, well or not."""
        return self.succeeded + self.failed

    @property
    def finished(self) -> bool:
        """Every task has ended."""
        return self.done == self.total


@dataclass(frozen=True, slots=True)
class RateView:
    """`count` starts in `period` seconds. As text: `10/s`, `100/30s`."""

    count: int
    period: float

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "m", 3600.0: "h", 86400.0: "d"}.get(self.period, f"{self.period:g}s")
        return f"{self.count}/{unit}"


@dataclass(frozen=True, slots=True)
class ControlView:
    """What is set for the node, a group or a method. None: no limit."""

    scope: str
    """node, group or method."""
    name: str
    """Empty: the node; or, for a group, the tasks without a group."""
    paused: bool = False
    note: str = ""
    concurrency: int | None = None
    rate: RateView | None = None
    key_rate: RateView | None = None
    """For each concurrency key."""
    changed_at: datetime | None = None
    changed_by: str = ""
    max_queued: int | None = None
    """Of a group: tasks that have not ended, beyond which more are refused."""


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """How a group stands. Rates are tasks a second over the last ten seconds."""

    name: str
    """Empty: the tasks without a group."""
    tasks: dict[str, int]
    """Unended tasks by state."""
    methods: dict[str, int]
    """Ready tasks by method."""
    workers: int
    slots: int
    """Of the workers that do not drain."""
    busy: int
    """Tasks of the group that a worker has."""
    control: ControlView | None
    submit_rate: float
    finish_rate: float

    @property
    def paused(self) -> bool:
        return self.control is not None and self.control.paused


@dataclass(frozen=True, slots=True)
class PointView:
    """One step of the node's figures. Latencies are seconds, percentiles over the tasks of the step."""

    at: datetime | None
    """When the step began."""
    step: float
    submitted: int
    finished: int
    failed: int
    rescued: int
    ready: int
    running: int
    scheduled: int
    waiting: int
    workers: int
    wait_p50: float
    """From ready to leased."""
    wait_p99: float
    run_p50: float
    """From started to ended."""
    run_p99: float


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token, without its secret."""

    kid: str
    """Its public half, by which it is named."""
    name: str
    roles: tuple[str, ...]
    groups: tuple[str, ...] | None
    """None: every group."""
    created_at: datetime | None
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made. `token` is the text to present; it is shown this once."""

    token: str
    record: TokenView
    notice: str = ""
    """What it changes for others, where it does: the first one ends open mode."""

    def __repr__(self) -> str:
        return f"NewToken(token='***', record={self.record!r})"


@dataclass(frozen=True, slots=True)
class AuditView:
    """One line of the audit log."""

    number: int
    at: datetime | None
    who: str
    """The token's name; `anybody` in open mode."""
    kid: str
    source: str
    """The address it came from."""
    door: str
    """http, grpc, link or cli."""
    action: str
    object: str
    outcome: str
    """`ok`, or the code of the refusal."""
    request_id: str
    before: str
    """What was there before, and after, as JSON."""
    after: str
