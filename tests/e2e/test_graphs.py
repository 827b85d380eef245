"""Chains, fan-out and fan-in, batches, debounce and concurrency keys, by a real node and a worker process; over the link and
over gRPC. And a worker that is told to drain, to go on, and to end."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from grpc_client import GrpcClient, new_task
from processes import RIG, House, house

from rota import App, Client, Conflict, TaskCancelled, TaskFailed
from rota.wire.v1 import house_pb2, tasks_pb2
from rota.wire.v1 import link_pb2 as pb

TIMEOUT = 20.0


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("graphs")) as made:
        made.start_node("--grpc", "on")
        assert made.node is not None
        made.grpc_address = json.loads(made.node.line())["grpc_address"]  # type: ignore[attr-defined]
        made.start_worker("--slots", "8", app="graph_handlers:app")
        with Client(made.url) as client:
            until(lambda: client.workers())
        yield made


@pytest.fixture
def tasks(where: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the handlers, as a program has it that submits them."""
    monkeypatch.syspath_prepend(str(RIG))
    sys.modules.pop("graph_handlers", None)
    import graph_handlers

    graph_handlers.app.use(Client(where.url))
    yield graph_handlers
    graph_handlers.app.close()


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def begun(where: House, *ids: str) -> list[str]:
    """The keys of these tasks, in the order their handlers began."""
    return [run["key"] for run in where.runs() if run["task"] in ids and run["event"] == "begin"]


# --- over the link


def test_a_chain_runs_in_its_order(where: House, tasks: Any) -> None:
    steps = [tasks.part.submit("step 0")]
    for number in range(1, 5):
        steps.append(tasks.part.options(after=[steps[-1]]).submit(f"step {number}"))
    assert steps[-1].result(TIMEOUT) == "step 4"
    assert begun(where, *(step.id for step in steps)) == [f"step {number}" for number in range(5)]


def test_many_fan_out_from_one_and_one_comes_after_all_of_them(where: House, tasks: Any) -> None:
    first = tasks.part.submit("first")
    parts = tasks.app.submit_many(
        [tasks.part.options(after=[first]).call(f"part {number}") for number in range(50)], batch="fan"
    )
    last = tasks.told.options(after=parts, batch="fan").submit()
    after, batch = last.result(TIMEOUT)
    assert (after, batch) == ([part.id for part in parts], "fan")
    order = begun(where, first.id, last.id, *(part.id for part in parts))
    assert (order[0], order[-1], len(order)) == ("first", "told", 52)


def test_who_comes_after_a_failure_fails_with_it_or_runs_anyway(tasks: Any) -> None:
    broken = tasks.part.submit("broken", fails=True)
    child = tasks.part.options(after=[broken]).submit("child")
    grandchild = tasks.part.options(after=[child]).submit("grandchild")
    anyway = tasks.told.options(after=[broken], on_parent_failure="run").submit()
    assert anyway.result(TIMEOUT)[0] == [broken.id]
    for handle in (child, grandchild):
        with pytest.raises(TaskFailed) as failed:
            handle.result(TIMEOUT)
        assert failed.value.reason == "parent_failed"
    assert child.view().attempt == 0


def test_a_batch_is_counted_and_waited_for_and_its_failures_run_again(tasks: Any) -> None:
    batch = tasks.app.submit_many(
        [tasks.part.call(f"n{number}", fails=number == 3) for number in range(10)], batch="ten"
    )
    info = batch.wait(TIMEOUT)
    assert (info.total, info.succeeded, info.failed, info.finished) == (10, 9, 1, True)
    assert tasks.app.batch("ten").info() == info
    assert batch.retry().done == 1
    assert batch.wait(TIMEOUT).tasks == info.tasks
    assert batch[3].view().attempt == 2


def test_what_has_not_begun_of_a_batch_is_cancelled(tasks: Any, tmp_path: Path) -> None:
    gate = tasks.waits_for.submit(str(tmp_path / "gate"))
    batch = tasks.app.submit_many([tasks.part.options(after=[gate]).call(str(n)) for n in range(3)], batch="called off")
    assert batch.cancel().done == 3
    with pytest.raises(TaskCancelled):
        batch[0].result(TIMEOUT)
    (tmp_path / "gate").touch()
    assert gate.result(TIMEOUT) == "through"


def test_of_many_changes_the_last_one_is_worked_off_once(where: House, tasks: Any) -> None:
    changes = [tasks.reindexes.submit(number) for number in range(5)]
    assert changes[-1].result(TIMEOUT) == 4
    assert begun(where, *(change.id for change in changes)) == ["4"]
    with pytest.raises(TaskCancelled):
        changes[0].result(TIMEOUT)
    assert changes[0].view().reason == "replaced"


def test_a_unique_key_may_refuse(tasks: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    holds = tasks.waits_for.options(unique_key="one", unique_mode="reject").submit(str(gate))
    with pytest.raises(Conflict) as refused:
        tasks.waits_for.options(unique_key="one", unique_mode="reject").submit(str(gate))
    assert refused.value.code == "unique_key_taken"
    gate.touch()
    assert holds.result(TIMEOUT) == "through"


def test_of_a_concurrency_key_no_more_run_at_once_than_it_says(where: House, tasks: Any) -> None:
    pages = tasks.app.submit_many([tasks.prints.call(page) for page in range(10)])
    assert [page.result(TIMEOUT) for page in pages] == list(range(10))
    assert most_at_once(where, {page.id for page in pages}) == 2


def most_at_once(where: House, ids: set[str]) -> int:
    running = most = 0
    for run in sorted((run for run in where.runs() if run["task"] in ids), key=lambda run: run["at"]):
        running += 1 if run["event"] == "begin" else -1
        most = max(most, running)
    return most


def test_why_tells_of_parents_and_of_the_key(tasks: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    held = tasks.waits_for.options(concurrency_key="gate").submit(str(gate))
    until(lambda: held.view().started_at is not None)
    second = tasks.waits_for.options(concurrency_key="gate").submit(str(gate))
    third = tasks.part.options(after=[held]).submit("third")
    assert (second.why().causes[0].code, second.why().causes[0].by) == ("key_concurrency_full", (held.id,))
    assert (third.why().causes[0].code, third.why().causes[0].by) == ("waiting_for_parents", (held.id,))
    gate.touch()
    assert [second.result(TIMEOUT), third.result(TIMEOUT)] == ["through", "third"]


# --- over gRPC


async def test_the_same_over_grpc(where: House) -> None:
    client = GrpcClient(where.grpc_address)  # type: ignore[attr-defined]
    try:
        first = new_task("part", b'{"name":"first"}', batch="over grpc")
        parts = [new_task("part", b'{"name":"part %d"}' % n, after=[first.id], batch="over grpc") for n in range(5)]
        last = new_task("told", b"{}", after=[part.id for part in parts], batch="over grpc")
        executed = await client.ask("Execute", tasks_pb2.Execute(tasks=[first, *parts, last]))
        after, batch = json.loads(executed.items[-1].outcome.result)
        assert (len(after), batch) == (5, "over grpc")
        counts = await client.ask("Batch", house_pb2.ReadBatch(name="over grpc"))
        assert dict(counts.tasks) == {"succeeded": 7}

        key = pb.Options(concurrency_key="by grpc", concurrency_limit=2)
        pages = [new_task("prints", b'{"page":%d}' % n, options=key) for n in range(6)]
        await client.ask("Execute", tasks_pb2.Execute(tasks=pages))
        assert await asyncio.to_thread(most_at_once, where, {ids(page) for page in pages}) == 2

        index = pb.Options(unique_key="index by grpc", debounce=500_000)
        changes = [new_task("reindexes", b'{"change":%d}' % n, options=index) for n in range(3)]
        executed = await client.ask("Execute", tasks_pb2.Execute(tasks=changes))
        assert [item.outcome.reason for item in executed.items] == ["replaced", "replaced", "returned"]
    finally:
        await client.close()


def ids(task: pb.NewTask) -> str:
    from uuid import UUID

    return str(UUID(bytes=task.id))


# --- workers told what to do


def test_a_worker_drains_goes_on_and_ends_as_it_is_told(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        where.start_node()
        worker = where.start_worker("--name", "the one")
        with Client(where.url) as client:
            until(lambda: client.workers())
            client.drain_worker("the one")
            waiting = client.submit("add", [1, 2])
            assert waiting.why().causes[0].code == "workers_draining"
            client.resume_worker("the one")
            assert waiting.result(TIMEOUT) == 3
            gate = tmp_path / "gate"
            running = client.submit("hold", [str(gate)])
            until(lambda: running.view().started_at is not None)
            client.shut_down_worker("the one")
            until(lambda: client.workers()[0].draining)
            gate.touch()
            assert running.result(TIMEOUT) == "done by attempt 1"
            assert worker.wait() == 0
            until(lambda: not client.workers())


def test_handlers_beside_a_node_end_without_the_node(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        where.start_node("--app", "handlers:app")
        with Client(where.url) as client:
            until(lambda: client.workers())
            assert client.execute("add", [1, 2], wait_timeout=TIMEOUT) == 3
            client.shut_down_worker(client.workers()[0].id)
            until(lambda: not client.workers())
            assert client.submit("add", [1, 2]).why().causes[0].code == "no_worker"


def test_an_embedded_worker_whose_handlers_cannot_be_stopped_is_replaced(tmp_path: Path) -> None:
    app = App(f"embedded://{tmp_path / 'data'}")
    gate = tmp_path / "gate"

    @app.task(timeout=0.2)
    def stuck() -> None:
        while not gate.exists():
            try:
                time.sleep(0.01)
            except BaseException:  # what stops a handler
                continue

    @app.task
    def add(a: int, b: int) -> int:
        return a + b

    try:
        handles = [stuck.submit() for _ in range(4)]
        for handle in handles:
            with pytest.raises(TaskFailed):
                handle.result(TIMEOUT)
        assert add.submit(1, 2).result(TIMEOUT) == 3
    finally:
        gate.touch()
        app.close()
