"""A lobby over a real engine and the reference store, and the other side of a link in the test's hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import uuid_utils

from rota.access.policy import Policy
from rota.coordination.local import LocalIndex
from rota.engine.engine import Engine
from rota.engine.settings import EngineSettings
from rota.link.carrier import Carrier
from rota.link.node_end import Terms
from rota.observe.events import Events
from rota.observe.logs import LogBook
from rota.storage.memory import MemoryStore
from rota.transport.hall import Books
from rota.transport.lobby import Lobby, NodeFacts
from rota.transport.local import LocalDoor
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

FACTS = NodeFacts("node-1", "0.1.0", "embedded", "memory:", "none")
KEY = b"k" * 16


def new_id() -> bytes:
    return uuid_utils.uuid7().bytes


class Peer:
    """The other side of a link: sends frames, and keeps what comes."""

    def __init__(self) -> None:
        self.carrier: Carrier
        self.frames: list[Frame] = []
        self.gives_credit = True
        self.ended: tuple[int, str] | None = None
        self._news = asyncio.Event()

    def message(self, data: bytes) -> None:
        frame = Frame.FromString(data)
        if frame.WhichOneof("body") is not None:
            if self.gives_credit:
                self.carrier.write(Frame(credit=len(data)).SerializeToString())
            self.frames.append(frame)
            self._news.set()

    def closed(self, code: int, reason: str) -> None:
        assert self.ended is None, "closed is called once"
        self.ended = (code, reason)
        self._news.set()

    def send(self, request: int = 0, **body: Any) -> None:
        self.carrier.write(Frame(request=request, **body).SerializeToString())

    async def next(self, kind: str) -> Any:
        """The next frame of this kind, whatever else comes."""
        return (await self.next_frame(kind)).__getattribute__(kind)

    async def next_frame(self, kind: str) -> Frame:
        async with asyncio.timeout(5):
            while True:
                for place, frame in enumerate(self.frames):
                    if frame.WhichOneof("body") == kind:
                        return self.frames.pop(place)
                assert self.ended is None, f"the link ended with {self.ended} before a {kind} came"
                self._news.clear()
                await self._news.wait()

    async def ask(self, answer: str, request: int = 1, **body: Any) -> Any:
        self.send(request, **body)
        frame = await self.next_frame(answer)
        assert frame.request == request
        return getattr(frame, answer)

    async def end(self) -> tuple[int, str]:
        async with asyncio.timeout(5):
            while self.ended is None:
                self._news.clear()
                await self._news.wait()
        return self.ended

    async def hello(self, window: int = 8 << 20, token: str = "") -> pb.Welcome:
        self.gives_credit = window > 1
        self.send(hello=pb.Hello(versions=[1], window=window, token=token))
        return await self.next("welcome")

    async def register(self, worker_id: str = "w1", methods: tuple[str, ...] = ("add",), **rest: Any) -> pb.Registered:
        facts = pb.WorkerFacts(id=worker_id, slots=rest.pop("slots", 16))
        listed = [pb.Method(name=name) for name in methods]
        key = rest.pop("session_key", KEY)
        register = pb.Register(facts=facts, methods=listed, session_key=key, **rest)
        return await self.ask("registered", 99, register=register)

    async def submit(self, count: int = 1, wait: bool = True, params: bytes = b"[1]", **rest: Any) -> list[bytes]:
        ids = [new_id() for _ in range(count)]
        tasks = [pb.NewTask(id=each, method="add", params=params, **rest) for each in ids]
        submitted = await self.ask("submitted", 7, submit=pb.Submit(tasks=tasks, wait=wait))
        assert not [item for item in submitted.exceptions if item.HasField("refusal")]
        return ids

    async def assigned(self, count: int = 1) -> list[pb.Assignment]:
        tasks: list[pb.Assignment] = []
        while len(tasks) < count:
            tasks += (await self.next("assign")).tasks
        return tasks

    async def outcomes(self, count: int = 1) -> dict[bytes, pb.Ended.Outcome]:
        found: dict[bytes, pb.Ended.Outcome] = {}
        while len(found) < count:
            found.update({outcome.id: outcome for outcome in (await self.next("ended")).outcomes})
        return found

    async def finish(self, *tasks: pb.Assignment, result: bytes = b"3") -> pb.Finished:
        results = [pb.Result(id=task.id, attempt=task.attempt, verdict=1, result=result) for task in tasks]
        return await self.ask("finished", 98, finish=pb.Finish(results=results))


class Node:
    """What the tests of doors stand before."""

    def __init__(self, policy: Policy | None = None, **terms: Any) -> None:
        self.store = MemoryStore()
        self.index = LocalIndex(self.store)
        self.journal = LogBook(self.store)
        self.events = Events(self.store.now, lambda number: self.engine.worker_name(number))
        self.engine = Engine(self.store, self.index, self.journal, EngineSettings(), herald=self.events)
        self.policy = policy or Policy(open_mode=True)
        self.books = Books.of(self.store)
        agreed = Terms("node-1", "0.1.0", **terms)
        self.lobby = Lobby(self.engine, self.policy, agreed, FACTS, self.books, self.events)
        self.ready = ""

    async def start(self) -> None:
        await self.store.open()
        await self.index.open()
        await self.engine.start()

    async def stop(self) -> None:
        self.events.close()
        await self.lobby.leave(within=1.0)
        await self.engine.stop()
        await self.journal.stop()
        await self.store.close()

    async def dial(self, token: str | None = None) -> Peer:
        """A link without a Hello."""
        peer = Peer()
        peer.carrier = await LocalDoor(self.lobby.open).dial("local:", token, peer)
        return peer

    async def client(self, token: str | None = None, **hello: Any) -> Peer:
        peer = await self.dial(token)
        await peer.hello(**hello)
        return peer

    async def worker(self, worker_id: str = "w1", **register: Any) -> Peer:
        peer = await self.client()
        await peer.register(worker_id, **register)
        return peer


StartNode = Callable[..., Awaitable[Node]]


def payload(size: int) -> bytes:
    return b'"' + os.urandom(size // 2).hex().encode() + b'"'
