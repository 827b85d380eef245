"""What the driver asks of a peer's client. The same few verbs for all, each done as that peer's documentation advises."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

Pair = tuple[int, int]
"""The params of one task. The first is also its number."""
POLL_SECONDS = 0.001
"""How often a result is asked for where a peer offers no waiting. The peers' own defaults are up to 500 times slower."""
WAIT_SECONDS = 180.0


class Peer(Protocol):
    """Submitting returns handles; what a handle is, only the peer knows."""

    packages: Sequence[str]
    """The distributions whose versions are printed with the result."""

    async def open(self) -> None: ...

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        """The fastest way the peer offers for many tasks."""
        ...

    async def submit_serial(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        """One after another, each answered before the next; from sync code where the peer has any."""
        ...

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[Any]:
        """Single submits, up to `flight` of them under way at once in this one client."""
        ...

    async def stored(self, handles: Sequence[Any]) -> None:
        """Returns when the results of all are stored. Must not load the store with one question a task."""
        ...

    async def results(self, handles: Sequence[Any]) -> Sequence[Any]:
        """The results of tasks that have ended, in order. Afterwards they need not be known any more."""
        ...

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        """Submits one, waits for its result, and so on: the milliseconds of each, and the results."""
        ...

    async def close(self) -> None: ...


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Asks ever more rarely: half a percent late at most, and next to no load. Raises TimeoutError after WAIT_SECONDS."""
    began = time.monotonic()
    while not await done():
        waited = time.monotonic() - began
        if waited > WAIT_SECONDS:
            raise TimeoutError(f"not all results were stored within {WAIT_SECONDS:.0f} s")
        await asyncio.sleep(max(0.001, waited / 200))


def timed(pairs: Sequence[Pair], execute: Callable[[int, int], Any]) -> tuple[list[float], list[Any]]:
    """The round trips of sync code."""
    took: list[float] = []
    results: list[Any] = []
    for a, b in pairs:
        began = time.perf_counter()
        results.append(execute(a, b))
        took.append((time.perf_counter() - began) * 1e3)
    return took, results


async def atimed(pairs: Sequence[Pair], execute: Callable[[int, int], Awaitable[Any]]) -> tuple[list[float], list[Any]]:
    """The round trips of async code."""
    took: list[float] = []
    results: list[Any] = []
    for a, b in pairs:
        began = time.perf_counter()
        results.append(await execute(a, b))
        took.append((time.perf_counter() - began) * 1e3)
    return took, results


def flown(pairs: Sequence[Pair], flight: int, submit: Callable[[int, int], Any]) -> list[Any]:
    """`submit` from `flight` threads."""
    with ThreadPoolExecutor(flight) as threads:
        return list(threads.map(lambda pair: submit(*pair), pairs))


async def aflown(pairs: Sequence[Pair], flight: int, submit: Callable[[int, int], Awaitable[Any]]) -> list[Any]:
    """`submit` from `flight` coroutines."""
    handles: list[Any] = [None] * len(pairs)
    rest: Iterator[tuple[int, Pair]] = iter(enumerate(pairs))

    async def one_after_another() -> None:
        for number, (a, b) in rest:
            handles[number] = await submit(a, b)

    await asyncio.gather(*(one_after_another() for _ in range(flight)))
    return handles


def redis_url(database: int = 0) -> str:
    return f"redis://127.0.0.1:{os.environ['BENCH_REDIS_PORT']}/{database}"
