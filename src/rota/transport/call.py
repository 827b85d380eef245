"""One call that comes without a link: what the handlers of requests see of it, in the place of a session.

What they say is kept here until the door takes it: answers (`next`), and outcomes of tasks that are waited for (`ended`).
While that is too much, nothing is added: a follow waits for room, and of ended tasks only the ids are kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from rota.engine.engine import Engine
from rota.model.task import Task
from rota.transport.doors import LinkWaiterDoor
from rota.transport.hall import Hall
from rota.transport.requests import CALLS
from rota.transport.verbs import Verbs
from rota.wire.codec_refusal import read_refusal
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

HIGH_WATER = 4 * 1024 * 1024
"""Bytes that wait to be taken, at which nothing more is added."""
_WRITES = frozenset(
    {"submit", "cancel", "retry", "delete", "bulk", "set_control", "worker_command"}
    | {"create_token", "rotate_token", "revoke_token"}
)
_WANTED = 1
"""A request number: an answer is wanted."""
_PARK_SIZE = 500


class Call:
    """Implements `caller.Caller`. `async with` ends its waits and follows, however the caller went."""

    def __init__(self, lobby: Hall, verbs: Verbs) -> None:
        self.lobby, self.verbs = lobby, verbs
        self.engine: Engine = lobby.engine
        self._bell = asyncio.Event()
        self.waiter = _Waiter(self._bell.set)
        self._answers: deque[Frame] = deque()
        self._weight = 0
        self._room = asyncio.Event()
        self._follows: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self.over = False

    async def __aenter__(self) -> Call:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over = True
        for follow in self._follows:
            follow.cancel()
        self.engine.unwait(self.waiter)

    # --- the handlers of requests call

    @property
    def follows(self) -> int:
        return len(self._follows)

    def send(self, request: int, frame: Frame) -> None:
        self._answers.append(frame)
        self._weight += frame.ByteSize()
        self._bell.set()

    async def room(self) -> None:
        while self._weight > HIGH_WATER and not self.over:
            self._room.clear()
            await self._room.wait()

    def follow(self, task: asyncio.Task[None]) -> None:
        self._follows.add(task)
        task.add_done_callback(self._followed)

    # --- the door calls

    async def ask(self, kind: str, body: Any) -> Frame | None:
        """The answer to a request; None: it comes by `next`.

        What writes goes on to its end when the caller has gone, since the store and the index must hear the same.
        """
        work = CALLS[kind](self, body, _WANTED)
        if kind not in _WRITES:
            return await work
        writing = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            self.lobby.errand(self._to_its_end(writing))
            raise

    async def next(self) -> Frame:
        """The next of several answers. Raises the error that came in its place."""
        while not self._answers:
            if self._fault is not None:
                raise self._fault
            self._bell.clear()
            await self._bell.wait()
        frame = self._answers.popleft()
        self._weight -= frame.ByteSize()
        self._room.set()
        if frame.HasField("failure"):
            raise read_refusal(frame.failure)
        return frame

    async def ended(self) -> list[pb.Ended]:
        """The next outcomes of tasks that are waited for."""
        while True:
            self._bell.clear()
            if frames := self.waiter.take():
                return [frame.ended for frame in frames]
            if self.waiter.parked:
                await self._ask_anew()
            else:
                await self._bell.wait()

    # --- inside

    async def _ask_anew(self) -> None:
        """For ended tasks of which only the ids were kept."""
        ids, self.waiter.parked = self.waiter.parked[:_PARK_SIZE], self.waiter.parked[_PARK_SIZE:]
        self.waiter.unknown(await self.verbs.wait(ids, self.waiter))

    async def _to_its_end(self, writing: asyncio.Future[Frame | None]) -> None:
        try:
            await writing
        finally:
            self.engine.unwait(self.waiter)

    def _followed(self, task: asyncio.Task[None]) -> None:
        self._follows.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fault = fault
            self._bell.set()


class _Waiter(LinkWaiterDoor):
    """Counts the bytes that wait to be taken."""

    def __init__(self, ring: Callable[[], None]) -> None:
        super().__init__(ring, lambda: self._weight > HIGH_WATER)
        self._weight = 0

    def ended(self, tasks: Sequence[Task]) -> None:
        super().ended(tasks)
        self._weight += sum(len(task.outcome or b"") for task in tasks)

    def take(self) -> list[Frame]:
        self._weight = 0
        return super().take()
