"""What a handler sees of its task, and what it may raise to steer it.

    def handler(ctx: Context, …):
        ctx.log.info("…")                 a line in the task's log
        ctx.progress(0.5, "half way")     shown beside the task
        raise Retry(after=30)             try again in half a minute, if a try is left
        raise Cancel("not needed")        end the task as cancelled

`current()` gives the same context anywhere below the handler.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from rota.model.errors import RotaError

LOGGER = "rota.task"
"""The logger behind `ctx.log`."""
CARRIES = "rota_task"
"""The attribute of a log record that names its task where no context variable does."""


class Ask(Protocol):
    """What was asked for. Instants and durations are microseconds; 0 where there is none."""

    @property
    def method(self) -> str: ...
    @property
    def group(self) -> str | None: ...
    @property
    def failures(self) -> int: ...
    @property
    def retries(self) -> int: ...
    @property
    def created_at(self) -> int: ...
    @property
    def fire_at(self) -> int: ...
    @property
    def timeout(self) -> int: ...
    @property
    def after(self) -> Sequence[bytes]: ...
    @property
    def batch(self) -> str | None: ...


class Source(Ask, Protocol):
    """What a context is read from: a run of a handler."""

    id: bytes
    attempt: int
    started_at: int
    secrets: tuple[str, ...]
    """Texts that were opened for it."""

    @property
    def version(self) -> int: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def cancelled(self) -> bool: ...
    @property
    def context(self) -> Context: ...

    def mark(self, share: float, note: str) -> None: ...
    def write(self, level: int, text: str) -> None: ...


class Context:
    """One attempt, as its handler sees it."""

    __slots__ = ("_log", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._log: logging.LoggerAdapter[logging.Logger] | None = None

    @property
    def task_id(self) -> str:
        """The task's id, a UUID as text."""
        return str(UUID(bytes=self._source.id))

    @property
    def attempt(self) -> int:
        """Counts every lease of the task, and is never used twice: a fence for the handler's own writes."""
        return self._source.attempt

    @property
    def failures(self) -> int:
        """How many tries have failed before this one."""
        return self._source.failures

    @property
    def retries(self) -> int:
        """How many failures are followed by another try."""
        return self._source.retries

    @property
    def method(self) -> str:
        return self._source.method

    @property
    def version(self) -> int:
        """Of the method, as this handler was registered."""
        return self._source.version

    @property
    def group(self) -> str | None:
        return self._source.group

    @property
    def labels(self) -> Mapping[str, str]:
        return self._source.labels

    @property
    def after(self) -> tuple[str, ...]:
        """Ids of the tasks that had to end before this one, in the order they were said."""
        return tuple(str(UUID(bytes=each)) for each in self._source.after)

    @property
    def batch(self) -> str | None:
        """The name of the batch it belongs to, if it does."""
        return self._source.batch

    @property
    def created_at(self) -> datetime:
        """When the task was accepted (UTC)."""
        return _instant(self._source.created_at)

    @property
    def fire_at(self) -> datetime | None:
        """The instant of the schedule that made the task (UTC), if one did."""
        return _instant(self._source.fire_at) if self._source.fire_at else None

    @property
    def deadline(self) -> datetime | None:
        """When this try runs out of time (UTC), if it has a timeout."""
        return _instant(self._source.started_at + self._source.timeout) if self._source.timeout else None

    @property
    def cancelled(self) -> bool:
        """The handler should stop: it was cancelled, ran out of time, or its worker lost the task or is going."""
        return self._source.cancelled

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines go to the task's log, from whatever thread."""
        if self._log is None:
            self._log = _TaskLog(logging.getLogger(LOGGER), {CARRIES: self._source})
        return self._log

    def progress(self, share: float, note: str = "") -> None:
        """Says how far the task has come, `share` from 0 to 1. May be called often: the newest is sent, 5 times a second.

        Raises ValueError for a share that is not from 0 to 1.
        """
        if not (math.isfinite(share) and 0.0 <= share <= 1.0):
            raise ValueError(f"progress is a share from 0 to 1, not {share!r}; write done / total")
        self._source.mark(float(share), note)


class Retry(Exception):
    """Raised by a handler: this try has failed, and the next one, if one is left, comes after `after`.

    `after`: seconds or a timedelta; None: as the task's policy says.
    """

    def __init__(self, after: float | timedelta | None = None, message: str = "") -> None:
        super().__init__(message)
        seconds = after.total_seconds() if isinstance(after, timedelta) else after
        if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"Retry(after=…) is 0 or more seconds, not {after!r}")
        self.after = seconds
        self.message = message


class Cancel(Exception):
    """Raised by a handler: the task ends as cancelled, whatever tries are left."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Stopped(BaseException):
    """Raised inside a `def` handler that has to stop: cancelled, out of time, or its worker goes. Not to be swallowed."""


class _TaskLog(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


running: ContextVar[Source] = ContextVar("rota_task")
"""The run that the code is part of."""


def current() -> Context:
    """The context of the running handler. Raises RotaError (`no_current_task`) outside of one."""
    source = running.get(None)
    if source is None:
        raise RotaError(
            "no task runs here: current() works inside a handler, and in what it calls", code="no_current_task"
        )
    return source.context


def _instant(micros: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
