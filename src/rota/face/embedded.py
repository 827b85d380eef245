"""A node inside this process, with a worker for the tasks of one app: what `embedded:` and `app.testing()` stand on.

The node lives in the thread of the app's client, and begins with its first call. The worker has threads of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rota.client.across import AcrossLoops
from rota.client.sync import Client
from rota.config.folder import default_data
from rota.house.local import LocalNode, local_node
from rota.link.carrier import Carrier, Receiver
from rota.worker.runtime import Worker

if TYPE_CHECKING:
    from rota.face.app import App

GRACE = 2.0
"""Seconds that handlers have to end when the app is closed."""


class Embedded:
    """`make` makes the node, in the loop it lives in."""

    def __init__(self, app: App, make: Callable[[], LocalNode]) -> None:
        self._app, self._make = app, make
        self._beginning: asyncio.Task[LocalNode] | None = None
        self._worker: Worker | None = None
        self._across: AcrossLoops | None = None
        self.client = Client("embedded:", dial=self._dial, on_close=self._stop)
        app.on_task(self._offer)

    @property
    def worker(self) -> Worker | None:
        """None until the node has begun, and where the app has no tasks."""
        return self._worker

    async def node(self) -> LocalNode:
        """The node, begun. In the client's loop. Raises RefusesToStart where its data folder is taken."""
        if self._beginning is None:
            self._beginning = asyncio.get_running_loop().create_task(self._begin())
        try:
            return await asyncio.shield(self._beginning)
        except Exception:
            self._beginning = None
            raise

    async def _begin(self) -> LocalNode:
        node = self._make()
        await node.start()
        self._across = AcrossLoops(node.dial, asyncio.get_running_loop())
        self._offer()
        return node

    def _offer(self) -> None:
        """The app's tasks, those that were not offered before."""
        tasks = self._app.tasks
        if self._across is None or not tasks:
            return
        if self._worker is None:
            self._worker = Worker("embedded:", dial=self._across.dial, application=self._app.name, shutdown_grace=GRACE)
            self._worker.add_all(tasks)
            self._worker.start()
        else:
            self._worker.add_all(tasks[-1:])

    async def _dial(self, url: str, token: str | None, receiver: Receiver) -> Carrier:
        return await (await self.node()).dial(url, token, receiver)

    async def _stop(self) -> None:
        beginning, worker = self._beginning, self._worker
        self._beginning = self._worker = self._across = None
        if worker is not None:
            await asyncio.to_thread(worker.stop)
        if beginning is not None and not beginning.cancelled() and beginning.exception() is None:
            await beginning.result().stop()


def embedded_at(app: App, url: str) -> Embedded:
    """With its data at the path of `embedded:///path`; for plain `embedded:` in the usual data folder."""
    path = unquote(urlsplit(url).path)
    data = Path(path) if path else default_data() / "embedded"
    return Embedded(app, lambda: local_node(data=data))
