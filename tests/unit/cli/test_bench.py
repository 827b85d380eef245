"""`rota bench` as a process: real nodes and workers, figures only for a run in which each task ended once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from processes import House, house
from scripted_client import Rota

from rota import Client
from rota.cli.bench.load import Load
from rota.cli.bench.plan import Plan
from rota.cli.output import Output
from rota.client.views import Outcome, Receipt
from rota.model.errors import RotaError

FIGURES = {
    "bulk_submit_per_s",
    "end_to_end_per_s",
    "submit_one_by_one_per_s",
    "submit_in_flight_per_s",
    "execute_p50_ms",
    "execute_p99_ms",
    "worker_first_task_s",
    "node_memory_bytes",
    "node_memory_loaded_bytes",
    "worker_memory_bytes",
    "worker_memory_loaded_bytes",
}
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a bench whose temporary folder is inside the test's."""
    started: list[subprocess.Popen[str]] = []

    def call(*argv: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "rota.cli", "bench", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def of_the_bench(folder: Path) -> list[psutil.Process]:
    """Processes that work in a folder of a bench."""
    return [each for each in psutil.process_iter() if str(folder / "rota-bench-") in _place(each)]


def _place(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def until(what: Callable[[], Any], timeout: float = 30.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come in time"
        threading.Event().wait(0.02)
    return found


def commands(folder: Path) -> dict[str, psutil.Process]:
    """node and worker, once they run."""
    found = {}
    for process in of_the_bench(folder):
        words = process.cmdline()
        if "rota.cli" in words:
            found[words[words.index("rota.cli") + 1]] = process
    return found


def nothing_is_left(folder: Path) -> bool:
    return not of_the_bench(folder) and not list(folder.glob("rota-bench-*"))


def test_a_bench_of_its_own_tells_every_figure_and_leaves_nothing(start: Start, tmp_path: Path) -> None:
    process = start("--tasks", "300", "--repeat", "2", "--payload", "1KiB", "--durability", "relaxed", "--json")
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    value = json.loads(out)
    assert set(value["figures"]) == FIGURES | {"node_ready_s"}
    assert all(figure["median"] > 0 for figure in value["figures"].values())
    assert len(value["figures"]["end_to_end_per_s"]["rounds"]) == 2
    assert (value["exact"], value["tasks"], value["payload_bytes"], value["durability"]) == (True, 300, 1024, "relaxed")
    assert value["fsync_p50_us"] >= 0
    assert {"rota", "python", "sqlite", "cores", "platform", "node"} <= set(value)
    assert nothing_is_left(tmp_path)


def test_people_get_a_table(start: Start) -> None:
    process = start("--tasks", "50", "--isolation", "thread")
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert "submits 2" in err, "it says before it starts how many"
    for words in ("durability full", "handlers in threads", "end to end", "round trip p99", "/s", "ms", "MiB"):
        assert words in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_bench_that_is_stopped_ends_with_130_and_leaves_nothing(start: Start, tmp_path: Path, number: int) -> None:
    process = start("--tasks", "1000000")
    until(lambda: len(commands(tmp_path)) == 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize("victim", ["node", "worker"])
def test_a_bench_whose_process_dies_has_no_figures(start: Start, tmp_path: Path, victim: str) -> None:
    process = start("--tasks", "1000000")
    until(lambda: len(commands(tmp_path)) == 2)
    commands(tmp_path)[victim].kill()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert f"the {victim} ended by itself" in err
    assert nothing_is_left(tmp_path)


# --- a house that runs


@pytest.fixture
def running(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as where:
        where.start_node()
        yield where


def test_a_node_that_runs_is_measured_by_a_worker_of_its_own(running: House, start: Start, tmp_path: Path) -> None:
    process = start("--tasks", "200", "--url", running.url, "--json")
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    value = json.loads(out)
    assert set(value["figures"]) == FIGURES
    assert value["fsync_p50_us"] is None, "its disk is not ours to measure"
    assert nothing_is_left(tmp_path)
    with Client(running.url) as client:
        assert [view.state for view in client.list(states="unended")] == []
        views = list(client.list(limit=10))
        assert len({view.group for view in views}) == 1
        assert views[0].group.startswith("rota-bench-")
        until(lambda: not client.workers())


def test_a_bench_that_is_stopped_takes_back_what_it_submitted(running: House, start: Start, tmp_path: Path) -> None:
    process = start("--tasks", "300000", "--url", running.url)
    with Client(running.url) as client:
        mine = client.submit("somebody.elses", None).id
        until(lambda: client.stats().submitted > 5_000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, "")
        assert "Traceback" not in err
        assert [view.id for view in client.list(states="unended")] == [mine]
    assert nothing_is_left(tmp_path)


def test_a_node_that_is_not_there_ends_with_3(rota_process: Rota, tmp_path: Path) -> None:
    done = rota_process(
        "bench", "--url", "http://127.0.0.1:9", env={"TMPDIR": str(tmp_path), "ROTA_CONNECT_TIMEOUT": "200ms"}
    )
    assert (done.code, done.out) == (3, "")
    assert nothing_is_left(tmp_path)


# --- the proof


class Node:
    """Answers as a client would, but not always what is right."""

    def __init__(self, fault: str) -> None:
        self.fault, self.kept, self.finished = fault, {}, 0

    async def submit_call(self, made: Any) -> Receipt:
        number = json.loads(made.params)["n"]
        task = f"t{number}" if self.fault != "one id for two" else "t"
        self.kept[task] = number
        return Receipt(task)

    async def submit_many(self, calls: Any) -> list[Receipt]:
        return [await self.submit_call(made) for made in calls]

    async def execute_call(self, made: Any, timeout: float) -> Outcome:
        return Outcome("x", "succeeded", "returned", 1, json.dumps(json.loads(made.params)["n"]).encode(), None)

    async def wait_many(self, ids: list[str], timeout: float) -> AsyncIterator[Outcome]:
        for place, task in enumerate(ids):
            number = self.kept[task] + (self.fault == "a wrong result" and place == 3)
            state = "failed" if self.fault == "a failure" and place == 3 else "succeeded"
            if not (self.fault == "one is missing" and place == 3):
                yield Outcome(task, state, "returned", 1, str(number).encode(), None)
            if self.fault == "ended twice" and place == 3:
                yield Outcome(task, state, "returned", 1, str(number).encode(), None)

    async def stats(self) -> SimpleNamespace:
        done = len(self.kept) + 10 + (self.fault == "counted twice")
        return SimpleNamespace(tasks={"succeeded": len(self.kept) + 10, "ready": 0}, finished=done)


async def run_of(fault: str) -> dict[str, float]:
    plan = Plan(tasks=10, slots=1, isolation="async", payload=0, repeat=1, durability="full")
    load = Load(plan, Node(fault), Output(json=True))  # type: ignore[arg-type]
    figures = await load.round()
    await load.prove()
    return figures


async def test_an_exact_run_has_figures() -> None:
    assert len(await run_of("")) == 6


@pytest.mark.parametrize(
    "fault", ["a wrong result", "a failure", "one is missing", "ended twice", "one id for two", "counted twice"]
)
async def test_a_run_that_is_not_exact_has_none(fault: str) -> None:
    with pytest.raises(RotaError, match="not exact"):
        await run_of(fault)
