"""Options as people say them: seconds or timedelta, aware datetimes, exception classes.

`timeout=30` and `timeout=timedelta(seconds=30)` are one; `delay` is also `countdown`, `run_at` also `eta`. An instant
without a time zone, an unknown option, and a value of the wrong type are told at once, where they were written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict, TypeVar
from uuid import UUID

from rota.client.task_id import read_id
from rota.model.method import NO_OPTIONS, Options

Duration = float | timedelta
"""Seconds, or a timedelta."""
Errors = Iterable[type[BaseException] | str]
After = Iterable[Any]
"""Of handles, receipts, ids, and of such collections of them."""
T = TypeVar("T")


class SaidOptions(TypedDict, total=False):
    """Everything that may be said of a task. Durations are seconds or timedelta."""

    group: str | None
    priority: int | None
    retries: int | None
    retry_delay: Duration | None
    retry_backoff: float | None
    retry_max_delay: Duration | None
    retry_jitter: float | None
    retry_on: Errors | None
    give_up_on: Errors | None
    timeout: Duration | None
    expires: Duration | None
    delay: Duration | None
    countdown: Duration | None
    run_at: datetime | None
    eta: datetime | None
    unique_key: str | None
    order_key: str | None
    unique_mode: str | None
    """When the unique key is held: `return` the task that holds it (or not said), `reject`, or `replace` it."""
    debounce: Duration | None
    """Starts so long after the last submit of the unique key; each new one replaces the one that waits."""
    concurrency_key: str | None
    concurrency_limit: int | None
    """Of the tasks that bear the concurrency key so many run at once; not said: 1."""
    result_ttl: Duration | None


class Filter(TypedDict, total=False):
    """Which tasks to list. Instants need a time zone; `limit` counts all pages."""

    states: str | Sequence[str]
    method: str | None
    group: str | None
    worker: str | None
    created_after: datetime | None
    created_before: datetime | None
    label: str | None
    """`name`, or `name=value`."""
    batch: str | None
    text: str | None
    """Literally in the method's name, the group, a key, or at the beginning of the id."""
    limit: int | None


class Said(SaidOptions, total=False):
    """Options, and what else may be said of one submit."""

    after: After | None
    """Tasks that must have ended before: handles, ids, or handles of batches."""
    on_parent_failure: str | None
    """When one of them does not succeed: `fail` with it (or not said), or `run` anyway."""
    batch: str | None
    """A name that counts are kept under."""
    version: int | None
    """Pins a version of the method."""
    idempotency_key: str | None
    """Your own; the same one within a day answers with the same task."""
    labels: Mapping[str, str] | None
    target: str | None
    """The id of the worker that alone may run it."""


def read_options(said: Mapping[str, Any]) -> Options:
    """NO_OPTIONS where nothing is said. Raises TypeError for what is not an option or has the wrong type."""
    if not said:
        return NO_OPTIONS
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in _READERS:
            raise TypeError(f"{name!r} is not an option; there are {', '.join(sorted(_READERS))}")
        if value is not None:
            _put(values, _ALIASES.get(name, name), _READERS[name](name, value))
    return Options(**values) if values else NO_OPTIONS


def read_after(after: After | None) -> tuple[bytes, ...]:
    """The ids of tasks that come before, in order, each once. Raises TypeError and InvalidInput for what names no task."""
    return tuple(dict.fromkeys(_ids_in(after))) if after is not None else ()


def _ids_in(after: Any) -> Iterator[bytes]:
    if isinstance(after, (str, bytes, UUID)):
        yield read_id(after)
    elif (named := getattr(after, "id", None)) is not None:
        yield read_id(named)
    elif isinstance(after, Iterable):
        for each in after:
            yield from _ids_in(each)
    else:
        raise TypeError(f"after takes handles and ids of tasks, not {after!r}")


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    if name in values:
        raise TypeError(
            f"{name} is said twice: {' and '.join(k for k, v in _ALIASES.items() if v == name)} is its alias"
        )
    values[name] = value


def microseconds(name: str, value: Duration) -> int:
    """A duration in microseconds. Raises TypeError, or ValueError for one that is negative or no number."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a duration: seconds or a timedelta, not {value!r}")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is a duration of 0 or more seconds, not {value!r}")
    return round(value * 1_000_000)


def _instant(name: str, value: Any) -> int:
    if not isinstance(value, datetime):
        raise TypeError(f"{name} is a datetime with a time zone, not {value!r}")
    if value.tzinfo is None:
        raise ValueError(f"{name} has no time zone: write datetime(…, tzinfo=…), or say delay= in seconds")
    return round(value.timestamp() * 1_000_000)


def _of(kind: type[T], *also: type) -> Callable[[str, Any], T]:
    def read(name: str, value: Any) -> T:
        if isinstance(value, bool) or not isinstance(value, (kind, *also)):
            raise TypeError(f"{name} is of type {kind.__name__}, not {value!r}")
        return kind(value)  # pyrefly: ignore[bad-argument-count]

    return read


def _error_names(name: str, value: Any) -> tuple[str, ...]:
    listed = (value,) if isinstance(value, (str, type)) else tuple(value)
    return tuple(_error_name(name, each) for each in listed)


def _error_name(name: str, error: Any) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, type) and issubclass(error, BaseException):
        # A script's own classes are of module __main__ here and of another one in a worker: the bare name fits both.
        bare = error.__module__ in ("builtins", "__main__")
        return error.__qualname__ if bare else f"{error.__module__}.{error.__qualname__}"
    raise TypeError(f"{name} takes exception classes or their names, not {error!r}")


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "group": _of(str),
    "priority": _of(int),
    "retries": _of(int),
    "retry_delay": microseconds,
    "retry_backoff": _of(float, int),
    "retry_max_delay": microseconds,
    "retry_jitter": _of(float, int),
    "retry_on": _error_names,
    "give_up_on": _error_names,
    "timeout": microseconds,
    "expires": microseconds,
    "delay": microseconds,
    "countdown": microseconds,
    "run_at": _instant,
    "eta": _instant,
    "unique_key": _of(str),
    "order_key": _of(str),
    "unique_mode": _of(str),
    "debounce": microseconds,
    "concurrency_key": _of(str),
    "concurrency_limit": _of(int),
    "result_ttl": microseconds,
}
_ALIASES = {"countdown": "delay", "eta": "run_at"}
