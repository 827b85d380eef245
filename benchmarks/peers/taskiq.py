"""Taskiq: a Redis stream as broker, results in Redis, one worker process on uvloop. It has no bulk call of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from benchmarks import work
from benchmarks.peers.protocol import POLL_SECONDS, WAIT_SECONDS, Pair, aflown, atimed, redis_url, until

broker = RedisStreamBroker(url=redis_url(0)).with_result_backend(RedisAsyncResultBackend(redis_url=redis_url(1)))
BULK_IN_FLIGHT = 64


@broker.task
async def add(a: int, b: int) -> int:
    return work.add(a, b)


class Taskiq:
    packages = ("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop")

    async def open(self) -> None:
        self._results = Redis.from_url(redis_url(1))
        await broker.startup()

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return await aflown(pairs, BULK_IN_FLIGHT, add.kiq)

    async def submit_serial(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return [await add.kiq(a, b) for a, b in pairs]

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[Any]:
        return await aflown(pairs, flight, add.kiq)

    async def stored(self, handles: Sequence[Any]) -> None:
        async def all_there() -> bool:
            return await self._results.dbsize() >= len(handles)

        await until(all_there)

    async def results(self, handles: Sequence[Any]) -> Sequence[Any]:
        found = [(await handle.get_result()).return_value for handle in handles]
        await self._results.flushdb()
        return found

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        measured = await atimed(pairs, self._execute)
        await self._results.flushdb()
        return measured

    async def _execute(self, a: int, b: int) -> Any:
        task = await add.kiq(a, b)
        return (await task.wait_result(check_interval=POLL_SECONDS, timeout=WAIT_SECONDS)).return_value

    async def close(self) -> None:
        await self._results.aclose()
        await broker.shutdown()
