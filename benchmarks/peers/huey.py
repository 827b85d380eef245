"""Huey: on Redis, or on a SQLite file with or without fsync; one process of threads. It has no bulk call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from huey import RedisHuey, SqliteHuey

from benchmarks import work
from benchmarks.peers.protocol import POLL_SECONDS, WAIT_SECONDS, Pair, flown, redis_url, timed, until

FILE = os.environ.get("BENCH_SQLITE_FILE")
FSYNC = os.environ.get("BENCH_SQLITE_FSYNC") == "1"
huey = SqliteHuey("benchmarks", filename=FILE, fsync=FSYNC) if FILE else RedisHuey("benchmarks", url=redis_url(0))


@huey.task()
def add(a: int, b: int) -> int:
    return work.add(a, b)


class Huey:
    packages = ("huey",) if FILE else ("huey", "redis", "hiredis")

    async def open(self) -> None:
        huey.storage.result_store_size()

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return await self.submit_serial(pairs)

    async def submit_serial(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return [add(a, b) for a, b in pairs]

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[Any]:
        return flown(pairs, flight, add)

    async def stored(self, handles: Sequence[Any]) -> None:
        async def all_there() -> bool:
            return huey.storage.result_store_size() >= len(handles)

        await until(all_there)

    async def results(self, handles: Sequence[Any]) -> Sequence[Any]:
        return [handle.get() for handle in handles]

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        return timed(pairs, lambda a, b: add(a, b).get(blocking=True, timeout=WAIT_SECONDS, max_delay=POLL_SECONDS))

    async def close(self) -> None:
        huey.storage.close()
