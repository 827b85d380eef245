"""F3: nodes and workers are told to stop, once and twice, and one after the other under load.

`ROTA_RESTARTS` (4) says how many restarts the rolling one has; half of them are the node's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import history
import pytest
from checker import judge
from processes import RIG, House, Process, house

from rota import AsyncClient, Client
from rota.client.views import Receipt, TaskView
from rota.model.errors import CannotConnect

RESTARTS = int(os.environ.get("ROTA_RESTARTS", "4"))
NOTES = 30_000
"""Bytes of about a hundred tasks, between two restarts."""
STOP_WITHIN = 30.0
SHORT = ("--lease-ttl", "3s", "--heartbeat", "1s", "--closed-lease-ttl", "1s")
SETTLE = 60.0


def until(what: Callable[[], bool], timeout: float = 20.0) -> None:
    """Waits for what only another process can say."""
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline, "it did not come in time"
        threading.Event().wait(0.01)


def size(where: House) -> int:
    """Bytes that the handlers have written of themselves."""
    file = where.folder / "runs.jsonl"
    return file.stat().st_size if file.exists() else 0


def begun(where: House, task: str) -> list[dict]:
    return [run for run in where.runs() if run["event"] == "begin" and run["task"] == task]


def stop(process: Process) -> int:
    """Its exit code after one TERM. Fails where it takes longer than an orchestrator waits."""
    process.signal(signal.SIGTERM)
    return process.wait(STOP_WITHIN)


def readiness(url: str) -> tuple[int, str]:
    """Status and reason of /readyz; (0, "") where nobody listens."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())["reason"]
    except OSError:
        return 0, ""


def spent(view: TaskView) -> tuple[str, int, int]:
    return view.state, view.failures, view.rescues


# --- under load


@contextlib.contextmanager
def storm(where: House) -> Iterator[Callable[[], Path]]:
    """Submitters in a process of their own; tasks of 0.1 s, so that each stop meets some in hand. Yields the way to end it."""
    out, end = where.folder / "asks.jsonl", where.folder / "stop"
    words = [str(RIG / "storm.py"), where.url, str(out), str(end), "16", "0.04", "mark", "0.1"]
    child = subprocess.Popen([sys.executable, *words])

    def ended() -> Path:
        end.touch()
        assert child.wait(90) == 0
        return out

    try:
        yield ended
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


@contextlib.contextmanager
def caller(where: House) -> Iterator[list[int]]:
    """Somebody who waits for each result before the next call. Yields the results; an error of any call is raised at the end."""
    results: list[int] = []
    enough = threading.Event()

    def call(client: Client) -> None:
        while not enough.is_set():
            results.append(client.execute("add", {"a": len(results), "b": 1}))

    with Client(where.url, connect_timeout=60) as client, ThreadPoolExecutor(1) as threads:
        calling = threads.submit(call, client)
        try:
            yield results
        finally:
            enough.set()
            calling.result(60)


def restart(where: House, workers: list[Process], number: int) -> None:
    """The node and the workers in turn; the old one has ended before the new one begins."""
    if number % 2 == 0:
        assert stop(where.node) == 0
        where.start_node()
        return
    oldest = workers.pop(0)
    assert stop(oldest) == 0
    workers.append(where.start_worker("--slots", "64"))


def all_ended(client: Client) -> list[TaskView]:
    deadline = time.monotonic() + SETTLE
    while unended := [view.id for view in client.list(states=["unended"])]:
        assert time.monotonic() < deadline, f"{len(unended)} tasks did not end"
        list(client.wait_many(unended, timeout=SETTLE))
    return list(client.list(method="mark"))


@pytest.mark.timeout(1800)
def test_a_rolling_restart_under_load_fails_no_submit_and_spends_nothing(tmp_path: Path) -> None:
    took: list[float] = []
    with house(tmp_path) as where:
        where.start_node()
        workers = [where.start_worker("--slots", "64") for _ in range(2)]
        with storm(where) as end_of_storm, caller(where) as results:
            for number in range(RESTARTS):
                notes, calls = size(where) + NOTES, len(results) + 5
                until(lambda notes=notes, calls=calls: size(where) >= notes and len(results) >= calls)
                at = time.monotonic()
                restart(where, workers, number)
                took.append(time.monotonic() - at)
            asked = history.asks(end_of_storm())
        with Client(where.url) as client:
            views = all_ended(client)
            verdict = judge(asked, history.runs(where.runs()), history.rows(client))
    print(f"{RESTARTS} restarts, {len(asked)} tasks, {len(results)} calls, the longest restart {max(took):.2f} s")
    assert [ask.key for ask in asked if ask.answered is None] == [], "submits that failed"
    assert results == list(range(1, len(results) + 1)), "each call got its own result"
    assert verdict.clean, verdict
    assert {spent(view) for view in views} == {("succeeded", 0, 0)}
    begins = Counter(run["task"] for run in where.runs() if run["event"] == "begin")
    assert {task: count for task, count in begins.items() if count > 1} == {}, "begun twice"


# --- a node


@contextlib.asynccontextmanager
async def under_way(where: House, seconds: float) -> AsyncIterator[tuple[Process, asyncio.Task[Receipt]]]:
    """A node that has begun with a submit and will take so long for its commit, and that submit."""
    node = where.start_node(env={"ROTA_FAILPOINTS": f"store.before_commit=sleep:{seconds * 1000:.0f}"})
    async with AsyncClient(where.url, connect_timeout=60) as client:
        await client.stats()
        submit = asyncio.create_task(client.submit("mark", {"key": "k"}))
        await asyncio.sleep(0)  # it asks for the frame
        await asyncio.sleep(0)  # the frame leaves
        await client.stats()  # which is answered after what came before has begun
        assert not submit.done()
        yield node, submit


async def test_a_node_that_drains_says_so_takes_no_link_and_ends_with_0(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        async with under_way(where, 4.0) as (node, submit):
            assert readiness(where.url) == (200, "")
            node.signal(signal.SIGTERM)
            until(lambda: readiness(where.url) == (503, "draining"))
            async with AsyncClient(where.url, connect_timeout=0.1) as late:
                with pytest.raises(CannotConnect, match="503"):
                    await late.submit("mark", {"key": "late"})
            accepted = await submit
            assert node.wait(STOP_WITHIN) == 0
        where.start_node()
        async with AsyncClient(where.url) as client:
            assert [view.id async for view in client.list(method="mark")] == [accepted.id]


async def test_a_second_signal_ends_a_node_at_once_and_loses_nothing(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        async with under_way(where, 8.0) as (node, submit):
            node.signal(signal.SIGTERM)
            until(lambda: readiness(where.url) == (503, "draining"))
            node.signal(signal.SIGTERM)
            assert node.wait(6) == -signal.SIGTERM, "it did not wait for the commit"
            assert not submit.done()
            where.start_node()
            accepted = await submit
        async with AsyncClient(where.url) as client:
            assert [view.id async for view in client.list(method="mark")] == [accepted.id], "sent again, and kept once"


def test_a_frozen_worker_does_not_hold_up_the_node_and_comes_back_with_its_task(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        worker = where.start_worker()
        task = client.submit("hold", {"gate": str(gate)}).id
        until(lambda: len(begun(where, task)) == 1)
        worker.signal(signal.SIGSTOP)
        assert stop(where.node) == 0
        where.start_node()
        worker.signal(signal.SIGCONT)
        gate.touch()
        assert client.wait(task, timeout=20).value() == "done by attempt 1"
        assert spent(client.get(task)) == ("succeeded", 0, 0)


def test_workers_and_clients_of_a_node_that_stops_are_back_when_the_next_one_is_there(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        where.start_worker()
        task = client.submit("hold", {"gate": str(gate)})
        until(lambda: len(begun(where, task.id)) == 1)
        before = client.workers()[0].id
        assert stop(where.node) == 0
        where.start_node()
        until(lambda: [worker.id for worker in client.workers()] == [before])
        gate.touch()
        assert client.wait(task.id, timeout=20).value() == "done by attempt 1"
        assert len(begun(where, task.id)) == 1


# --- a worker


def test_a_worker_out_of_patience_gives_back_what_runs_and_ends_with_0(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        worker = where.start_worker("--slots", "2", "--shutdown-grace", "500ms")
        held = [client.submit("hold", {"gate": str(gate)}).id for _ in range(2)]
        until(lambda: all(begun(where, task) for task in held))
        queued = [client.submit("mark", {"key": f"q{n}"}).id for n in range(5)]
        assert stop(worker) == 0
        given_back = client.get_many([*held, *queued])
        assert {spent(view) for view in given_back.values()} == {("ready", 0, 0)}
        where.start_worker()
        gate.touch()
        assert {outcome.state for outcome in client.gather([*held, *queued], timeout=20)} == {"succeeded"}
        assert {spent(view) for view in client.get_many([*held, *queued]).values()} == {("succeeded", 0, 0)}
        assert {past.reason for task in held for past in client.get(task).attempts} == {"drained"}


def test_a_second_signal_ends_a_worker_at_once_and_its_task_runs_elsewhere(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        worker = where.start_worker()
        task = client.submit("hold", {"gate": str(gate)}).id
        until(lambda: len(begun(where, task)) == 1)
        worker.signal(signal.SIGTERM)
        until(lambda: client.workers()[0].draining)
        worker.signal(signal.SIGTERM)
        assert worker.wait(5) == 128 + signal.SIGTERM
        where.start_worker()
        until(lambda: len(begun(where, task)) == 2)
        gate.touch()
        assert client.wait(task, timeout=20).value() == "done by attempt 2"
        assert spent(client.get(task)) == ("succeeded", 0, 1), "no try of its retries"


def test_a_worker_that_is_told_to_stop_while_the_node_is_away_ends_with_0(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url, connect_timeout=30) as client:
        where.start_node(*SHORT)
        worker = where.start_worker("--shutdown-grace", "1s")
        task = client.submit("hold", {"gate": str(gate)}).id
        until(lambda: len(begun(where, task)) == 1)
        assert stop(where.node) == 0
        assert stop(worker) == 0
        where.start_node(*SHORT)
        where.start_worker()
        gate.touch()
        assert client.wait(task, timeout=60).state == "succeeded"
        assert client.get(task).failures == 0


@pytest.mark.evidence
def test_a_worker_as_it_comes_ends_within_30_seconds_whatever_its_handlers_do(tmp_path: Path) -> None:
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        worker = where.start_worker()
        tasks = [client.submit("hold", {"gate": str(tmp_path / "never")}).id]
        tasks += [client.submit("mark_in_thread", {"key": f"t{n}", "pause": 300}).id for n in range(2)]
        until(lambda: all(begun(where, task) for task in tasks))
        assert stop(worker) == 0, "nor do threads that cannot be stopped hold it up"
        assert {spent(view) for view in client.get_many(tasks).values()} == {("ready", 0, 0)}
