"""F24, F25, F26 with real processes: crashes, dead loops and leaks, in threads and in processes of their own."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import House, Process, house

from rota import Client

APP = "hard_handlers:app"
SHORT_LEASES = ("--lease-ttl", "12s", "--heartbeat", "3s", "--closed-lease-ttl", "3s")
LONGER = 15.0
"""Seconds, more than such a lease."""
SOON_GONE = ("--closed-lease-ttl", "1s")
BUSY = 1.5
"""Seconds that a busy machine may take longer than is promised."""


@pytest.fixture
def where(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


@pytest.fixture
def client(where: House) -> Iterator[Client]:
    with Client(where.url) as made:
        yield made


def until(true: Callable[[], Any], what: str, timeout: float = 20.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (found := true()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        threading.Event().wait(0.01)
    return found


def begun(where: House, task: str, count: int = 1) -> list[dict]:
    def found() -> list[dict] | None:
        runs = [run for run in where.runs() if run["event"] == "begin" and run["task"] == task]
        return runs if len(runs) >= count else None

    return until(found, f"{task} has begun {count} times")


def log_of(process: Process) -> str:
    return process.log.read_text()


class Stopwatch:
    """Counts the seconds in which this machine was running: one that stands still for a while is not the worker's fault."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> Stopwatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _count(self) -> None:
        last = time.monotonic()
        while not self._over.wait(0.01):
            now = time.monotonic()
            self.seconds += min(now - last, 0.1)
            last = now


def start(where: House, *flags: str, leases: tuple[str, ...] = ()) -> Process:
    where.start_node(*leases)
    return where.start_worker(*flags, app=APP)


# ---------------------------------------------------------------- F24: poison


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("exit", "exit code 9"),
        ("segfault", "signal 11 (SIGSEGV)"),
        ("killed", "signal 9 (SIGKILL)"),
        ("memory", "more than the 128 MiB of max_child_memory"),
    ],
)
def test_poison_costs_three_processes_and_nobody_else_anything(
    how: str, words: str, where: House, client: Client
) -> None:
    worker = start(where, "--isolation", "process", "--max-child-memory", "128MiB", "--slots", "4")
    others = [client.submit("quick", {"n": n}) for n in range(100)]
    poison = client.submit("crash", {"how": how})
    others += [client.submit("quick", {"n": n}) for n in range(100, 200)]
    (outcome,) = client.gather([poison.id], timeout=30)
    assert (outcome.state, outcome.reason) == ("failed", "poisoned")
    assert [found.value() for found in client.gather([task.id for task in others], timeout=20)] == list(range(200))
    view = client.get(poison.id)
    assert (view.rescues, view.failures, view.attempt) == (3, 0, 3)
    assert view.error is not None
    assert "3 processes or workers were lost" in view.error.message
    assert words in view.error.message
    assert [past.reason for past in view.attempts[:2]] == ["crashed", "crashed"]
    assert all(words in past.error.message for past in view.attempts[:2] if past.error)
    views = client.get_many([task.id for task in others]).values()
    assert {(each.attempt, each.rescues, each.failures) for each in views} == {(1, 0, 0)}
    ran = [run["task"] for run in where.runs() if run["task"] != poison.id]
    assert sorted(ran) == sorted(str(task.id) for task in others), "each began once"
    assert worker.child is not None
    assert worker.child.poll() is None, "the worker lives"


def test_poison_in_a_thread_takes_three_workers_and_leaves_the_fourth(where: House, client: Client) -> None:
    where.start_node(*SOON_GONE)
    poison = client.submit("crash", {"how": "segfault"})
    for _ in range(3):
        victim = where.start_worker("--slots", "1", app=APP)
        assert victim.wait(30) == -signal.SIGSEGV
        until(lambda: client.get(poison.id).state != "running", "the lease lapses")
    where.start_worker(app=APP)
    (outcome,) = client.gather([poison.id], timeout=30)
    assert (outcome.state, outcome.reason) == ("failed", "poisoned")
    assert client.submit("quick", {"n": 7}).result(timeout=20) == 7


# ---------------------------------------------------------------- F25: dead loops


@pytest.mark.parametrize(
    ("method", "params"), [("sleeps", {"seconds": 120}), ("hogs", {"seconds": 120}), ("backtracks", {}), ("spins", {})]
)
def test_a_dead_loop_in_a_process_is_killed_in_time_and_disturbs_nobody(
    method: str, params: dict, where: House, client: Client
) -> None:
    start(where, "--isolation", "process", "--slots", "4")
    client.submit("quick", {"n": 1}).result(timeout=20)
    stuck = client.submit(method, params, timeout=3.0)
    begun(where, stuck.id)
    with Stopwatch() as watch:
        assert [client.submit("quick", {"n": n}).result(timeout=20) for n in range(5)] == [0, 1, 2, 3, 4]
        (outcome,) = client.gather([stuck.id], timeout=30)
    assert watch.seconds < 3.0 + 2.0 + BUSY
    assert (outcome.state, outcome.reason) == ("failed", "timed_out")
    view = client.get(stuck.id)
    assert (view.attempt, view.rescues) == (1, 0)


def test_a_python_loop_in_a_thread_is_stopped_by_its_timeout(where: House, client: Client) -> None:
    start(where)
    stuck = client.submit("spins", {}, timeout=1.0)
    (outcome,) = client.gather([stuck.id], timeout=20)
    view = client.get(stuck.id)
    assert (outcome.reason, view.attempt, view.rescues) == ("timed_out", 1, 0)
    assert view.error is not None
    assert "in spins" in view.error.traceback, "it says where the handler was"


def test_a_blocking_call_in_a_thread_is_abandoned_and_its_worker_goes_on(where: House, client: Client) -> None:
    start(where)
    stuck = client.submit("sleeps", {"seconds": 60}, timeout=1.0)
    begun(where, stuck.id)
    with Stopwatch() as watch:
        (outcome,) = client.gather([stuck.id], timeout=20)
    assert watch.seconds < 1.0 + 2.0 + BUSY
    view = client.get(stuck.id)
    assert (outcome.reason, view.attempt, view.rescues) == ("timed_out", 1, 0)
    assert view.error is not None
    assert "abandoned" in view.error.message
    assert client.submit("quick", {"n": 3}).result(timeout=20) == 3


def test_a_handler_that_held_the_interpreter_is_named(where: House, client: Client) -> None:
    worker = start(where)
    hog = client.submit("hogs", {"seconds": 5})
    assert hog.result(timeout=30) == "had it all to itself"
    told = until(lambda: "heartbeats included" in log_of(worker) and log_of(worker), "a warning")
    assert "hogs (" in told
    assert "hard_handlers.py:" in told
    assert client.get(hog.id).rescues == 0, "its lease was longer than that"


def test_a_handler_that_blocks_the_async_loop_is_named_and_threads_go_on(where: House, client: Client) -> None:
    worker = start(where)
    blocker = client.submit("blocks_the_loop", {"seconds": 6})
    until(lambda: "blocked its loop" in log_of(worker), "a warning while it still blocks")
    assert "blocks_the_loop" in log_of(worker)
    assert client.submit("quick", {"n": 5}).result(timeout=20) == 5, "threads go on"
    assert blocker.result(timeout=20) == "the loop is free again"


@pytest.mark.parametrize(
    ("isolation", "method"),
    [("thread", "sleeps"), ("thread", "blocks_the_loop"), ("process", "sleeps"), ("process", "hogs")],
)
def test_what_blocks_for_longer_than_its_lease_is_not_rescued(
    isolation: str, method: str, where: House, client: Client
) -> None:
    start(where, "--isolation", isolation, leases=SHORT_LEASES)
    task = client.submit(method, {"seconds": int(LONGER)})
    client.gather([task.id], timeout=40)
    view = client.get(task.id)
    assert (view.state, view.attempt, view.rescues) == ("succeeded", 1, 0)


# ---------------------------------------------------------------- cancel


def test_a_python_loop_in_a_thread_stops_within_two_seconds_of_cancel(where: House, client: Client) -> None:
    start(where)
    task = client.submit("spins", {})
    assert _cancelled_after(where, client, task) < 2.0 + BUSY
    assert client.get(task.id).reason == "cancelled_by_caller"


def test_a_blocking_call_in_a_thread_ends_as_abandoned(where: House, client: Client) -> None:
    start(where)
    task = client.submit("sleeps", {"seconds": 60})
    assert _cancelled_after(where, client, task) < 2.0 + BUSY
    assert client.get(task.id).reason == "abandoned"


@pytest.mark.parametrize(("method", "params"), [("sleeps", {"seconds": 60}), ("spins", {}), ("hogs", {"seconds": 60})])
def test_whatever_runs_in_a_process_ends_within_two_seconds_of_cancel(
    method: str, params: dict, where: House, client: Client
) -> None:
    start(where, "--isolation", "process")
    task = client.submit(method, params)
    assert _cancelled_after(where, client, task) < 2.0 + BUSY
    assert client.get(task.id).reason == "cancelled_by_caller"


def _cancelled_after(where: House, client: Client, task: Any) -> float:
    begun(where, task.id)
    with Stopwatch() as watch:
        client.cancel(task.id)
        (outcome,) = client.gather([task.id], timeout=20)
    assert outcome.state == "cancelled"
    return watch.seconds


def test_a_worker_with_too_many_abandoned_threads_starts_itself_anew(where: House, client: Client) -> None:
    worker = start(where, "--slots", "4")
    before = until(lambda: [w.id for w in client.workers()], "a worker")
    stuck = [client.submit("sleeps", {"seconds": 300}, timeout=1.0) for _ in range(2)]
    client.gather([task.id for task in stuck], timeout=20)
    assert client.submit("quick", {"n": 1}).result(timeout=30) == 1
    after = until(lambda: [w.id for w in client.workers() if w.id not in before], "the worker anew")
    assert len(after) == 1
    assert worker.child is not None
    assert worker.child.poll() is None, "the same process"


# ---------------------------------------------------------------- F26: leaks


def test_a_leak_is_bounded_in_its_child_and_does_not_reach_the_worker(where: House, client: Client) -> None:
    worker = start(where, "--isolation", "process", "--max-child-memory", "160MiB", "--slots", "2")
    client.submit("quick", {"n": 1}).result(timeout=20)
    parent = psutil.Process(worker.pid)
    before = parent.memory_info().rss
    tasks = [client.submit("leak", {"mib": 5}) for _ in range(200)]
    peak = 0
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            for child in parent.children():
                try:
                    peak = max(peak, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        pids = [outcome.value() for outcome in client.gather([task.id for task in tasks], timeout=60)]
    finally:
        over.set()
        watching.join()
    grown = parent.memory_info().rss - before
    print(f"the worker grew by {grown / 2**20:.1f} MiB, a child had at most {peak / 2**20:.0f} MiB")
    assert grown < 12 << 20
    assert peak <= 160 << 20
    assert len(set(pids)) >= 1000 // 160, "children were replaced"
    views = client.get_many([task.id for task in tasks]).values()
    assert {(view.state, view.attempt, view.failures, view.rescues) for view in views} == {("succeeded", 1, 0, 0)}


# ---------------------------------------------------------------- life and death of children


def test_children_die_with_their_killed_worker_and_their_task_runs_again(
    tmp_path: Path, where: House, client: Client
) -> None:
    gate = tmp_path / "gate"
    worker = start(where, "--isolation", "process", leases=SOON_GONE)
    task = client.submit("waits_for", {"path": str(gate)})
    child = psutil.Process(begun(where, task.id)[0]["pid"])
    worker.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child is gone", 5)
    where.start_worker("--isolation", "process", app=APP)
    begun(where, task.id, 2)
    gate.touch()
    task.result(timeout=20)
    assert client.get(task.id).rescues == 1


def test_a_terminated_worker_lets_its_children_end_their_tasks(tmp_path: Path, where: House, client: Client) -> None:
    gate = tmp_path / "gate"
    worker = start(where, "--isolation", "process")
    task = client.submit("waits_for", {"path": str(gate)})
    pid = begun(where, task.id)[0]["pid"]
    worker.signal(signal.SIGTERM)
    until(lambda: "stops: 1 tasks in hand" in log_of(worker), "it drains")
    gate.touch()
    task.result(timeout=20)
    assert worker.wait(20) == 0
    assert not psutil.pid_exists(pid)


SCRIPT = """\
import os, sys
from rota import Worker

def which(value):
    return [__name__, os.getpid(), value]

{guard}
    worker = Worker(sys.argv[1])
    worker.register_method("which", which, isolation="process")
    sys.exit(worker.run())
"""


def test_a_script_that_is_its_own_worker_is_found_by_its_children(tmp_path: Path, where: House, client: Client) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(guard='if __name__ == "__main__":'))
    where.start_node()
    worker = where._run([sys.executable, str(script), where.url], "script.log", None)
    name, pid, value = client.submit("which", 5).result(timeout=20)
    assert (name, value) == ("__mp_main__", 5)
    assert pid != worker.pid


def test_a_script_without_a_guard_is_told_what_to_do(tmp_path: Path, where: House, client: Client) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(guard="if True:"))
    where.start_node()
    worker = where._run([sys.executable, str(script), where.url], "script.log", None)
    (outcome,) = client.gather([client.submit("which", 5).id], timeout=20)
    assert outcome.state == "failed"
    assert 'if __name__ == "__main__":' in log_of(worker)
