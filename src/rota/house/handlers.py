"""Handlers that run beside a node, in its process: `rota node --app`, `embedded:`, tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from rota.client.connection import Dial
from rota.worker.runtime import Worker


class Offers(Protocol):
    """What a worker takes its handlers from: an App, or anything that adds itself."""

    def add_to(self, worker: Worker) -> None: ...


class HandlersBeside:
    """A worker over the node's own dial; a new one when too many of its handlers could not be stopped."""

    def __init__(self, apps: Sequence[Offers]) -> None:
        self._apps = apps
        self._workers: list[Worker] = []
        self._replacing: asyncio.Task[None] | None = None
        self._is_open = False

    async def open(self, dial: Dial) -> None:
        self._is_open = True
        await self._begin(dial)

    async def close(self) -> None:
        """Drains. May be called twice."""
        self._is_open = False
        if self._replacing is not None:
            await self._replacing
        while self._workers:
            await self._workers.pop().astop()

    async def _begin(self, dial: Dial) -> None:
        worker = Worker(dial=dial, on_exhausted=lambda: self._replace(dial))
        for app in self._apps:
            app.add_to(worker)
        await worker.astart()
        self._workers.append(worker)

    def _replace(self, dial: Dial) -> None:
        """The old one drains, and keeps its threads that cannot be stopped; the new one has threads of its own."""
        if self._is_open:
            self._replacing = asyncio.get_running_loop().create_task(self._begin(dial))
