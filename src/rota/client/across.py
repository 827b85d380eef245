"""A dial that may be used from any loop, for a node that lives in one: messages cross over in batches."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from rota.client.connection import Dial
from rota.link.carrier import Carrier, Receiver


class AcrossLoops:
    """`dial` reaches the node's own dial in the node's loop."""

    def __init__(self, dial: Dial, loop: asyncio.AbstractEventLoop) -> None:
        self._dial, self._loop = dial, loop

    async def dial(self, url: str, token: str | None, receiver: Receiver) -> Carrier:
        here = asyncio.get_running_loop()
        if here is self._loop:
            return await self._dial(url, token, receiver)
        there = _There(_Crossing(here), receiver)
        try:
            future = asyncio.run_coroutine_threadsafe(_opened(self._dial, url, token, there), self._loop)
        except RuntimeError as error:
            raise OSError("the node of this process has stopped") from error
        return _Here(_Crossing(self._loop), await asyncio.wrap_future(future))


async def _opened(dial: Dial, url: str, token: str | None, receiver: Receiver) -> Carrier:
    return await dial(url, token, receiver)


class _Crossing:
    """Calls made in another loop, in order; many of them cost one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[Callable[[], None]] = deque()
        self._woken = False

    def call(self, act: Callable[[], None]) -> None:
        self._calls.append(act)
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # that loop is closed, and so is all that lived in it
                self._loop.call_soon_threadsafe(self._do)

    def _do(self) -> None:
        self._woken = False
        while self._calls:
            self._calls.popleft()()


class _There:
    """The receiver in the node's loop; passes on to the one here."""

    def __init__(self, crossing: _Crossing, receiver: Receiver) -> None:
        self._crossing, self._receiver = crossing, receiver

    def message(self, data: bytes) -> None:
        self._crossing.call(lambda: self._receiver.message(data))

    def closed(self, code: int, reason: str) -> None:
        self._crossing.call(lambda: self._receiver.closed(code, reason))


class _Here:
    """The carrier here; passes on to the one in the node's loop."""

    def __init__(self, crossing: _Crossing, carrier: Carrier) -> None:
        self._crossing, self._carrier = crossing, carrier

    def write(self, message: bytes) -> None:
        self._crossing.call(lambda: self._carrier.write(message))

    def close(self, code: int, reason: str) -> None:
        self._crossing.call(lambda: self._carrier.close(code, reason))

    @property
    def buffered(self) -> int:
        return self._carrier.buffered
