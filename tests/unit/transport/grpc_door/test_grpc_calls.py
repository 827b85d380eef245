"""Tasks over gRPC: every verb, what wrong input gets, and what a deadline or a cancelled call leaves behind."""

import asyncio
import time
from typing import Any

import grpc
import grpc.aio
import pytest
from doors_kit import new_id, payload
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_kit import HEALTH, RPCS, TASKS, WORKERS, Client, Door, StartDoor, guarded, refused, task

from rota.model.errors import Unavailable
from rota.transport import call as call_module
from rota.transport import grpc_door, grpc_health, grpc_tasks
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1 import tasks_pb2

INVALID, CANCELLED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.CANCELLED


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def log(worker: Any, task_id: bytes, *texts: str) -> None:
    lines = [pb.LogLine(text=text, level=20) for text in texts]
    await worker.send(report=pb.Report(entries=[pb.Report.Entry(id=task_id, attempt=1, lines=lines)]))


# --- submit


async def test_what_was_submitted_is_there_and_every_id_is_told(client: Client) -> None:
    own = new_id()
    submitted = await client.ask("Submit", pb.Submit(tasks=[task(), task(id=own), task()]))
    assert submitted.ids[1] == own
    assert len({len(each) for each in submitted.ids}) == 1
    page = await client.ask("Get", pb.Get(ids=submitted.ids))
    assert [each.id for each in page.tasks] == list(submitted.ids)
    assert {(each.state, each.params) for each in page.tasks} == {("ready", b"[1]")}


async def test_the_same_key_names_the_task_that_stands_for_it(client: Client) -> None:
    [first] = (await client.ask("Submit", pb.Submit(tasks=[task(idempotency_key="k")]))).ids
    again = await client.ask("Submit", pb.Submit(tasks=[task(idempotency_key="k")]))
    assert list(again.ids) == [first]
    other = await client.refused("Submit", pb.Submit(tasks=[task(idempotency_key="k", params=b"2")]))
    assert (other.status, other.code) == (grpc.StatusCode.FAILED_PRECONDITION, "idempotency_key_reused")


async def test_of_a_batch_the_bad_ones_are_refused_by_their_place(client: Client) -> None:
    submitted = await client.ask("Submit", pb.Submit(tasks=[task(), task(method=""), task()]))
    assert [bool(each) for each in submitted.ids] == [True, False, True]
    [refusal] = [each for each in submitted.exceptions if each.HasField("refusal")]
    assert (refusal.index, refusal.refusal.errors[0].path) == (1, "tasks[1].method")


async def test_an_atomic_batch_is_refused_as_a_whole_for_its_bad_task(client: Client) -> None:
    good = new_id()
    found = await client.refused("Submit", pb.Submit(tasks=[task(id=good), task(method="")], atomic=True))
    assert (found.status, found.code, found.fields) == (INVALID, "invalid_name", ["tasks[1].method"])
    assert not (await client.ask("Get", pb.Get(ids=[good]))).tasks


@pytest.mark.parametrize(
    ("method", "body", "field"),
    [
        ("Submit", pb.Submit(), "tasks"),
        ("Submit", pb.Submit(tasks=[pb.NewTask()]), "tasks[0].method"),
        ("Submit", pb.Submit(tasks=[task(id=b"short")]), "tasks[0].id"),
        ("Submit", pb.Submit(tasks=[task(options=pb.Options(priority=99))]), "tasks[0].options.priority"),
        (
            "Submit",
            pb.Submit(tasks=[task(options=pb.Options(retry_backoff=float("nan")))]),
            "tasks[0].options.retry_backoff",
        ),
        ("Submit", pb.Submit(tasks=[task()] * 1001), "tasks"),
        ("Submit", pb.Submit(tasks=[task(params=b" " * (1 << 20) + b"1")]), "tasks[0].params"),
        ("Execute", tasks_pb2.Execute(), "tasks"),
        ("Execute", tasks_pb2.Execute(tasks=[pb.NewTask()]), "tasks[0].method"),
        ("Get", pb.Get(ids=[b"x"]), "ids[0]"),
        ("Get", pb.Get(ids=[b"x" * 16] * 10_001), "ids"),
        ("List", pb.List(states=["bogus"]), "states[0]"),
        ("List", pb.List(cursor="x"), "cursor"),
        ("Cancel", pb.Cancel(ids=[b""]), "ids[0]"),
        ("Retry", pb.Retry(ids=[b"x"]), "ids[0]"),
    ],
)
async def test_wrong_input_is_an_invalid_argument_with_its_place(
    client: Client, method: str, body: Message, field: str
) -> None:
    found = await client.refused(method, body)
    assert (found.status, found.fields) == (INVALID, [field])
    assert len((await client.ask("List", pb.List())).tasks) == 0


@pytest.mark.parametrize(("method", "body"), [("Wait", pb.Wait(ids=[b"x"])), ("Logs", pb.ReadLogs(id=b"x"))])
async def test_wrong_input_of_a_stream_is_an_invalid_argument_too(client: Client, method: str, body: Message) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stream(method, body).read()
    assert refused(caught.value).status is INVALID


GARBAGE = [b"\xff\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 10_000, b"\x0a\x05abc", b"\x08" + b"\xff" * 11]


@pytest.mark.parametrize("path", [path for path in RPCS if not path.endswith(("Link", "Info", "Health/List"))])
@pytest.mark.parametrize("garbage", GARBAGE)
async def test_what_cannot_be_read_is_an_invalid_argument(client: Client, path: str, garbage: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.raw(path, garbage)
    found = refused(caught.value)
    assert (found.status, found.code) == (INVALID, "invalid_message")
    assert (await client.ask("Stats", pb.ReadStats())).node_id


async def test_a_message_over_the_limit_is_refused_before_it_is_read(client: Client) -> None:
    for size, status in ((4 << 20, INVALID), ((4 << 20) + 1, grpc.StatusCode.RESOURCE_EXHAUSTED)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.raw(TASKS + "Submit", b"\xff" * size)
        assert caught.value.code() is status


async def test_a_small_message_that_unpacks_into_a_large_one_is_refused(client: Client) -> None:
    call = client.channel.unary_unary(TASKS + "Stats")
    assert await call(b"\x7a\x03abc", compression=grpc.Compression.Gzip)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\x7a" + b"\0" * (64 << 20), compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


# --- read


async def test_a_list_is_read_page_by_page_newest_first(client: Client) -> None:
    ids: list[bytes] = []
    for _ in range(3):
        ids += (await client.ask("Submit", pb.Submit(tasks=[task() for _ in range(5)]))).ids
    found: list[bytes] = []
    cursor, pages = "", 0
    while cursor or not pages:
        page = await client.ask("List", pb.List(limit=4, cursor=cursor))
        found += [each.id for each in page.tasks]
        cursor, pages = page.cursor, pages + 1
    assert found == ids[::-1]
    assert pages == 4


async def test_the_node_tells_of_itself_its_workers_and_methods(client: Client) -> None:
    worker = await client.worker("w1", ("add", "mail"))
    assert (await client.ask("Stats", pb.ReadStats())).workers == 1
    [view] = (await client.ask(WORKERS + "List", pb.ListWorkers())).workers
    assert (view.facts.id, view.online, list(view.methods)) == ("w1", True, ["add", "mail"])
    methods = (await client.ask("Methods", pb.ListMethods())).methods
    assert {(each.name, each.workers) for each in methods} == {("add", 1), ("mail", 1)}
    assert not worker.call.done()


# --- execute


async def test_execute_answers_with_the_outcomes_in_order(client: Client) -> None:
    worker = await client.worker()
    running = asyncio.create_task(
        client.ask("Execute", tasks_pb2.Execute(tasks=[task(params=str(n).encode()) for n in range(1, 4)]))
    )
    for each in reversed(await worker.assigned(3)):
        await worker.finish(each, result=each.params + b"0")
    items = (await running).items
    assert [item.outcome.result for item in items] == [b"10", b"20", b"30"]
    assert {item.outcome.state for item in items} == {"succeeded"}


async def test_execute_tells_failures_and_refusals_beside_results(client: Client) -> None:
    worker = await client.worker()
    running = asyncio.create_task(
        client.ask(
            "Execute", tasks_pb2.Execute(tasks=[task(), task(method=""), task(method="nobody")], wait_timeout=10**9)
        )
    )
    [one] = await worker.assigned(1)
    error = pb.Error(types=["ValueError"], message="no such sum")
    await worker.send(5, finish=pb.Finish(results=[pb.Result(id=one.id, attempt=1, verdict=pb.RAISED, error=error)]))
    await worker.next("finished")
    page = await client.ask("List", pb.List(method="nobody"))
    await client.ask("Cancel", pb.Cancel(ids=[page.tasks[0].id], reason="nobody does it"))
    failed, bad, cancelled = (await running).items
    assert (failed.outcome.state, failed.outcome.error.message) == ("failed", "no such sum")
    assert bad.refusal.errors[0].path == "tasks[1].method"
    assert not bad.HasField("outcome")
    assert cancelled.outcome.state == "cancelled"
    assert cancelled.warning == "no_worker_for_method"


async def test_execute_answers_at_its_wait_timeout_with_what_has_ended(client: Client) -> None:
    worker = await client.worker()
    running = asyncio.create_task(
        client.ask("Execute", tasks_pb2.Execute(tasks=[task(), task(method="nobody")], wait_timeout=300_000))
    )
    await worker.finish(*await worker.assigned(1))
    done, going = (await running).items
    assert done.outcome.state == "succeeded"
    assert not going.HasField("outcome")
    assert (await client.ask("Get", pb.Get(ids=[going.id]))).tasks[0].state == "ready"


async def test_execute_of_a_known_task_answers_with_its_outcome(client: Client) -> None:
    worker = await client.worker()
    first = asyncio.create_task(client.ask("Execute", tasks_pb2.Execute(tasks=[task(idempotency_key="k")])))
    await worker.finish(*await worker.assigned(1))
    [done] = (await first).items
    [again] = (await client.ask("Execute", tasks_pb2.Execute(tasks=[task(idempotency_key="k")]))).items
    assert (again.id, again.outcome.result) == (done.id, b"3")


async def test_results_that_do_not_fit_are_left_off_and_can_be_had(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_tasks, "ANSWER_ROOM", 1_500_000)
    monkeypatch.setattr(call_module, "HIGH_WATER", 500_000)
    worker = await client.worker()
    four = tasks_pb2.Execute(tasks=[task() for _ in range(4)])
    running = asyncio.create_task(client.ask("Execute", four))
    result = payload(700_000)
    for each in await worker.assigned(4):
        await worker.finish(each, result=result)
    items = list((await running).items)
    assert [item.outcome.state for item in items] == ["succeeded"] * 4
    assert sum(item.left_off for item in items) == 2
    for item in items:
        whole = item.outcome.result
        if item.left_off:
            assert not whole
            whole = (await client.ask("Get", pb.Get(ids=[item.id]))).tasks[0].result
        assert whole == result


# --- wait


async def test_wait_tells_of_each_task_as_it_ends_and_then_ends_itself(client: Client) -> None:
    worker = await client.worker()
    ids = list((await client.ask("Submit", pb.Submit(tasks=[task(), task()]))).ids)
    first, second = await worker.assigned(2)
    await worker.finish(first)
    nobody = new_id()
    stream = client.stream("Wait", pb.Wait(ids=[*ids, nobody]))
    told: dict[bytes, str] = {}
    while len(told) < 2:
        told.update({each.id: each.state for each in (await stream.read()).outcomes})
    assert told == {first.id: "succeeded", nobody: "unknown"}
    await worker.finish(second)
    assert [each.id for each in (await stream.read()).outcomes] == [second.id]
    assert await stream.read() is grpc.aio.EOF


async def test_a_waiter_that_is_behind_gets_everything_in_the_end(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_module, "HIGH_WATER", 100_000)
    worker = await client.worker(slots=40)
    ids = list((await client.ask("Submit", pb.Submit(tasks=[task() for _ in range(30)]))).ids)
    stream = client.stream("Wait", pb.Wait(ids=ids))
    tasks = await worker.assigned(30)
    result = payload(90_000)
    for start in range(0, 30, 10):
        await worker.finish(*tasks[start : start + 10], result=result)
    told = {each.id: each.result async for ended in stream for each in ended.outcomes}
    assert told == dict.fromkeys(ids, result)


# --- cancel, retry


async def test_cancel_and_retry_answer_for_each_task(client: Client) -> None:
    [task_id] = (await client.ask("Submit", pb.Submit(tasks=[task()]))).ids
    nobody = new_id()
    items = (await client.ask("Cancel", pb.Cancel(ids=[task_id, nobody], reason="not wanted"))).items
    assert [(item.state, item.refusal.code) for item in items] == [("cancelled", ""), ("", "task_not_found")]
    [again] = (await client.ask("Cancel", pb.Cancel(ids=[task_id]))).items
    assert again.refusal.code == "already_finished"
    [item] = (await client.ask("Retry", pb.Retry(ids=[task_id]))).items
    assert item.state == "ready"


# --- logs


async def test_logs_are_read_and_followed_to_the_end(client: Client) -> None:
    worker = await client.worker()
    [task_id] = (await client.ask("Submit", pb.Submit(tasks=[task()]))).ids
    [one] = await worker.assigned(1)
    await log(worker, task_id, "first")
    stream = client.stream("Logs", pb.ReadLogs(id=task_id, follow=True))
    texts = [line.text for line in (await stream.read()).lines]
    await log(worker, task_id, "second", "third")
    await worker.finish(one)
    complete = False
    while not complete:
        logs = await stream.read()
        texts += [line.text for line in logs.lines]
        complete = logs.complete
    assert texts == ["first", "second", "third"]
    assert await stream.read() is grpc.aio.EOF
    [rest] = [each async for each in client.stream("Logs", pb.ReadLogs(id=task_id, after=2))]
    assert ([line.text for line in rest.lines], rest.complete) == (["third"], True)


async def test_the_log_of_an_unknown_task_is_not_found(client: Client) -> None:
    for follow in (False, True):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.stream("Logs", pb.ReadLogs(id=new_id(), follow=follow)).read()
        assert refused(caught.value)[:2] == (grpc.StatusCode.NOT_FOUND, "task_not_found")


async def test_a_follow_that_fails_inside_ends_the_call(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    [task_id] = (await client.ask("Submit", pb.Submit(tasks=[task()]))).ids

    async def broken(*_: object) -> Any:
        raise KeyError("a bug with a secret")

    monkeypatch.setattr(door.node.engine, "read_logs", broken)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stream("Logs", pb.ReadLogs(id=task_id, follow=True)).read()
    found = refused(caught.value)
    assert (found.status, found.code) == (grpc.StatusCode.INTERNAL, "internal")
    assert "secret" not in str(caught.value)


# --- deadlines, and calls that are given up


async def test_a_deadline_of_nothing_is_exceeded(client: Client) -> None:
    for deadline in (0, 0.000001):
        found = await client.refused("Execute", tasks_pb2.Execute(tasks=[task()]), timeout=deadline)
        assert found.status is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_deadline_ends_the_wait_and_not_the_task(door: Door, client: Client) -> None:
    found = await client.refused("Execute", tasks_pb2.Execute(tasks=[task()]), timeout=0.3)
    assert found.status is grpc.StatusCode.DEADLINE_EXCEEDED
    waiters = door.node.engine._waiters
    await until(lambda: not len(waiters))
    assert [each.state for each in (await client.ask("List", pb.List())).tasks] == ["ready"]


async def test_a_call_that_answers_at_once_has_a_deadline_of_the_nodes_own(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_door, "UNARY_WITHIN", 0.2)
    over = asyncio.Event()

    async def slow(*_: object) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            over.set()

    monkeypatch.setattr(door.node.engine, "get", slow)
    found = await client.refused("Get", pb.Get(ids=[new_id()]), timeout=None)
    assert (found.status, found.code) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
    assert over.is_set()
    worker = await client.worker()
    began = time.perf_counter()
    running = asyncio.create_task(client.ask("Execute", tasks_pb2.Execute(tasks=[task()]), timeout=None))
    [one] = await worker.assigned(1)
    await asyncio.sleep(0.3)
    await worker.finish(one)
    assert (await running).items[0].outcome.state == "succeeded"
    assert time.perf_counter() - began > 0.25, "Execute waits for its tasks, however long"


@pytest.mark.parametrize("path", [TASKS + "Stats", TASKS + "Submit", TASKS + "Wait", HEALTH + "Check"])
async def test_a_call_whose_message_does_not_come_is_ended(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Calls that are open and silent could take up all the room there is for calls."""
    monkeypatch.setattr(grpc_door, "MESSAGE_WITHIN", 0.2)
    call = client.channel.stream_stream(path)()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert refused(caught.value)[:2] == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
    empty = client.channel.stream_stream(path)()
    await empty.done_writing()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await empty.read()
    assert refused(caught.value)[:2] == (INVALID, "invalid_message")


async def test_who_is_not_let_in_is_told_before_a_message_is_read(start_door: StartDoor) -> None:
    client = (await start_door(guarded("admin"))).client()
    for path in RPCS:
        if path != HEALTH + "Check":
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.channel.stream_stream(path)(timeout=5).read()
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, path


async def test_a_submit_whose_caller_goes_away_is_kept_whole(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store and the index hear the same: a worker gets the task that nobody was told of."""
    store, begun, go = door.node.store, asyncio.Event(), asyncio.Event()
    submit = store.submit

    async def slow(*args: Any, **rest: Any) -> Any:
        receipts = await submit(*args, **rest)
        begun.set()
        await go.wait()
        return receipts

    monkeypatch.setattr(store, "submit", slow)
    call = asyncio.create_task(client.ask("Execute", tasks_pb2.Execute(tasks=[task()])))
    await begun.wait()
    call.cancel()
    await asyncio.wait([call])
    await until(lambda: not [t for t in asyncio.all_tasks() if "Call.ask" in repr(t.get_coro())])
    go.set()
    worker = await client.worker()
    assert len(await worker.assigned(1)) == 1
    await until(lambda: not len(door.node.engine._waiters))


@pytest.mark.parametrize("method", ["Wait", "Logs"])
async def test_a_stream_that_is_cancelled_leaves_nothing_behind(door: Door, client: Client, method: str) -> None:
    [task_id] = (await client.ask("Submit", pb.Submit(tasks=[task()]))).ids
    bodies: dict[str, Message] = {"Wait": pb.Wait(ids=[task_id]), "Logs": pb.ReadLogs(id=task_id, follow=True)}
    before = len(asyncio.all_tasks())
    streams = [client.stream(method, bodies[method]) for _ in range(20)]
    waiters, followers = door.node.engine._waiters, door.node.journal._followers
    await until(lambda: len(waiters) + sum(map(len, followers.values())) == 20)
    for stream in streams:
        stream.cancel()
    await until(lambda: not len(waiters) and not followers)
    await until(lambda: len(asyncio.all_tasks()) <= before)
    assert not door.door._waiting


# --- health, drain, trouble


async def test_health_says_what_readiness_says(door: Door, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_health, "EVERY", 0.01)
    watch = client.stream(HEALTH + "Watch", health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    for reason, status in (("", "SERVING"), ("store_unavailable", "NOT_SERVING"), ("draining", "NOT_SERVING")):
        door.node.ready = reason
        for service in ("", "rota.v1.Tasks", "rota.v1.Workers"):
            found = await client.ask(HEALTH + "Check", health_pb2.HealthCheckRequest(service=service))
            assert found.status == health_pb2.HealthCheckResponse.ServingStatus.Value(status)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_the_health_of_an_unknown_service_is_not_found(client: Client) -> None:
    asked = health_pb2.HealthCheckRequest(service="rota.v9.Nothing")
    found = await client.refused(HEALTH + "Check", asked)
    assert found.status is grpc.StatusCode.NOT_FOUND
    told = await client.stream(HEALTH + "Watch", asked).read()
    assert told.status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def test_a_node_that_drains_takes_no_call_and_says_so(door: Door, client: Client) -> None:
    door.node.ready = "draining"
    found = await client.refused("Submit", pb.Submit(tasks=[task()]))
    assert (found.status, found.code) == (grpc.StatusCode.UNAVAILABLE, "draining")


async def test_the_stop_ends_what_waits_and_finishes_what_writes(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    [task_id] = (await client.ask("Submit", pb.Submit(tasks=[task()]))).ids
    store, begun, go = door.node.store, asyncio.Event(), asyncio.Event()
    submit = store.submit

    async def slow(*args: Any, **rest: Any) -> Any:
        begun.set()
        await go.wait()
        return await submit(*args, **rest)

    streams = [
        client.stream("Wait", pb.Wait(ids=[task_id])),
        client.stream("Logs", pb.ReadLogs(id=task_id, follow=True)),
        client.stream(HEALTH + "Watch", health_pb2.HealthCheckRequest()),
    ]
    executing = asyncio.create_task(client.refused("Execute", tasks_pb2.Execute(tasks=[task()]), timeout=None))
    await streams[2].read()
    await until(lambda: len(door.door._waiting) == 4 and len(door.node.engine._waiters) == 2)
    monkeypatch.setattr(store, "submit", slow)
    submitting = asyncio.create_task(client.ask("Submit", pb.Submit(tasks=[task()])))
    await begun.wait()
    stopping = asyncio.create_task(door.server.stop())
    for stream in streams:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert refused(caught.value)[:2] == (grpc.StatusCode.UNAVAILABLE, "draining")
    assert (await executing).code == "draining"
    go.set()
    assert len((await submitting).ids) == 1
    await stopping


async def test_a_store_that_is_away_is_unavailable_with_a_time_to_come_again(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> Any:
        raise Unavailable("the store is away", code="store_unavailable")

    monkeypatch.setattr(door.node.store, "submit", away)
    found = await client.refused("Submit", pb.Submit(tasks=[task()]))
    assert (found.status, found.code) == (grpc.StatusCode.UNAVAILABLE, "store_unavailable")


async def test_a_fault_inside_the_node_tells_nothing_of_itself(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> Any:
        raise KeyError("a bug with a secret")

    monkeypatch.setattr(door.node.engine, "get", broken)
    found = await client.refused("Get", pb.Get(ids=[new_id()]))
    assert (found.status, found.code) == (grpc.StatusCode.INTERNAL, "internal")
    assert "secret" not in found.text
    assert "a bug with a secret" in caplog.text
