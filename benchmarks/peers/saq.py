"""SAQ: its Redis queue, one worker process on uvloop. It has no bulk call that does not wait."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from saq import Queue

from benchmarks import work
from benchmarks.peers.protocol import POLL_SECONDS, WAIT_SECONDS, Pair, aflown, atimed, redis_url, until

queue = Queue.from_url(redis_url(0), name="benchmarks")
BULK_IN_FLIGHT = 64


async def add(context: dict[str, Any], *, a: int, b: int) -> int:
    return work.add(a, b)


settings = {"queue": queue, "functions": [add], "concurrency": int(os.environ["BENCH_SLOTS"])}


async def enqueue(a: int, b: int) -> Any:
    return await queue.enqueue("add", a=a, b=b)


class Saq:
    packages = ("saq", "redis", "hiredis", "uvloop")

    async def open(self) -> None:
        """Sweeps the empty queue, which keeps workers from it for `lock` seconds.

        A worker's own sweep, at its start, may abort a task that it has just taken and not yet marked: seen on a busy machine.
        """
        await queue.connect()
        await queue.sweep(lock=3_600)

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return await aflown(pairs, BULK_IN_FLIGHT, enqueue)

    async def submit_serial(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return [await enqueue(a, b) for a, b in pairs]

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[Any]:
        return await aflown(pairs, flight, enqueue)

    async def stored(self, handles: Sequence[Any]) -> None:
        async def none_left() -> bool:
            return await queue.count("incomplete") == 0

        await until(none_left)

    async def results(self, handles: Sequence[Any]) -> Sequence[Any]:
        for job in handles:
            await job.refresh()
        return [job.result for job in handles]

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        return await atimed(pairs, self._execute)

    async def _execute(self, a: int, b: int) -> Any:
        return await queue.apply("add", timeout=WAIT_SECONDS, poll_interval=POLL_SECONDS, a=a, b=b)

    async def close(self) -> None:
        await queue.disconnect()
