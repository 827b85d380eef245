"""A node inside this process, with a worker for the tasks of one app: what `embedded:` and `app.testing()` stand on.

The node lives in the thread of the app's client, and begins with its first call. The worker has threads of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401  # its end is registered before ours, and so comes after it
import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from rota.client.across import AcrossLoops
from rota.client.sync import Client
from rota.config.folder import default_data
from rota.face.function import TaskFunction
from rota.house.local import LocalNode, local_node
from rota.link.carrier import Carrier, Receiver
from rota.worker.runtime import Worker


class Tasks(Protocol):
    """An app, as far as the node inside its process needs it."""

    name: str

    @property
    def tasks(self) -> tuple[TaskFunction[..., Any, Any], ...]: ...
    def on_task(self, tell: Callable[[], None]) -> None: ...
    def use(self, client: Client | None) -> Client | None: ...


GRACE = 2.0
"""Seconds that handlers have to end when the app is closed."""


class Embedded:
    """`make` makes the node, in the loop it lives in."""

    def __init__(self, app: Tasks, make: Callable[[], LocalNode]) -> None:
        self._app, self._make = app, make
        self._beginning: asyncio.Task[LocalNode] | None = None
        self._worker: Worker | None = None
        self._across: AcrossLoops | None = None
        self._offering = threading.Lock()
        self._offered: set[tuple[str, int]] = set()
        self.client = Client("embedded:", dial=self._dial, before_close=self._stop_worker, after_close=self._stop_node)
        app.on_task(self._offer)
        _embedded.add(self)

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
        """The app's tasks, those that were not offered before. From the client's loop and from where tasks are made."""
        with self._offering:
            fresh = [task for task in self._app.tasks if (task.name, task.version) not in self._offered]
            if self._across is None or not fresh:
                return
            self._offered.update((task.name, task.version) for task in fresh)
            worker = self._worker or Worker(
                "embedded:",
                dial=self._across.dial,
                application=self._app.name,
                shutdown_grace=GRACE,
                on_exhausted=self._replace_worker,
            )
            worker.add_all(fresh)
            if self._worker is None:
                self._worker = worker
                worker.start()

    def _replace_worker(self) -> None:
        """Too many handlers could not be stopped: another worker, with threads of its own, takes what comes now. The old one
        drains, and keeps the threads that go on. From the old one's link."""
        with self._offering:
            old, self._worker = self._worker, None
            if old is None:
                return
            self._offered.clear()
        self._offer()
        threading.Thread(target=old.stop, name="rota-exhausted-worker", daemon=True).start()

    async def _dial(self, url: str, token: str | None, receiver: Receiver) -> Carrier:
        return await (await self.node()).dial(url, token, receiver)

    def _stop_worker(self) -> None:
        with self._offering:
            worker, self._worker = self._worker, None
            self._across = None
            self._offered.clear()
        if worker is not None:
            worker.stop()

    async def _stop_node(self) -> None:
        beginning, self._beginning = self._beginning, None
        if beginning is not None and beginning.done() and not beginning.cancelled() and beginning.exception() is None:
            await beginning.result().stop()


def _at_exit() -> None:
    for each in list(_embedded):
        with contextlib.suppress(Exception):
            each.client.close()


_embedded: weakref.WeakSet[Embedded] = weakref.WeakSet()
# A node that closes its store needs executors, which are gone when `atexit` comes. This is where they end themselves.
getattr(threading, "_register_atexit", atexit.register)(_at_exit)


def embedded_at(app: Tasks, url: str) -> Embedded:
    """With its data at the path of `embedded:///path`; for plain `embedded:` in ROTA_DATA, or the usual data folder."""
    path = unquote(urlsplit(url).path)
    data = Path(path) if path else Path(os.environ.get("ROTA_DATA") or default_data()) / "embedded"
    return Embedded(app, lambda: local_node(data=data))
