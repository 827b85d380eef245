"""The way from sync code, and from other loops, to a client that lives in a thread of its own.

The thread and its loop begin at the first call and serve any number of threads. A forked child begins afresh: it inherits
neither the thread nor the connection, and never touches the loop of its parent. At exit the portal closes itself.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from rota.client.client import AsyncClient
from rota.client.slots import LoopSlot, LoopSlots
from rota.life.loop import new_loop
from rota.model.errors import RotaError, Unavailable

T = TypeVar("T")
CLOSE_TIMEOUT = 10.0
"""Seconds; it takes milliseconds but where a worker of this process has handlers to wait for."""


class Portal:
    """`make` makes the client, in the portal's loop. At the end `before` is called, in the thread that closes the portal,
    and `stop` is awaited in the loop after the client was closed."""

    def __init__(
        self,
        make: Callable[[], AsyncClient],
        before: Callable[[], None] | None = None,
        stop: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._make, self._before, self._stop = make, before, stop
        self._forget()
        _portals.add(self)

    @property
    def client(self) -> AsyncClient:
        """For what runs in the portal's loop."""
        if self._client is None:
            self._client = self._make()
        return self._client

    def push(self, act: Callable[[Any], None], argument: Any) -> None:
        """Has `act(argument)` called in the portal's loop. Many pushes cost one wake-up."""
        loop = self.loop()
        self._acts.append((act, argument))
        if not self._woken:
            self._woken = True
            self._wake(loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it in the portal's loop while this thread waits. Ctrl-C cancels it."""
        future = self._begin(coroutine)
        try:
            return future.result()
        finally:
            future.cancel()

    async def arun(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it in the portal's loop while this task waits."""
        return await asyncio.wrap_future(self._begin(coroutine))

    def slot(self) -> LoopSlot:
        """A slot for the running loop."""
        loop = asyncio.get_running_loop()
        slots = self._foreign.get(loop)
        if slots is None:
            self._foreign = {other: slots for other, slots in self._foreign.items() if not other.is_closed()}
            slots = self._foreign[loop] = LoopSlots(loop)
        return slots.new()

    def loop(self) -> asyncio.AbstractEventLoop:
        """The portal's loop; begins it where it does not run."""
        if self._loop is not None:
            return self._loop
        with self._lock:
            if self._loop is None:
                self._thread = threading.Thread(target=self._live, name="rota-client", daemon=True)
                self._thread.start()
                self._started.wait()
            assert self._loop is not None  # noqa: S101  # the thread has set it before it said so
            return self._loop

    @property
    def lives(self) -> bool:
        """Its loop runs."""
        return self._loop is not None

    def close(self) -> None:
        """Ends the loop and its thread. May be called twice; a later call begins anew."""
        if self._before is not None and self._loop is not None:
            self._before()
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            self._started.clear()
        if loop is None or thread is None or thread is threading.current_thread():
            return
        loop.call_soon_threadsafe(self._ending.set)
        thread.join(CLOSE_TIMEOUT)

    # --- inside

    def _begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop())
        except BaseException:
            coroutine.close()
            raise

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._do_acts()  # what came as the portal before this one ended
        self._started.set()
        await self._ending.wait()
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        if self._stop is not None:
            await self._stop()

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._do_acts)
        except RuntimeError:
            self._woken = False
            raise Unavailable("the client was closed during this call", code="closed") from None

    def _do_acts(self) -> None:
        self._woken = False
        while self._acts:
            act, argument = self._acts.popleft()
            act(argument)

    def _forget(self) -> None:
        """As new: at first, and in a forked child."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._acts: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._woken = False
        self._foreign: dict[asyncio.AbstractEventLoop, LoopSlots] = {}
        self._client: AsyncClient | None = None


def must_not_block(twin: str) -> None:
    """Raises RotaError (`sync_in_loop`) where a loop runs in this thread: a sync call would stop it."""
    if asyncio._get_running_loop() is not None:  # get_running_loop() raises where there is none: 5 times the cost
        raise RotaError(
            f"a sync call inside a running event loop would stop it: write `await …{twin}(…)` here", code="sync_in_loop"
        )


_portals: weakref.WeakSet[Portal] = weakref.WeakSet()
_inherited: list[Any] = []
"""What a child has of its parent's loops. Kept for ever: to free a loop would close what the parent still uses."""


def _after_fork() -> None:
    for portal in list(_portals):
        _inherited.append(dict(portal.__dict__))
        portal._forget()  # one module, one story


def _at_exit() -> None:
    for portal in list(_portals):
        with contextlib.suppress(Exception):
            portal.close()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
