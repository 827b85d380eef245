"""A worker that is nothing but frames: the test writes each by hand, twice or out of turn if it likes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from rota.client.connection import Connection
from rota.wire.v1 import link_pb2 as pb


class RawWorker:
    def __init__(
        self, url: str, *, worker_id: str | None = None, key: bytes = b"key of this worker", times: int = 1
    ) -> None:
        self.id = worker_id or uuid.uuid4().hex
        self.key, self.times = key.ljust(16, b"."), times
        self.frames: list[pb.Frame] = []
        self.news = asyncio.Event()
        self.ups = 0
        self.final: Exception | None = None
        self._request = 0
        self.connection = Connection(
            [url], on_frame=self._frame, on_up=self._up, on_down=lambda _: self.news.set(), on_final=self._final
        )

    def _frame(self, frame: pb.Frame, size: int) -> None:
        self.frames.append(frame)
        self.connection.dealt_with(size)
        self.news.set()

    def _up(self, welcome: pb.Welcome) -> None:
        self.ups += 1
        self.news.set()

    def _final(self, error: Exception) -> None:
        self.final = error
        self.news.set()

    async def until(self, true: Callable[[], object], timeout: float = 10.0) -> None:
        async with asyncio.timeout(timeout):
            while not true():
                self.news.clear()
                await self.news.wait()

    async def start(self) -> None:
        self.connection.start()
        await self.until(lambda: self.ups)

    def send(self, frame: pb.Frame, request: bool = True) -> int:
        """Sends it `times` over. Answers its request number."""
        if request:
            self._request += 1
            frame.request = self._request
        for _ in range(self.times):
            assert self.connection.send(pb.Frame.FromString(frame.SerializeToString()))
        return frame.request

    def answers(self, request: int) -> list[pb.Frame]:
        return [frame for frame in self.frames if frame.request == request]

    async def ask(self, frame: pb.Frame) -> pb.Frame:
        request = self.send(frame)
        await self.until(lambda: len(self.answers(request)) >= self.times)
        return self.answers(request)[0]

    async def register(self, *methods: str, slots: int = 4, held: tuple[pb.HeldRef, ...] = ()) -> pb.Frame:
        return await self.ask(
            pb.Frame(
                register=pb.Register(
                    facts=pb.WorkerFacts(id=self.id, name="raw", slots=slots, weight=1, language="test"),
                    methods=[pb.Method(name=method, version=1) for method in methods],
                    session_key=self.key,
                    held=held,
                )
            )
        )

    async def assigned(self, count: int) -> list[pb.Assignment]:
        def found() -> list[pb.Assignment]:
            return [task for frame in self.frames if frame.HasField("assign") for task in frame.assign.tasks]

        await self.until(lambda: len(found()) >= count)
        return found()

    def started(self, *tasks: pb.Assignment) -> None:
        refs = [pb.HeldRef(id=task.id, attempt=task.attempt, started_at=1) for task in tasks]
        self.send(pb.Frame(started=pb.Started(tasks=refs)), request=False)

    def finish_frame(self, *tasks: pb.Assignment, result: bytes = b"1") -> pb.Frame:
        results = [pb.Result(id=t.id, attempt=t.attempt, verdict=pb.SUCCEEDED, result=result) for t in tasks]
        return pb.Frame(finish=pb.Finish(results=results))

    async def stop(self) -> None:
        await self.connection.stop()
