"""What a worker reports of the attempts it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from rota.model.failure import Failure
from rota.model.record import record


class Verdict(IntEnum):
    """How an attempt ended, as the worker saw it. The numbers are the wire's."""

    SUCCEEDED = 1
    RAISED = 2
    TIMED_OUT = 3
    RETRY = 4
    """The handler asked for another try."""
    STOPPED = 5
    """Stopped because the node asked."""
    CANCELLED = 6
    """The handler cancelled its own task."""
    INVALID_PARAMS = 7
    RESULT_TOO_LARGE = 8
    ABANDONED_TIMED_OUT = 9
    """Timed out, but the handler could not be stopped."""
    ABANDONED_STOPPED = 10
    CRASHED = 11
    """The process that ran the handler died with it; the worker lives."""


@record
class Report:
    """The outcome of one attempt. Durations are microseconds; `started_at` is by the worker's clock."""

    id: bytes
    attempt: int
    verdict: Verdict
    result: bytes = b""
    failure: Failure | None = None
    started_at: int | None = None
    ran: int = 0
    retry_after: int | None = None


@record
class Held:
    """An attempt that a worker says it has in hand. `started_at` is None where it has not started."""

    id: bytes
    attempt: int
    started_at: int | None = None


@record
class Refused:
    """A report that was not kept. `index` is its place in the batch."""

    index: int
    code: str
    """`stale_attempt`, `conflict` or `task_not_found`."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What became of one task of a cancel or a retry."""

    id: bytes
    state: str = ""
    pending: bool = False
    """A running task is being stopped; it ends when its worker says so."""
    refusal: Exception | None = None


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of one call on many tasks. With `dry_run` nothing was changed: `done` is what would have been tried."""

    action: str
    """cancel, retry or delete."""
    matched: int = 0
    """Tasks that the query met and the call looked at."""
    done: int = 0
    """Tasks for which it was done; a running one whose cancel is asked for counts."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """How many were refused, by code."""
    sample: tuple[bytes, ...] = ()
    """The ids of the first of those that were done, at most 100."""
    more: bool = False
    """The limit of the call was reached; what may be left takes another."""
