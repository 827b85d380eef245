"""A node that does as the test says: the other end of a worker's link, without a socket."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from rota.link.carrier import Carrier, Receiver
from rota.link.channel import Channel
from rota.link.codes import Close
from rota.wire.v1 import link_pb2 as pb

PATIENCE = 10.0


def task_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


class ScriptedNode:
    """`dial` is given to the worker. It greets, registers and confirms by itself, unless `mute` names the frame."""

    def __init__(
        self, *, lease_ttl: float = 30.0, closed_lease_ttl: float = 5.0, max_payload: int = 1024 * 1024
    ) -> None:
        self.frames: list[tuple[str, Any]] = []
        self.mute: set[str] = set()
        self.answers_heartbeats = True
        self.lost: list[tuple[bytes, int]] = []
        self.refuse: list[tuple[int, str]] = []
        self.links = 0
        self.down = False
        self._lease_ttl, self._closed_lease_ttl, self._max_payload = lease_ttl, closed_lease_ttl, max_payload
        self._changed = threading.Condition()
        self._carrier: _Carrier | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def dial(self, url: str, token: str | None, receiver: Receiver) -> Carrier:
        if self.down:
            raise ConnectionRefusedError("the node is down")
        self._loop = asyncio.get_running_loop()
        self._carrier = _Carrier(self, receiver)
        self.links += 1
        return self._carrier

    # --- the test says

    def assign(self, *tasks: pb.Assignment) -> None:
        self.send(pb.Frame(assign=pb.Assign(tasks=tasks)))

    def give(self, number: int, method: str, params: bytes = b"null", *, attempt: int = 1, **more: Any) -> None:
        self.assign(pb.Assignment(id=task_id(number), attempt=attempt, method=method, params=params, **more))

    def stop(self, number: int, attempt: int = 1) -> None:
        self.send(pb.Frame(stop=pb.Stop(tasks=[pb.Ref(id=task_id(number), attempt=attempt)])))

    def send(self, frame: pb.Frame) -> None:
        assert self._loop is not None
        assert self._carrier is not None
        self._loop.call_soon_threadsafe(self._carrier.say, frame)

    def cut(self, code: int = Close.ABNORMAL, reason: str = "cut") -> None:
        assert self._loop is not None
        assert self._carrier is not None
        self._loop.call_soon_threadsafe(self._carrier.cut, code, reason)

    # --- the test sees

    def seen(self, kind: str) -> list[Any]:
        with self._changed:
            return [body for name, body in self.frames if name == kind]

    def results(self) -> dict[int, pb.Result]:
        return {int.from_bytes(r.id, "big"): r for body in self.seen("finish") for r in body.results}

    def lines(self, number: int) -> list[str]:
        entries = [e for body in self.seen("report") for e in body.entries if e.id == task_id(number)]
        return [line.text for entry in entries for line in entry.lines]

    def wait_until(self, done: Callable[[], Any], what: str = "") -> None:
        """Waits for frames until it is so. In the worker's own loop: `await until(…)`."""
        until = time.monotonic() + PATIENCE
        with self._changed:
            while not done():
                left = until - time.monotonic()
                assert left > 0, f"not seen in time: {what or done}; there was {[name for name, _ in self.frames]}"
                self._changed.wait(min(left, 0.1))

    async def until(self, done: Callable[[], Any], what: str = "") -> None:
        await asyncio.to_thread(self.wait_until, done, what)

    async def result(self, number: int) -> pb.Result:
        await self.until(lambda: number in self.results(), f"the result of task {number}")
        return self.results()[number]

    async def registered(self, times: int = 1) -> None:
        await self.until(lambda: len(self.seen("register")) >= times, "register")

    async def started(self, *numbers: int) -> None:
        ids = {task_id(number) for number in numbers}
        await self.until(
            lambda: ids <= {t.id for body in self.seen("started") for t in body.tasks}, f"start of {numbers}"
        )

    def released(self) -> list[tuple[int, str]]:
        return [(int.from_bytes(ref.id, "big"), body.reason) for body in self.seen("release") for ref in body.tasks]

    # --- inside

    def note(self, kind: str, body: Any) -> None:
        with self._changed:
            self.frames.append((kind, body))
            self._changed.notify_all()

    def welcome(self) -> pb.Frame:
        return pb.Frame(
            welcome=pb.Welcome(
                version=1, node_id="scripted", heartbeat=10_000_000, window=8 << 20, max_frame=4 << 20, max_batch=1000,
                max_payload=self._max_payload, roles=["worker"], lease_ttl=int(self._lease_ttl * 1e6),
                closed_lease_ttl=int(self._closed_lease_ttl * 1e6),
            )
        )  # fmt: skip

    def answer(self, kind: str, request: int) -> pb.Frame | None:
        if kind in self.mute:
            return None
        if kind == "hello":
            return self.welcome()
        if kind == "register":
            lost = [pb.Ref(id=i, attempt=a) for i, a in self.lost]
            return pb.Frame(request=request, registered=pb.Registered(lost=lost))
        if kind == "finish":
            refused = [pb.Finished.Refused(index=i, code=c) for i, c in self.refuse]
            return pb.Frame(request=request, finished=pb.Finished(refused=refused))
        if kind == "release" or (kind == "heartbeat" and self.answers_heartbeats):
            return pb.Frame(request=request, done=pb.Done())
        return None


class _Carrier:
    """The worker writes here; the node's channel reads, and writes to the worker's receiver."""

    def __init__(self, node: ScriptedNode, receiver: Receiver) -> None:
        self._node, self._receiver = node, receiver
        self._loop = asyncio.get_running_loop()
        self._channel = Channel(self._loop.time())
        self._over = False

    buffered = 0

    def write(self, message: bytes) -> None:
        if self._over or self._node.down:
            return
        frame = self._channel.receive(message, self._loop.time())
        kind = frame.WhichOneof("body")
        if kind is None:
            return
        if kind == "hello":
            self._channel.open(frame.hello.window)
        if kind not in ("hello", "ping", "goodbye", "heartbeat"):
            self._channel.dealt_with(len(message))
        self._node.note(kind, getattr(frame, kind))
        answer = self._node.answer(kind, frame.request)
        if answer is not None:
            self._loop.call_soon(self.say, answer)

    def close(self, code: int, reason: str) -> None:
        self.cut(code, reason)

    def say(self, frame: pb.Frame) -> None:
        if not self._over:
            self._channel.send(frame)
            for message in self._channel.flush(self._loop.time()):
                self._receiver.message(message)

    def cut(self, code: int, reason: str) -> None:
        if not self._over:
            self._over = True
            self._loop.call_soon(self._receiver.closed, code, reason)


def ids(refs: Sequence[Any]) -> list[int]:
    return [int.from_bytes(ref.id, "big") for ref in refs]
