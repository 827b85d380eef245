"""The log of one task as an event stream: what is there, what comes, and how the task ended.

A bell rings when there may be more; nothing polls.
"""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

from rota.model.errors import RotaError
from rota.model.log import LogLine
from rota.model.text import instant_text
from rota.transport.asgi import header, problem_of
from rota.transport.http.event_stream import EventStream
from rota.transport.http.route import Reply, Request
from rota.transport.verbs import Verbs

PAGE = 100
CHUNK = 64 * 1024
_LAST = 2**63 - 1
_encode = msgspec.json.Encoder().encode


class LineEvent(msgspec.Struct, tag="line"):
    """`level` is the number of Python's logging."""

    number: int
    at: str
    attempt: int
    level: int
    text: str


class EndEvent(msgspec.Struct, tag="end"):
    """The task has ended; nothing more comes."""

    state: str
    reason: str


class LogFeed:
    """Implements `event_stream.Source`. `open` first; `close` at the end."""

    def __init__(self, verbs: Verbs, task_id: bytes, after: int) -> None:
        self._verbs, self._task, self._after = verbs, task_id, after
        self._waiting: deque[LogLine] = deque()
        self._bell = asyncio.Event()
        self._stop = _nothing
        self._beat = self._over = self._ended = False

    async def open(self) -> None:
        """Reads what is there. Raises NotFound."""
        self._stop = await self._verbs.follow(self._task, self._bell.set)
        await self._read()

    @property
    def exhausted(self) -> bool:
        """The task has ended, and nothing of its log is left."""
        return self._ended and not self._waiting

    async def next(self) -> bytes | None:
        try:
            return await self._next()
        except RotaError as error:
            self._over = True
            return b"event: error\ndata: %b\n\n" % problem_of(error).body

    def beat(self) -> None:
        self._beat = True
        self._bell.set()

    def end(self, reason: str) -> None:
        self._over = True
        self._bell.set()

    def end_soon(self, reason: str) -> None:
        """A log is taken up behind a line: nothing is lost."""
        self.end(reason)

    def close(self) -> None:
        self._stop()

    async def _next(self) -> bytes | None:
        while not self._over:
            if self._waiting:
                return self._chunk()
            if self._ended:
                self._over = True
                return await self._farewell()
            if self._beat:
                self._beat = False
                return b":\n\n"
            await self._bell.wait()
            if not self._over:
                await self._read()
        return None

    async def _read(self) -> None:
        """The bell is cleared before: what comes meanwhile rings it again."""
        self._bell.clear()
        lines, ended = await self._verbs.read_logs(self._task, self._after, PAGE)
        self._waiting.extend(lines)
        if lines:
            self._after = lines[-1].number
        if len(lines) == PAGE:
            self._bell.set()
        else:
            self._ended = ended

    def _chunk(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while self._waiting and size < CHUNK:
            line = self._waiting.popleft()
            view = LineEvent(line.number, instant_text(line.at), line.attempt, line.level, line.text)
            parts.append(b"id: %d\nevent: line\ndata: %b\n\n" % (line.number, _encode(view)))
            size += len(parts[-1])
        return b"".join(parts)

    async def _farewell(self) -> bytes:
        task = (await self._verbs.get([self._task])).get(self._task)
        view = (
            EndEvent(task.state.name.lower(), task.reason.name.lower()) if task is not None else EndEvent("removed", "")
        )
        return b"event: end\ndata: %b\n\n" % _encode(view)


async def follow_log(request: Request, task_id: bytes, after: int = 0) -> Reply | None:
    """Lines from after a number, or after the one that Last-Event-ID says. Raises NotFound.

    An EventSource comes again when a stream ends; where nothing is left for it to read it is answered with 204, which
    tells it to stay away.
    """
    last = header(request.scope, b"last-event-id")
    if last is not None and last.isascii() and last.isdigit():
        after = min(int(last[:19]), _LAST)
    feed = LogFeed(request.verbs, task_id, after)
    stream = EventStream(request.lobby, request.verbs.grant, request.scope, request.receive, request.send)
    try:
        await feed.open()
        if last is not None and feed.exhausted:
            return Reply(status=204)
        await stream.run(feed, b"")
    finally:
        feed.close()
    return None


def _nothing() -> None:
    """Nobody follows yet."""
