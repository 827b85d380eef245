"""Dramatiq: Redis as broker, results in Redis by its middleware, one process of threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from redis import Redis

from benchmarks import work
from benchmarks.peers.protocol import WAIT_SECONDS, Pair, flown, redis_url, timed, until

broker = RedisBroker(url=redis_url(0))
broker.add_middleware(Results(backend=RedisBackend(url=redis_url(1)), store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
def add(a: int, b: int) -> int:
    return work.add(a, b)


class Dramatiq:
    packages = ("dramatiq", "redis", "hiredis")

    async def open(self) -> None:
        self._results = Redis.from_url(redis_url(1))
        self._results.ping()

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        messages = [add.message(a, b) for a, b in pairs]
        return list(dramatiq.group(messages).run().children)

    async def submit_serial(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return [add.send(a, b) for a, b in pairs]

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[Any]:
        return flown(pairs, flight, add.send)

    async def stored(self, handles: Sequence[Any]) -> None:
        async def all_there() -> bool:
            return self._results.dbsize() >= len(handles)

        await until(all_there)

    async def results(self, handles: Sequence[Any]) -> Sequence[Any]:
        found = [handle.get_result() for handle in handles]
        self._results.flushdb()
        return found

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        measured = timed(pairs, lambda a, b: add.send(a, b).get_result(block=True, timeout=int(WAIT_SECONDS * 1000)))
        self._results.flushdb()
        return measured

    async def close(self) -> None:
        self._results.close()
        broker.close()
