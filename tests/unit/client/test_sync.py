"""The sync client: a thin portal, from any thread and any loop, over a fork, and at the end of the process."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_node import FakeLink, FakeNode, default_answer

from rota.client.call import call
from rota.client.sync import Client
from rota.link.codes import Close
from rota.model.errors import CannotConnect, InvalidInput, NotFound, RotaError, TaskFailed, WaitTimeout
from rota.wire.v1.link_pb2 import Ended, Failure, Frame, Submitted, Task, TaskPage

A = bytes([1]) * 16


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    return asyncio.run(make())


async def make() -> FakeNode:
    return FakeNode()


@pytest.fixture
def client(node: FakeNode) -> Iterator[Client]:
    with Client("http://a:1", dial=node.dial, connect_timeout=0.5) as client:
        yield client


def finishing(link: FakeLink, frame: Frame) -> Frame | None:
    """Every task returns its params, or fails where they say so."""
    ended = Ended()
    for task in frame.submit.tasks if frame.submit.wait else ():
        failed = task.params == b'"fail"'
        ended.outcomes.add(id=task.id, state="failed" if failed else "succeeded", reason="raised", result=task.params)
    for task_id in frame.wait.ids:
        ended.outcomes.add(id=task_id, state="succeeded", result=b'"waited"')
    if ended.outcomes:
        link.loop.call_soon(lambda: link.send(Frame(ended=ended)))
    return default_answer(frame)


def test_a_submitted_task_has_a_handle(node: FakeNode, client: Client) -> None:
    node.answer = finishing
    handle = client.submit("add", {"a": 1}, priority=2)
    assert node.bodies("submit")[0].submit.tasks[0].options.priority == 2
    assert handle.result(timeout=5) == "waited"
    assert handle.result() == "waited"
    assert len(node.bodies("wait")) == 1


def test_execute_returns_the_result_or_raises(node: FakeNode, client: Client) -> None:
    node.answer = finishing
    assert client.execute("echo", [1, 2]) == [1, 2]
    with pytest.raises(TaskFailed):
        client.execute("echo", "fail")


def test_waiting_too_long_tells_the_node(node: FakeNode, client: Client) -> None:
    with pytest.raises(WaitTimeout):
        client.execute("echo", wait_timeout=0.05)
    with pytest.raises(WaitTimeout):
        client.wait(A, timeout=0.05)
    deadline = threading.Event()
    for _ in range(100):
        if len(node.bodies("unwait")) == 2:
            break
        deadline.wait(0.01)
    assert len(node.bodies("unwait")) == 2


def test_refusals_are_raised_at_the_call(node: FakeNode, client: Client) -> None:
    refusal = Submitted.Exception(index=0, refusal=Failure(code="queue_full", detail="full"))
    node.answer = lambda link, frame: Frame(submitted=Submitted(exceptions=[refusal]))
    with pytest.raises(RotaError, match="full"):
        client.submit("add")
    node.answer = lambda link, frame: default_answer(frame)
    with pytest.raises(InvalidInput, match="the limit is"):
        client.submit("add", "x" * (2 << 20))
    with pytest.raises(NotFound):
        client.get(A)


def test_threads_share_one_connection_and_its_frames(node: FakeNode, client: Client) -> None:
    client.submit("warm")
    threads = [threading.Thread(target=lambda: [client.submit("add", n) for n in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(frame.submit.tasks) for frame in node.bodies("submit")) == 161
    assert len(node.links) == 1


def test_the_async_twins_work_from_any_loop(node: FakeNode, client: Client) -> None:
    node.answer = finishing

    async def use() -> None:
        handles = await asyncio.gather(*(client.asubmit("add", n) for n in range(100)))
        assert await handles[0] == "waited"
        assert await client.aexecute("echo", 5) == 5
        assert [o.value() async for o in client.aexecute_each(call("echo", n) for n in range(5))] == [0, 1, 2, 3, 4]
        assert len([o async for o in client.await_many(handle.id for handle in handles)]) == 100
        with pytest.raises(TaskFailed):
            await client.aexecute("echo", "fail")
        with pytest.raises(NotFound):
            await client.aget(A)

    asyncio.run(use())
    asyncio.run(use())
    assert len(node.links) == 1


def test_a_sync_call_in_a_running_loop_is_told_its_twin(client: Client) -> None:
    async def use() -> None:
        for act, twin in (
            (lambda: client.submit("add"), "asubmit"),
            (lambda: client.execute("add"), "aexecute"),
            (lambda: client.get(A), "aget"),
            (lambda: client.wait(A), "await_"),
            (lambda: client.stats(), "astats"),
            (lambda: list(client.list()), "alist"),
        ):
            with pytest.raises(RotaError, match=rf"await …{twin}\(") as raised:
                act()
            assert raised.value.code == "sync_in_loop"

    asyncio.run(use())


def test_outcomes_come_in_order_and_bounded_in_flight(node: FakeNode, client: Client) -> None:
    node.answer = finishing
    made = 0

    def calls() -> Iterator[object]:
        nonlocal made
        for n in range(5_000):
            made += 1
            yield call("echo", n)

    outcomes = client.execute_each(calls())  # type: ignore[arg-type]
    assert next(outcomes).value() == 0
    assert made <= 2_001
    assert [outcome.value() for outcome in outcomes] == list(range(1, 5_000))


def test_outcomes_as_completed_and_gathered(node: FakeNode, client: Client) -> None:
    node.answer = finishing
    ids = [number.to_bytes(16, "big") for number in range(2_500)]
    assert len(list(client.wait_many(ids))) == 2_500
    assert [outcome.id[-4:] for outcome in client.gather(ids[:3])] == ["0000", "0001", "0002"]


def test_lists_are_drawn_page_by_page(node: FakeNode, client: Client) -> None:
    node.answer = lambda link, frame: Frame(tasks=TaskPage(tasks=[Task(id=A)], cursor="more"))
    tasks = client.list(states=["ready"])
    next(tasks)
    next(tasks)
    assert len(node.bodies("list")) == 2
    tasks.close()  # type: ignore[attr-defined]


def test_it_reconnects_by_itself(node: FakeNode, client: Client) -> None:
    client.submit("add")
    link = node.link
    link.loop.call_soon_threadsafe(link.close, Close.ABNORMAL, "broke")
    assert client.submit("add").id


def test_no_node_is_told_in_time(node: FakeNode) -> None:
    node.refuses = ConnectionRefusedError("nobody")
    with Client("http://a:1", dial=node.dial, connect_timeout=0.1) as client:
        for ask in (lambda: client.submit("add"), lambda: client.stats(), lambda: client.wait(A)):
            with pytest.raises(CannotConnect, match="nobody"):
                ask()


def test_a_closed_client_begins_anew_when_it_is_used(node: FakeNode, client: Client) -> None:
    before = threading.active_count()
    client.submit("add")
    client.close()
    client.close()
    assert threading.active_count() == before
    assert node.link.goodbye == "the client is closed"
    assert client.submit("add").id


def run(script: str) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).parent
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(here)}, check=False,
    )  # fmt: skip


PRELUDE = """
import asyncio, os, sys
from fake_node import FakeNode
from rota.client.sync import Client
async def make(): return FakeNode()
node = asyncio.run(make())
client = Client("http://a:1", dial=node.dial)
"""


def test_a_forked_child_starts_afresh() -> None:
    done = run(
        PRELUDE
        + textwrap.dedent("""
        handle = client.submit("add")
        child = os.fork()
        if child == 0:
            assert client.submit("add").id != handle.id
            assert len(node.links) == 2, node.links   # its own link; the parent's was copied, and is not used
            client.close()
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert client.submit("add").id
        assert len(node.links) == 1
        print("both went on")
        """)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "both went on\n", "")


def test_a_client_that_was_not_closed_does_not_hold_up_the_end_of_the_process() -> None:
    done = run(PRELUDE + "client.submit('add'); print('last line')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "last line\n", "")


def test_ctrl_c_ends_a_wait() -> None:
    done = run(
        PRELUDE
        + textwrap.dedent("""
        import signal, threading
        client.submit("add")
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            client.wait(bytes(16))
        except KeyboardInterrupt:
            print("interrupted", bool(client.submit("add").id))
        """)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted True\n", "")
