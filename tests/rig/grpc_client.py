"""A gRPC client of raw paths, for tests that drive a node in another process."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import uuid_utils
from google.protobuf.message import Message

from rota.link.channel import CONTROL
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1 import tasks_pb2
from rota.wire.v1.link_pb2 import Frame

TASKS, WORKERS = "/rota.v1.Tasks/", "/rota.v1.Workers/"
_SERVICE = tasks_pb2.DESCRIPTOR.services_by_name["Tasks"]


class GrpcClient:
    def __init__(self, address: str, token: str = "", credentials: Any = None) -> None:
        options = [("grpc.max_receive_message_length", -1)]
        self.channel = (
            grpc.aio.secure_channel(address, credentials, options)
            if credentials
            else grpc.aio.insecure_channel(address, options)
        )
        self.metadata = [("authorization", f"Bearer {token}")] if token else []

    def _answer(self, method: str) -> Any:
        return _SERVICE.methods_by_name[method].output_type._concrete_class.FromString

    async def ask(self, method: str, body: Message, timeout: float | None = 20) -> Any:
        call = self.channel.unary_unary(
            TASKS + method, request_serializer=_bytes, response_deserializer=self._answer(method)
        )
        return await call(body, metadata=self.metadata, timeout=timeout)

    def stream(self, method: str, body: Message) -> Any:
        call = self.channel.unary_stream(
            TASKS + method, request_serializer=_bytes, response_deserializer=self._answer(method)
        )
        return call(body, metadata=self.metadata)

    def link(self) -> GrpcLink:
        return GrpcLink(self.channel.stream_stream(WORKERS + "Link")(metadata=self.metadata))

    async def close(self) -> None:
        await self.channel.close()


class GrpcLink:
    """A worker that is nothing but frames, over a stream."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.frames: list[Frame] = []
        self._turn = asyncio.Lock()
        self._owed = 0

    async def send(self, request: int = 0, **body: Any) -> None:
        await self._write(Frame(request=request, **body))

    async def _write(self, frame: Frame) -> None:
        """One at a time, as the library has it."""
        async with self._turn:
            await self.call.write(frame.SerializeToString())

    async def next(self, kind: str, timeout: float = 20) -> Any:
        """The next frame of this kind; what else comes is kept."""
        async with asyncio.timeout(timeout):
            while True:
                for place, frame in enumerate(self.frames):
                    if frame.WhichOneof("body") == kind:
                        return getattr(self.frames.pop(place), kind)
                data = await self.call.read()
                assert data is not grpc.aio.EOF, f"the stream ended before a {kind} came: {await self.call.details()}"
                frame = Frame.FromString(data)
                if frame.WhichOneof("body") is not None:
                    self.frames.append(frame)
                await self._deal_with(frame, len(data))

    async def _deal_with(self, frame: Frame, size: int) -> None:
        """Gives credit, though seldom: a write that comes after the end makes the library forget how it ended."""
        self._owed += size if frame.WhichOneof("body") not in CONTROL else 0
        if self._owed > 1 << 20:
            owed, self._owed = self._owed, 0
            await self._write(Frame(credit=owed))

    async def hello(self) -> pb.Welcome:
        await self.send(hello=pb.Hello(versions=[1], window=8 << 20))
        return await self.next("welcome")

    async def register(self, worker_id: str, *methods: str, slots: int = 4, **rest: Any) -> pb.Registered:
        facts = pb.WorkerFacts(id=worker_id, slots=slots)
        listed = [pb.Method(name=name) for name in methods]
        register = pb.Register(facts=facts, methods=listed, session_key=b"k" * 16, **rest)
        await self.send(1, register=register)
        return await self.next("registered")

    async def finish(self, *tasks: pb.Assignment, result: bytes = b"1") -> pb.Finished:
        results = [pb.Result(id=task.id, attempt=task.attempt, verdict=1, result=result) for task in tasks]
        await self.send(2, finish=pb.Finish(results=results))
        return await self.next("finished")


def new_task(method: str, params: bytes = b"null", **rest: Any) -> pb.NewTask:
    return pb.NewTask(id=uuid_utils.uuid7().bytes, method=method, params=params, **rest)


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()
