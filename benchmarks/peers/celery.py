"""Celery: Redis as broker and as result backend, a pool of threads, events off, 64 tasks prefetched a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery as App
from celery import group
from redis import Redis

from benchmarks import work
from benchmarks.peers.protocol import WAIT_SECONDS, Pair, flown, redis_url, timed, until

app = App("benchmarks", broker=redis_url(0), backend=redis_url(1))
app.conf.update(
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    task_send_sent_event=False,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=64,
)


@app.task
def add(a: int, b: int) -> int:
    return work.add(a, b)


class Celery:
    packages = ("celery", "kombu", "redis", "hiredis")

    async def open(self) -> None:
        self._results = Redis.from_url(redis_url(1))
        self._results.ping()

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return group(add.s(a, b) for a, b in pairs).apply_async().results

    async def submit_serial(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return [add.delay(a, b) for a, b in pairs]

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[Any]:
        return flown(pairs, flight, add.delay)

    async def stored(self, handles: Sequence[Any]) -> None:
        async def all_there() -> bool:
            return self._results.dbsize() >= len(handles)

        await until(all_there)

    async def results(self, handles: Sequence[Any]) -> Sequence[Any]:
        found = [handle.get(timeout=WAIT_SECONDS) for handle in handles]
        self._results.flushdb()
        return found

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        measured = timed(pairs, lambda a, b: add.delay(a, b).get(timeout=WAIT_SECONDS))
        self._results.flushdb()
        return measured

    async def close(self) -> None:
        self._results.close()
        app.close()
