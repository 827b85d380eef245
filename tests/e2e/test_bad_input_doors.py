"""What must not be taken, sent to a real node over each of its doors that takes tasks by messages: the link and gRPC.

The numbers are the rows of the catalogue of bad input. After every case the node lives and answers, nothing was accepted,
the link is still open, and the log has no more than one line of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_client import GrpcClient, new_task
from processes import House, house
from raw_websocket import BINARY, RawWebSocket, frame
from raw_worker import RawWorker
from rest import Rest

from rota.wire.v1 import house_pb2, status_pb2, tasks_pb2
from rota.wire.v1 import link_pb2 as pb

YEAR = 366 * 24 * 3600 * 1_000_000
NAN = struct.unpack("<d", b"\0\0\0\0\0\0\xf8\x7f")[0]


class Refused(Exception):
    """The code with which a door refused, the wrong places, and how it shows there."""

    def __init__(self, code: str, paths: list[str], look: Any, retry_after: int) -> None:
        super().__init__(code, paths)
        self.code, self.paths, self.look, self.retry_after = code, paths, look, retry_after


class LinkDoor:
    """Requests over a link. `ups` of the worker says whether it was ever closed."""

    def __init__(self, url: str) -> None:
        self.worker = RawWorker(url)

    async def ask(self, kind: str, body: Any) -> Any:
        frame = pb.Frame()
        getattr(frame, kind).CopyFrom(body)
        answer = await self.worker.ask(frame)
        failures = [answer.failure] if answer.HasField("failure") else []
        failures += [each.refusal for each in answer.submitted.exceptions if each.HasField("refusal")]
        for failure in failures:
            if failure.code != "batch_refused":  # the others of a batch with a bad one
                raise Refused(failure.code, [fault.path for fault in failure.errors], None, failure.retry_after)
        return getattr(answer, answer.WhichOneof("body"))


class GrpcDoor:
    """The same by calls. Not every request of a link has one of that name."""

    CALLS = {"submit": "Submit", "get": "Get", "list": "List", "cancel": "Cancel", "retry": "Retry", "why": "Why"}

    def __init__(self, address: str) -> None:
        self.client = GrpcClient(address)

    async def ask(self, kind: str, body: Any) -> Any:
        try:
            return await self.client.ask(self.CALLS[kind], body)
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from None


def refusal_of(error: grpc.aio.AioRpcError) -> Refused:
    trailers = dict(iter(error.trailing_metadata() or ()))
    details = status_pb2.RpcStatus.FromString(trailers.get("grpc-status-details-bin", b""))
    paths, after = [], 0
    for detail in details.details:
        if detail.type_url.endswith("BadRequest"):
            paths += [each.field for each in status_pb2.BadRequest.FromString(detail.value).field_violations]
        if detail.type_url.endswith("RetryInfo"):
            delay = status_pb2.RetryInfo.FromString(detail.value).retry_delay
            after = delay.seconds * 1_000_000 + delay.nanos // 1_000
    return Refused(str(trailers.get("rota-code", "")), paths, error.code(), after)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("doors")) as made:
        made.start_node("--grpc", "on")
        yield made


def lines_of(home: House) -> list[str]:
    return (home.folder / "node.log").read_text().splitlines()


def grpc_address(home: House) -> str:
    assert home.node is not None
    return json.loads(home.node.line())["grpc_address"]


@pytest.fixture(params=["link", "grpc"])
async def door(home: House, request: pytest.FixtureRequest) -> AsyncIterator[LinkDoor | GrpcDoor]:
    """A door; the node as it stood before it is as it stands afterwards."""
    rest = Rest(home.url)
    before, log = rest.get("/stats").json["submitted"], len(lines_of(home))
    if request.param == "grpc":
        made = GrpcDoor(grpc_address(home))
        yield made
        await made.client.close()
    else:
        over_link = LinkDoor(home.url)
        await over_link.worker.start()
        yield over_link
        await over_link.ask("read_stats", pb.ReadStats())
        assert (over_link.worker.ups, over_link.worker.final) == (1, None), "the link was never closed"
        await over_link.worker.stop()
    assert rest.get("/stats").json["submitted"] == before, "nothing was accepted"
    new = lines_of(home)[log:]
    assert len(new) <= 1, new


def options(**rest: Any) -> pb.Options:
    return pb.Options(**rest)


SUBMITS = [
    pytest.param({"params": b"hello"}, "invalid_json", "params", id="1-no-json"),
    pytest.param({"params": b'{"a":'}, "invalid_json", "params", id="1-truncated"),
    pytest.param({"params": b'null,"state":"succeeded"'}, "invalid_json", "params", id="1-a-field-of-the-answer"),
    pytest.param({"params": b"[" * 100_000}, "too_deep", "params", id="2-brackets"),
    pytest.param({"params": b"[NaN]"}, "invalid_json", "params", id="4-nan"),
    pytest.param({"params": b'"\\ud800"'}, "invalid_json", "params", id="6-surrogate"),
    pytest.param({"params": b'"\xff"'}, "invalid_unicode", "params", id="14-utf8"),
    pytest.param({"method": "m\0"}, "invalid_name", "method", id="7-nul"),
    pytest.param({"method": "m\x1b[31m"}, "invalid_name", "method", id="7-ansi"),
    pytest.param({"method": "m\u202etxt"}, "invalid_name", "method", id="7-bidi"),
    pytest.param({"method": "m" * 129}, "invalid_name", "method", id="7-long"),
    pytest.param({"method": ""}, "invalid_name", "method", id="57-no-method"),
    pytest.param({"batch": "a\nb"}, "invalid_name", "batch", id="7-batch"),
    pytest.param({"options": options(group="a\r\nb")}, "invalid_name", "options.group", id="37-crlf-in-group"),
    pytest.param({"options": options(unique_key="k\n")}, "invalid_key", "options.unique_key", id="7-key"),
    pytest.param({"version": 2**32 - 1}, "out_of_range", "version", id="8-version"),
    pytest.param({"options": options(delay=2**64 - 1)}, "out_of_range", "options.delay", id="8-2**64"),
    pytest.param({"options": options(run_at=2**63 - 1)}, "out_of_range", "options.run_at", id="25-far"),
    pytest.param({"options": options(run_at=-1)}, "out_of_range", "options.run_at", id="25-before-the-first-instant"),
    pytest.param({"options": options(delay=1, run_at=1)}, "both_given", "options.delay", id="25-both"),
    pytest.param({"options": options(priority=1_000_000)}, "out_of_range", "options.priority", id="26-priority"),
    pytest.param({"options": options(retries=10**9)}, "out_of_range", "options.retries", id="26-retries"),
    pytest.param({"options": options(timeout=0)}, "out_of_range", "options.timeout", id="26-timeout-0"),
    pytest.param({"options": options(timeout=200 * YEAR)}, "out_of_range", "options.timeout", id="26-timeout-far"),
    pytest.param({"options": options(retry_backoff=NAN)}, "out_of_range", "options.retry_backoff", id="26-nan"),
    pytest.param({"id": b"short"}, "invalid_id", "id", id="22-id"),
    pytest.param({"after": [b"short"]}, "invalid_id", "after[0]", id="22-parent"),
    pytest.param({"after": [b"x" * 16]}, "parent_not_found", "", id="22-unknown-parent"),
    pytest.param({"idempotency_key": "k" * 10_240}, "invalid_key", "idempotency_key", id="29-10kB"),
    pytest.param({"idempotency_key": "a\tb"}, "invalid_key", "idempotency_key", id="29-tab"),
    pytest.param({"labels": {f"l{n}": "" for n in range(33)}}, "too_many_labels", "labels", id="38-labels"),
    pytest.param({"labels": {"a": "x" * 65_536}}, "too_long", "labels.a", id="38-long-label"),
    pytest.param({"labels": {"a\n": "x"}}, "invalid_name", "labels", id="38-name-of-a-label"),
]


@pytest.mark.parametrize(("said", "code", "path"), SUBMITS)
async def test_tasks_that_cannot_be(door: LinkDoor | GrpcDoor, said: dict[str, Any], code: str, path: str) -> None:
    bad = pb.NewTask(**{"id": uuid.uuid4().bytes, "method": "m", **said})
    with pytest.raises(Refused) as caught:
        await door.ask("submit", pb.Submit(tasks=[bad], atomic=True))
    assert caught.value.code == code
    assert caught.value.paths[:1] == ([f"tasks[0].{path}"] if path else caught.value.paths[:1])
    expected = grpc.StatusCode.NOT_FOUND if code == "parent_not_found" else grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.look in (None, expected)


READS = [
    pytest.param("get", pb.Get(ids=[b"x"]), "invalid_id", "ids[0]", id="22-get"),
    pytest.param("cancel", pb.Cancel(ids=[b"x" * 17]), "invalid_id", "ids[0]", id="22-cancel"),
    pytest.param("get", pb.Get(ids=[b"x" * 16] * 10_001), None, "ids", id="23-too-many"),
    pytest.param("list", pb.List(cursor="x"), None, "cursor", id="23-cursor"),
    pytest.param("list", pb.List(cursor="9" * 30), None, "cursor", id="23-cursor-beyond"),
    pytest.param("list", pb.List(states=["' OR 1=1"]), None, "states[0]", id="24-state"),
]


@pytest.mark.parametrize(("kind", "body", "code", "path"), READS)
async def test_reads_that_cannot_be(door: LinkDoor | GrpcDoor, kind: str, body: Any, code: str, path: str) -> None:
    with pytest.raises(Refused) as caught:
        await door.ask(kind, body)
    assert code in (None, caught.value.code)
    assert caught.value.paths == [path]
    assert caught.value.look in (None, grpc.StatusCode.INVALID_ARGUMENT)


async def test_22_what_is_not_there_is_not_found(door: LinkDoor | GrpcDoor) -> None:
    with pytest.raises(Refused) as caught:
        await door.ask("why", house_pb2.Why(id=b"x" * 16))
    assert caught.value.code == "task_not_found"
    assert caught.value.look in (None, grpc.StatusCode.NOT_FOUND)
    outcomes = await door.ask("cancel", pb.Cancel(ids=[b"x" * 16]))
    assert [item.refusal.code for item in outcomes.items] == ["task_not_found"]


async def test_23_a_page_has_its_largest_size_whatever_is_asked(door: LinkDoor | GrpcDoor) -> None:
    page = await door.ask("list", pb.List(limit=2**32 - 1))
    assert len(page.tasks) <= 1_000


@pytest.mark.parametrize("text", ["%", "_", "' OR 1=1 --", ".*", "\\"])
async def test_24_texts_are_literal(home: House, door: LinkDoor | GrpcDoor, text: str) -> None:
    page = await door.ask("list", pb.List(text=f"nothing{text}is-called-so"))
    assert not page.tasks
    assert not (await door.ask("list", pb.List(method=text))).tasks


async def test_28_a_batch_of_none_or_too_many(door: LinkDoor | GrpcDoor) -> None:
    for tasks in ([], [new_task("m") for _ in range(1_001)]):
        with pytest.raises(Refused) as caught:
            await door.ask("submit", pb.Submit(tasks=tasks))
        assert caught.value.paths == ["tasks"]


async def test_28_one_bad_of_a_hundred_refuses_an_atomic_batch_by_its_place(door: LinkDoor | GrpcDoor) -> None:
    tasks = [new_task("m") for _ in range(99)] + [new_task("\a")]
    with pytest.raises(Refused) as caught:
        await door.ask("submit", pb.Submit(tasks=tasks, atomic=True))
    assert (caught.value.code, caught.value.paths) == ("invalid_name", ["tasks[99].method"])


# ---------------------------------------------------------------- rows where something is accepted


@pytest.fixture(params=["link", "grpc"])
async def taking(home: House, request: pytest.FixtureRequest) -> AsyncIterator[LinkDoor | GrpcDoor]:
    if request.param == "grpc":
        made = GrpcDoor(grpc_address(home))
        yield made
        await made.client.close()
        return
    over_link = LinkDoor(home.url)
    await over_link.worker.start()
    yield over_link
    await over_link.worker.stop()


async def test_25_an_instant_that_has_passed_means_now(taking: LinkDoor | GrpcDoor) -> None:
    past = new_task("m", options=options(run_at=1))
    await taking.ask("submit", pb.Submit(tasks=[past]))
    assert [task.state for task in (await taking.ask("get", pb.Get(ids=[past.id]))).tasks] == ["ready"]


async def test_27_a_method_that_nobody_knows_is_taken_with_a_warning(taking: LinkDoor | GrpcDoor) -> None:
    submitted = await taking.ask("submit", pb.Submit(tasks=[new_task("nobody-offers-this")]))
    assert [each.warning for each in submitted.exceptions] == ["no_worker_for_method"]


async def test_28_and_29_a_key_stands_for_one_task_and_one_body(taking: LinkDoor | GrpcDoor) -> None:
    key = uuid.uuid4().hex
    first, second, other = (new_task("m", body, idempotency_key=key) for body in (b"1", b"1", b"2"))
    submitted = await taking.ask("submit", pb.Submit(tasks=[first, second]))
    assert {each.index: each.duplicate_of for each in submitted.exceptions}[1] == first.id
    with pytest.raises(Refused) as caught:
        await taking.ask("submit", pb.Submit(tasks=[other], atomic=True))
    assert caught.value.code == "idempotency_key_reused"
    assert caught.value.look in (None, grpc.StatusCode.FAILED_PRECONDITION)


async def test_30_calls_that_the_state_forbids(taking: LinkDoor | GrpcDoor) -> None:
    task = new_task("never")
    await taking.ask("submit", pb.Submit(tasks=[task]))

    async def codes(kind: str, body: Any) -> list[str]:
        return [item.refusal.code or item.state for item in (await taking.ask(kind, body)).items]

    assert await codes("retry", pb.Retry(ids=[task.id])) == ["not_finished"]
    assert await codes("cancel", pb.Cancel(ids=[task.id])) == ["cancelled"]
    assert await codes("cancel", pb.Cancel(ids=[task.id])) == ["already_finished"]


# ---------------------------------------------------------------- 31, 32, 33: a full queue, no store, callers that go


async def test_31_a_full_queue_is_told_on_every_door_and_nothing_is_dropped(tmp_path: Any) -> None:
    with house(tmp_path) as home:
        await asyncio.to_thread(home.start_node, "--grpc", "on", "--max-queued", "2")
        over_link, over_grpc = LinkDoor(home.url), GrpcDoor(grpc_address(home))
        await over_link.worker.start()
        await over_link.ask("submit", pb.Submit(tasks=[new_task("m"), new_task("m")]))
        for door in (over_link, over_grpc):
            with pytest.raises(Refused) as caught:
                await door.ask("submit", pb.Submit(tasks=[new_task("m")]))
            assert caught.value.code == "queue_full"
            assert caught.value.retry_after >= 1_000_000
            assert caught.value.look in (None, grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert len((await over_grpc.ask("list", pb.List())).tasks) == 2
        await over_link.worker.stop()
        await over_grpc.client.close()


async def answered(door: GrpcDoor) -> Refused | None:
    try:
        await door.ask("list", pb.List())
    except Refused as refused:
        return refused
    return None


async def test_31_calls_above_the_rate_are_refused_over_grpc_with_the_time_to_come_again(tmp_path: Any) -> None:
    with house(tmp_path) as home:
        await asyncio.to_thread(home.start_node, "--grpc", "on", "--rate-limit", "5")
        door = GrpcDoor(grpc_address(home))
        refused = [answer for answer in [await answered(door) for _ in range(30)] if answer is not None]
        assert 5 < len(refused) < 30
        assert {(each.code, each.look) for each in refused} == {
            ("too_many_requests", grpc.StatusCode.RESOURCE_EXHAUSTED)
        }
        assert all(each.retry_after > 0 for each in refused)
        await door.client.close()


async def test_32_without_its_store_a_node_takes_nothing_on_any_door_and_says_when_to_come_again(tmp_path: Any) -> None:
    """The code says what became of it: `store_unavailable` is never kept, `outcome_unknown` may be."""
    with house(tmp_path) as home:
        await asyncio.to_thread(home.start_node, "--grpc", "on")
        over_link, over_grpc, rest = LinkDoor(home.url), GrpcDoor(grpc_address(home)), Rest(home.url)
        await over_link.worker.start()
        await over_link.ask("submit", pb.Submit(tasks=[new_task("before")]))
        for file in (tmp_path / "data").glob("rota.db*"):
            file.unlink()
        deadline = time.monotonic() + 20
        while await asyncio.to_thread(ready, rest) == 200:
            assert time.monotonic() < deadline, "it is noticed"
            with contextlib.suppress(Refused):
                await over_link.ask("submit", pb.Submit(tasks=[new_task("void")]))
        for door in (over_link, over_grpc):
            with pytest.raises(Refused) as caught:
                await door.ask("submit", pb.Submit(tasks=[new_task("void")], atomic=True))
            assert caught.value.code == "store_unavailable"
            assert caught.value.retry_after >= 1_000_000
            assert caught.value.look in (None, grpc.StatusCode.UNAVAILABLE)
        for path in ("/tasks", "/execute"):
            reply = await asyncio.to_thread(rest.post, path, {"method": "void"})
            assert (reply.status, reply.code) == (503, "store_unavailable")
            assert int(reply.headers["retry-after"]) >= 1
        assert (over_link.worker.ups, over_link.worker.final) == (1, None), "the link stays"
        log = (tmp_path / "node.log").read_text()
        assert "Traceback" not in log
        assert len(log.splitlines()) < 15, log
        await over_link.worker.stop()
        await over_grpc.client.close()


def ready(rest: Rest) -> int:
    answer = rest.raw(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return int(answer.split()[1])


async def test_33_callers_that_go_before_the_answer_leave_whole_tasks_or_none(home: House) -> None:
    rest, log = Rest(home.url), len(lines_of(home))
    labels = {"row": "33"}
    for _ in range(10):
        submit = pb.Submit(tasks=[new_task("gone", b'{"whole":true}', labels=labels)], wait=True)
        link = await RawWebSocket.dial(home.port, "/api/v1/link")
        for sent in (pb.Frame(hello=pb.Hello(versions=[1])), pb.Frame(request=1, submit=submit)):
            link.writer.write(frame(BINARY, sent.SerializeToString()))
        await link.message()
        await link.cut()
        client = GrpcClient(grpc_address(home))
        executed = tasks_pb2.Execute(tasks=[new_task("gone", b'{"whole":true}', labels=labels)])
        call = asyncio.create_task(client.ask("Execute", executed))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait([call])
        await client.close()
    found = (await asyncio.to_thread(rest.get, "/tasks?method=gone&limit=500")).json["tasks"]
    assert all(task["labels"] == labels and task["state"] == "ready" for task in found)
    assert lines_of(home)[log:] == []
