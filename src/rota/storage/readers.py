"""The readers: a few threads with connections that cannot write. Each read is one short look at one snapshot."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from rota.model.errors import Unavailable

T = TypeVar("T")

MOST_WAITING = 10_000
"""Reads that may wait; more are refused."""

Job = tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]


class Readers:
    """Takes looks from the event loop and answers on it."""

    def __init__(
        self,
        connections: Sequence[sqlite3.Connection],
        loop: asyncio.AbstractEventLoop,
        translate: Callable[[Exception], Exception],
    ) -> None:
        self._loop, self._translate = loop, translate
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [
            Thread(target=self._work, args=(connection,), name=f"rota-store-reader-{number}", daemon=True)
            for number, connection in enumerate(connections, 1)
        ]
        for thread in self._threads:
            thread.start()

    async def read(self, look: Callable[[sqlite3.Connection], T]) -> T:
        if self._queue.qsize() >= MOST_WAITING:
            raise Unavailable(f"{MOST_WAITING} reads are waiting; come again later", code="store_unavailable")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((look, future))
        return await future

    def stop(self) -> None:
        """Finishes what was asked and closes the connections. Blocks for as long as the reads under way take."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, connection: sqlite3.Connection) -> None:
        while (job := self._queue.get()) is not None:
            look, future = job
            if future.cancelled():
                continue
            try:
                self._call(_set_result, future, look(connection))
            except Exception as error:
                self._call(_set_exception, future, self._translate(error))
        connection.close()

    def _call(self, function: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop was closed without closing the store: nobody is there to be told
            self._loop.call_soon_threadsafe(function, *args)


def _set_result(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
