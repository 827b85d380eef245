"""Handlers that run beside a node, in its process: `rota node --app`, `embedded:`, tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rota.client.connection import Dial
from rota.worker.runtime import Worker


class Offers(Protocol):
    """What a worker takes its handlers from: an App, or anything that adds itself."""

    def add_to(self, worker: Worker) -> None: ...


class HandlersBeside:
    """A worker over the node's own dial."""

    def __init__(self, apps: Sequence[Offers]) -> None:
        self._apps = apps
        self._worker: Worker | None = None

    async def open(self, dial: Dial) -> None:
        worker = Worker(dial=dial)
        for app in self._apps:
            app.add_to(worker)
        await worker.astart()
        self._worker = worker

    async def close(self) -> None:
        """Drains. May be called twice."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.astop()
