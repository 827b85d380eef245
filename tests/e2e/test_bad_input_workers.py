"""What a worker must not say, over a link and over a gRPC stream of a real node. The numbers are the rows of the catalogue.

After every case no worker is registered that should not be, tasks stand as they stood, and the node's log has no more than
one line of it.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from grpc_client import GrpcClient, GrpcLink
from processes import House, house
from raw_websocket import BINARY, CLOSE, RawWebSocket, frame
from rest import Rest

from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

KEY = b"k" * 16


class OverLink:
    """A worker that is nothing but frames, over a WebSocket."""

    def __init__(self, socket: RawWebSocket) -> None:
        self.socket = socket

    async def send(self, request: int = 0, **body: Any) -> None:
        self.socket.writer.write(frame(BINARY, Frame(request=request, **body).SerializeToString()))

    async def next(self, kind: str) -> Any:
        while True:
            message = Frame.FromString(await self.socket.message())
            if message.WhichOneof("body") == kind:
                return getattr(message, kind)

    async def end(self) -> str:
        async with asyncio.timeout(10):
            while True:
                opcode, data = await self.socket.frame()
                if opcode == CLOSE:
                    return data[2:].decode()


class OverGrpc(GrpcLink):
    async def end(self) -> str:
        async with asyncio.timeout(10):
            await self.call.code()
        return str(await self.call.details())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("workers")) as made:
        made.start_node("--grpc", "on")
        yield made


@pytest.fixture(params=["link", "grpc"])
async def worker(home: House, request: pytest.FixtureRequest) -> AsyncIterator[OverLink | OverGrpc]:
    """Greeted, and not registered."""
    log = (home.folder / "node.log").read_text().splitlines()
    client = None
    if request.param == "grpc":
        assert home.node is not None
        client = GrpcClient(json.loads(home.node.line())["grpc_address"])
        made: OverLink | OverGrpc = OverGrpc(client.channel.stream_stream("/rota.v1.Workers/Link")())
    else:
        made = OverLink(await RawWebSocket.dial(home.port, "/api/v1/link"))
    await made.send(hello=pb.Hello(versions=[1], window=8 << 20))
    await made.next("welcome")
    yield made
    if isinstance(made, OverLink):
        await made.socket.cut()
    if client is not None:
        await client.close()
    new = (home.folder / "node.log").read_text().splitlines()[len(log) :]
    assert len(new) <= 1, new


def facts(**said: Any) -> pb.WorkerFacts:
    return pb.WorkerFacts(**{"id": uuid.uuid4().hex, "slots": 1, **said})


REGISTERS = [
    pytest.param({"facts": facts(id="w\x1b[31m")}, "facts.id", id="7-ansi"),
    pytest.param({"facts": facts(id="w\r\nx")}, "facts.id", id="7-crlf"),
    pytest.param({"facts": facts(groups=["a\0b"])}, "facts.groups[0]", id="7-group"),
    pytest.param({"methods": [pb.Method(name="m\u202etxt")]}, "methods[0].name", id="7-method"),
    pytest.param({"facts": facts(labels={f"l{n}": "" for n in range(33)})}, "facts.labels", id="38-labels"),
    pytest.param({"facts": facts(labels={"a\n": ""})}, "facts.labels", id="38-name-of-a-label"),
    pytest.param({"methods": [pb.Method(name=f"m{n}") for n in range(10_001)]}, "methods", id="52-10001-methods"),
    pytest.param({"methods": [pb.Method(name="m" * (1 << 20))]}, "methods[0].name", id="52-1MB-name"),
    pytest.param({"methods": [pb.Method(name="a"), pb.Method(name="a")]}, "methods", id="52-twice"),
    pytest.param({"facts": facts(slots=0)}, "facts.slots", id="52-no-slots"),
    pytest.param({"facts": facts(slots=10**9)}, "facts.slots", id="52-1e9-slots"),
    pytest.param({"facts": facts(slots=2**32 - 1)}, "facts.slots", id="52-minus-1-slots"),
    pytest.param({"facts": facts(weight=10**6)}, "facts.weight", id="52-weight"),
    pytest.param({"session_key": b"short"}, "session_key", id="52-key"),
    pytest.param({"held": [pb.HeldRef(id=b"x", attempt=1)]}, "held[0].id", id="22-id"),
]


@pytest.mark.parametrize(("said", "path"), REGISTERS)
async def test_who_cannot_be_is_not_registered_and_may_try_again(
    home: House, worker: OverLink | OverGrpc, said: dict[str, Any], path: str
) -> None:
    whole = {"facts": facts(), "methods": [pb.Method(name="m")], "session_key": KEY, **said}
    await worker.send(5, register=pb.Register(**whole))
    failure = await worker.next("failure")
    assert [fault.path for fault in failure.errors] == [path]
    assert failure.detail
    assert online(home) == 0
    await worker.send(6, register=pb.Register(facts=facts(), session_key=KEY))
    await worker.next("registered")


def online(home: House) -> int:
    return sum(1 for each in Rest(home.url).get("/workers").json["workers"] if each["online"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"heartbeat": pb.Heartbeat()}, id="53-heartbeat"),
        pytest.param({"finish": pb.Finish()}, id="49-finish"),
        pytest.param({"started": pb.Started()}, id="49-started"),
        pytest.param({"release": pb.Release()}, id="49-release"),
    ],
)
async def test_53_a_worker_that_nobody_knows_is_told_to_register(
    worker: OverLink | OverGrpc, body: dict[str, Any]
) -> None:
    await worker.send(5, **body)
    assert "register" in (await worker.end()).lower()


async def at_work(worker: OverLink | OverGrpc, home: House) -> tuple[str, pb.Assignment]:
    """Registered, with a task in hand that no other takes."""
    name = uuid.uuid4().hex
    await worker.send(5, register=pb.Register(facts=facts(), methods=[pb.Method(name=name)], session_key=KEY))
    await worker.next("registered")
    made = await asyncio.to_thread(Rest(home.url).post, "/tasks", {"method": name})
    return made.json["id"], (await worker.next("assign")).tasks[0]


async def finish(worker: OverLink | OverGrpc, **said: Any) -> list[str]:
    await worker.send(7, finish=pb.Finish(results=[pb.Result(**{"attempt": 1, "verdict": 1, "result": b"1", **said})]))
    return [each.code for each in (await worker.next("finished")).refused]


async def test_49_and_50_results_that_are_not_its_to_give(home: House, worker: OverLink | OverGrpc) -> None:
    foreign = await asyncio.to_thread(Rest(home.url).post, "/tasks", {"method": "never"})
    task_id, task = await at_work(worker, home)
    assert await finish(worker, id=uuid.UUID(foreign.json["id"]).bytes) == ["stale_attempt"]
    assert await finish(worker, id=b"x" * 16) == ["task_not_found"]
    assert await finish(worker, id=task.id, attempt=7) == ["stale_attempt"]
    state = await asyncio.to_thread(Rest(home.url).get, f"/tasks/{task_id}")
    assert state.json["state"] in ("ready", "running")
    assert await finish(worker, id=task.id) == []
    assert await finish(worker, id=task.id) == [], "the same again gets the same answer"
    assert await finish(worker, id=task.id, result=b"2") == ["conflict"]
    assert (await asyncio.to_thread(Rest(home.url).get, f"/tasks/{task_id}")).json["result"] == 1
    assert (await asyncio.to_thread(Rest(home.url).get, f"/tasks/{foreign.json['id']}")).json["state"] == "ready"


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(b"hello", id="1-no-json"),
        pytest.param(b'1,"state":"cancelled"', id="1-a-field-of-the-answer"),
        pytest.param(b"[" * 100_000, id="2-brackets"),
        pytest.param(b"NaN", id="4-nan"),
        pytest.param(b'"\\ud800"', id="6-surrogate"),
        pytest.param(b'"\xff"', id="14-utf8"),
    ],
)
async def test_a_result_that_is_no_json_fails_its_task_and_breaks_no_answer(
    home: House, worker: OverLink | OverGrpc, result: bytes
) -> None:
    task_id, task = await at_work(worker, home)
    assert await finish(worker, id=task.id, result=result) == []
    for path in (f"/tasks/{task_id}", f"/tasks/{task_id}/wait?timeout=0"):
        shown = (await asyncio.to_thread(Rest(home.url).get, path)).json
        assert (shown["state"], shown["result"]) == ("failed", None)
        assert shown["error"]["type"] == "ResultNotJson"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"id": b"x"}, id="22-id"),
        pytest.param({"verdict": 0}, id="57-no-verdict"),
        pytest.param({"verdict": 99}, id="57-unknown-verdict"),
        pytest.param({"ran": 2**63}, id="8-2**63"),
    ],
)
async def test_a_result_that_cannot_be_read_is_refused_with_its_place(
    home: House, worker: OverLink | OverGrpc, said: dict[str, Any]
) -> None:
    _, task = await at_work(worker, home)
    result = pb.Result(**{"id": task.id, "attempt": 1, "verdict": 1, "result": b"1", **said})
    await worker.send(7, finish=pb.Finish(results=[result]))
    failure = await worker.next("failure")
    assert failure.errors[0].path.startswith("results[0]")
    assert await finish(worker, id=task.id) == []


async def test_53_a_flood_of_heartbeats_disturbs_nobody(home: House, worker: OverLink | OverGrpc) -> None:
    _, task = await at_work(worker, home)
    for _ in range(3_000):
        await worker.send(heartbeat=pb.Heartbeat())
    assert (await asyncio.to_thread(Rest(home.url).get, "/stats")).status == 200
    assert await finish(worker, id=task.id) == []
