"""A node end in the hand of a test: it speaks rota.v1 over the real channel and a local carrier, and obeys the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rota.link.carrier import Carrier, Receiver
from rota.link.channel import Channel
from rota.wire.v1.link_pb2 import Done, Frame, Submitted, TaskPage, Welcome


class FakeNode:
    """`dial` takes any number of links. `answer` is asked what to say to a data frame; None: nothing."""

    def __init__(self) -> None:
        self.links: list[FakeLink] = []
        self.frames: list[Frame] = []
        self.dialled: list[str] = []
        self.refuses: Exception | None = None
        self.welcome = Welcome(
            version=1,
            node_id="n",
            heartbeat=10_000_000,
            window=8 << 20,
            max_frame=4 << 20,
            max_batch=1000,
            max_payload=1 << 20,
        )
        self.greets = True
        self.answer: Callable[[FakeLink, Frame], Frame | None] = lambda link, frame: default_answer(frame)
        self.heard = asyncio.Condition()

    async def dial(self, url: str, token: str | None, receiver: Receiver) -> Carrier:
        self.dialled.append(url)
        if self.refuses is not None:
            raise self.refuses
        link = FakeLink(self, receiver, token)
        self.links.append(link)
        return link.near

    @property
    def link(self) -> FakeLink:
        return self.links[-1]

    def bodies(self, kind: str) -> list[Frame]:
        """The data frames of one kind that came, over all links."""
        return [frame for frame in self.frames if frame.WhichOneof("body") == kind]

    async def until(self, kind: str, count: int = 1) -> list[Frame]:
        """Waits until so many frames of a kind have come."""
        async with asyncio.timeout(5), self.heard:
            await self.heard.wait_for(lambda: len(self.bodies(kind)) >= count)
        return self.bodies(kind)


class FakeLink:
    """The node's side of one link."""

    def __init__(self, node: FakeNode, receiver: Receiver, token: str | None) -> None:
        self.node, self.receiver, self.token = node, receiver, token
        self.loop = asyncio.get_running_loop()
        self.channel = Channel(self.loop.time())
        self.near = NearCarrier(self)
        self.ended: tuple[int, str] | None = None
        self.goodbye: str | None = None

    def send(self, frame: Frame) -> None:
        self.channel.send(frame)
        self.flush()

    def flush(self) -> None:
        for message in self.channel.flush(self.loop.time()):
            self.loop.call_soon(self.receiver.message, message)

    def close(self, code: int, reason: str = "") -> None:
        """Ends the link from the node's side, or as a broken connection (1006)."""
        if self.ended is None:
            self.ended = (code, reason)
            self.loop.call_soon(self.receiver.closed, code, reason)

    def heard(self, data: bytes) -> None:
        if self.ended is not None:
            return
        frame = self.channel.receive(data, self.loop.time())
        body = frame.WhichOneof("body")
        if body == "hello":
            self.channel.open(frame.hello.window)
            self.hello = frame.hello
            if self.node.greets:
                self.send(Frame(welcome=self.node.welcome))
        elif body == "goodbye":
            self.goodbye = frame.goodbye.reason
        elif body not in (None, "ping"):
            self.node.frames.append(frame)
            self.channel.dealt_with(len(data))
            answer = self.node.answer(self, frame)
            if answer is not None:
                answer.request = frame.request
                self.channel.send(answer)
            self.loop.create_task(self._tell())
        self.flush()

    async def _tell(self) -> None:
        async with self.node.heard:
            self.node.heard.notify_all()


class NearCarrier:
    """What the client writes to."""

    def __init__(self, link: FakeLink) -> None:
        self.link = link
        self.buffered = 0

    def write(self, message: bytes) -> None:
        self.link.loop.call_soon(self.link.heard, message)

    def close(self, code: int, reason: str) -> None:
        self.link.loop.call_soon(self.link.close, code, reason)


def default_answer(frame: Frame) -> Frame | None:
    kind = frame.WhichOneof("body")
    if kind == "submit":
        return Frame(submitted=Submitted())
    if kind in ("get", "list"):
        return Frame(tasks=TaskPage())
    return Frame(done=Done())
