"""A node with its gRPC door on a socket, and a client of the library in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import grpc
import grpc.aio
from doors_kit import KEY, Node
from google.protobuf.message import Message
from grpc_client import GrpcLink
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from rota.access.policy import Policy
from rota.access.tokens import Token, Tokens
from rota.transport.grpc_door import GrpcDoor
from rota.transport.grpc_server import GrpcServer
from rota.wire.v1 import admin_pb2, nodes_pb2, status_pb2, tasks_pb2, workers_pb2
from rota.wire.v1 import link_pb2 as pb

SECRET = "correct-horse-battery-staple-of-the-first-kind"
TASKS, WORKERS, HEALTH = "/rota.v1.Tasks/", "/rota.v1.Workers/", "/grpc.health.v1.Health/"
ADMIN, NODES = "/rota.v1.Admin/", "/rota.v1.Nodes/"
SERVICES = {
    "rota.v1.Tasks": tasks_pb2.DESCRIPTOR.services_by_name["Tasks"],
    "rota.v1.Workers": workers_pb2.DESCRIPTOR.services_by_name["Workers"],
    "rota.v1.Admin": admin_pb2.DESCRIPTOR.services_by_name["Admin"],
    "rota.v1.Nodes": nodes_pb2.DESCRIPTOR.services_by_name["Nodes"],
    "grpc.health.v1.Health": health_pb2.DESCRIPTOR.services_by_name["Health"],
    "grpc.reflection.v1.ServerReflection": reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
    "grpc.reflection.v1alpha.ServerReflection": reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
}
"""What the schemas declare, whatever the door serves."""
RPCS = {f"/{name}/{method.name}": method for name, service in SERVICES.items() for method in service.methods}


class Refused(NamedTuple):
    """How a call failed, as a stock client reads it."""

    status: grpc.StatusCode
    code: str
    fields: list[str]
    text: str


def refused(error: grpc.aio.AioRpcError) -> Refused:
    trailers = dict(iter(error.trailing_metadata() or ()))
    details = status_pb2.RpcStatus.FromString(trailers.get("grpc-status-details-bin", b""))
    fields: list[str] = []
    for detail in details.details:
        if detail.type_url.endswith("google.rpc.BadRequest"):
            fields += [each.field for each in status_pb2.BadRequest.FromString(detail.value).field_violations]
        if detail.type_url.endswith("google.rpc.ErrorInfo"):
            assert status_pb2.ErrorInfo.FromString(detail.value).reason == trailers["rota-code"]
    if details.details:
        assert details.code == error.code().value[0]
    return Refused(error.code(), str(trailers.get("rota-code", "")), fields, error.details() or "")


class Client:
    """Calls by their paths."""

    def __init__(self, address: str, token: str = "", credentials: grpc.ChannelCredentials | None = None) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = (
            grpc.aio.insecure_channel(address, options)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options)
        )
        self.metadata = [("authorization", f"Bearer {token}")] if token else []

    async def raw(
        self, path: str, message: bytes = b"", metadata: Any = None, timeout: float | None = 10
    ) -> list[bytes]:
        """Any call, whatever its shape: what comes back until it ends. Raises AioRpcError."""
        said = self.metadata if metadata is None else metadata
        return [answer async for answer in self.channel.unary_stream(path)(message, metadata=said, timeout=timeout)]

    async def talk(self, path: str, *messages: bytes) -> list[bytes]:
        """Messages one after another, and the answer to each."""
        call = self.channel.stream_stream(path)(metadata=self.metadata, timeout=10)
        answers = []
        for message in messages:
            await call.write(message)
            answers.append(await call.read())
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        return answers

    async def ask(self, method: str, body: Message, timeout: float | None = 10) -> Any:
        """One message in, one out."""
        path = TASKS + method if "/" not in method else method
        answer = RPCS[path].output_type._concrete_class
        return await self.channel.unary_unary(path, request_serializer=_bytes, response_deserializer=answer.FromString)(
            body, metadata=self.metadata, timeout=timeout
        )

    async def refused(self, method: str, body: Message, timeout: float | None = 10) -> Refused:
        try:
            answer = await self.ask(method, body, timeout)
        except grpc.aio.AioRpcError as error:
            return refused(error)
        raise AssertionError(f"{method} was answered with {answer}")

    def stream(self, method: str, body: Message) -> Any:
        path = TASKS + method if "/" not in method else method
        answer = RPCS[path].output_type._concrete_class
        return self.channel.unary_stream(path, request_serializer=_bytes, response_deserializer=answer.FromString)(
            body, metadata=self.metadata
        )

    def link(self) -> Link:
        return Link(self.channel.stream_stream(WORKERS + "Link")(metadata=self.metadata))

    async def worker(self, worker_id: str = "w1", methods: tuple[str, ...] = ("add",), **rest: Any) -> Link:
        link = self.link()
        await link.hello()
        await link.register(worker_id, methods, **rest)
        return link

    async def close(self) -> None:
        await self.channel.close()


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


class Link(GrpcLink):
    """With what only a test of the door asks of a worker."""

    async def hello(self, **rest: Any) -> pb.Welcome:
        await self.send(hello=pb.Hello(versions=rest.pop("versions", [1]), window=8 << 20, **rest))
        return await self.next("welcome")

    async def register(
        self, worker_id: str, methods: tuple[str, ...] = ("add",), slots: int = 16, **rest: Any
    ) -> pb.Registered:
        facts = pb.WorkerFacts(id=worker_id, slots=slots)
        listed = [pb.Method(name=name) for name in methods]
        key = rest.pop("session_key", KEY)
        await self.send(99, register=pb.Register(facts=facts, methods=listed, session_key=key, **rest))
        return await self.next("registered")

    async def assigned(self, count: int = 1) -> list[pb.Assignment]:
        tasks: list[pb.Assignment] = []
        while len(tasks) < count:
            tasks += (await self.next("assign")).tasks
        return tasks

    async def finish(self, *tasks: pb.Assignment, result: bytes = b"3") -> pb.Finished:
        results = [pb.Result(id=task.id, attempt=task.attempt, verdict=1, result=result) for task in tasks]
        await self.send(98, finish=pb.Finish(results=results))
        return await self.next("finished")

    async def end(self) -> Refused:
        """How the stream ends, with whatever comes before it read."""
        async with asyncio.timeout(10):
            while True:
                try:
                    if await self.call.read() is grpc.aio.EOF:
                        break
                except grpc.aio.AioRpcError as error:
                    return refused(error)
            code, trailers = await self.call.code(), dict(iter(await self.call.trailing_metadata()))
        return Refused(code, str(trailers.get("rota-code", "")), [], await self.call.details() or "")


class Door:
    """A node, its door, and clients that are closed with it."""

    def __init__(self, node: Node, server: GrpcServer, door: GrpcDoor) -> None:
        self.node, self.server, self.door = node, server, door
        self._clients: list[Client] = []

    def client(self, token: str = "", **options: Any) -> Client:
        self._clients.append(Client(self.server.address, token, **options))
        return self._clients[-1]

    async def close(self) -> None:
        for client in self._clients:
            await client.close()
        await self.node.lobby.leave(within=1.0)
        await self.server.stop()


StartDoor = Callable[..., Awaitable[Door]]


def guarded(*roles: str) -> Policy:
    return Policy(open_mode=False, tokens=Tokens([Token.of(SECRET, roles)]))


def task(method: str = "add", **rest: Any) -> pb.NewTask:
    return pb.NewTask(method=method, params=rest.pop("params", b"[1]"), **rest)
