"""F2, F4, F17 with real processes: what happens to the tasks of a worker that is killed, frozen or cut off."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest
from processes import House, house
from proxy import proxy

from rota import Client

SHORT = ("--lease-ttl", "3s", "--heartbeat", "1s", "--closed-lease-ttl", "1s")
UNHURRIED = ("--lease-ttl", "6s", "--heartbeat", "2s", "--closed-lease-ttl", "2s")
"""A worker trusts three quarters of its lease; with these the rest is longer than a handler takes to stop."""


def begun(where: House, count: int, task: str | None = None, timeout: float = 20.0) -> list[dict]:
    """Waits until so many attempts have begun."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = [run for run in where.runs() if run["event"] == "begin" and task in (None, run["task"])]
        if len(found) >= count:
            return found
        threading.Event().wait(0.01)
    raise AssertionError(f"{count} attempts did not begin: {where.runs()}")


def test_a_killed_workers_started_tasks_run_again_within_7_seconds_and_unstarted_ones_at_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        victim = where.start_worker("--slots", "2")
        held = [client.submit("hold", {"gate": str(gate)}) for _ in range(2)]
        begun(where, 2)
        queued = [client.submit("mark", {"key": f"q{n}"}) for n in range(20)]
        other = where.start_worker("--slots", "40")
        client.gather([task.id for task in queued], timeout=20)
        victim.kill()
        killed_at = time.monotonic()
        again = [begun(where, 2, task.id)[-1] for task in held]
        gate.touch()
        outcomes = client.gather([task.id for task in held], timeout=20)
        waits = [run["at"] - killed_at for run in again]
        print(f"run again after {max(waits):.2f} s")
        assert max(waits) <= 7.0
        assert {run["pid"] for run in again} == {other.pid}
        assert [outcome.value() for outcome in outcomes] == ["done by attempt 2"] * 2
        views = client.get_many([task.id for task in [*held, *queued]])
        assert {views[task.id].rescues for task in held} == {1}
        assert {(views[task.id].rescues, views[task.id].failures) for task in queued} == {(0, 0)}


def test_unstarted_tasks_of_a_killed_worker_go_to_another_at_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        victim = where.start_worker("--slots", "1")
        warm = [client.submit("mark", {"key": f"w{n}"}) for n in range(50)]
        client.gather([task.id for task in warm], timeout=20)
        client.submit("hold", {"gate": str(gate)})
        behind = [client.submit("mark", {"key": f"b{n}"}) for n in range(5)]
        deadline = time.monotonic() + 10
        while client.workers()[0].in_hand < 6 and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert client.workers()[0].in_hand == 6, "the short tasks behind were prefetched"
        victim.kill()
        killed_at = time.monotonic()
        where.start_worker("--slots", "8")
        outcomes = client.gather([task.id for task in behind], timeout=10)
        assert time.monotonic() - killed_at < 4.0, "starting a worker is most of it"
        assert {outcome.state for outcome in outcomes} == {"succeeded"}
        views = client.get_many([task.id for task in behind])
        assert {(view.rescues, view.failures) for view in views.values()} == {(0, 0)}
        gate.touch()


def test_a_frozen_workers_late_result_is_refused_and_noted(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node(*SHORT)
        zombie = where.start_worker()
        task = client.submit("hold", {"gate": str(gate)})
        begun(where, 1)
        zombie.signal(signal.SIGSTOP)
        where.start_worker()
        begun(where, 2, timeout=30)
        gate.touch()
        assert client.wait(task.id, timeout=20).value() == "done by attempt 2"
        zombie.signal(signal.SIGCONT)
        deadline = time.monotonic() + 10
        while sum(worker.online for worker in client.workers()) < 2 and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        view = client.get(task.id)
        assert (view.state, view.attempt, view.rescues, view.result) == ("succeeded", 2, 1, "done by attempt 2")
        assert client.execute("add", {"a": 1, "b": 1}, wait_timeout=10) == 2


@pytest.mark.parametrize("cut", ["both", "up", "down"])
def test_a_partition_is_noticed_and_the_task_finishes_once_elsewhere(tmp_path: Path, cut: str) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, proxy(where.port) as wire, Client(where.url) as client:
        where.start_node(*UNHURRIED)
        far = where.start_worker("--url", wire.url)
        task = client.submit("hold", {"gate": str(gate)})
        (first,) = begun(where, 1)
        assert first["pid"] == far.pid
        wire.swallow_up = cut in ("both", "up")
        wire.swallow_down = cut in ("both", "down")
        near = where.start_worker()
        again = begun(where, 2, timeout=40)[-1]
        assert again["pid"] == near.pid
        # Cut off from the node's words only, the far worker can still give its task back, and is sent it once more in vain.
        newest = again["attempt"]
        assert newest == 2 or (cut == "down" and newest == 3)
        gate.touch()
        assert client.wait(task.id, timeout=20).value() == f"done by attempt {newest}"
        ends = [run for run in where.runs() if run["event"] == "end"]
        assert {run["attempt"] for run in ends} == {newest}, (
            "the cut-off worker stopped its attempt by its own deadline"
        )
        assert [run["attempt"] for run in where.runs() if run["pid"] == far.pid] == [1], "and never began another"
        wire.heal()
        # Not what the list says: it shows the far worker until the node has noticed that its old link is gone.
        (there,) = [worker.id for worker in client.workers(gone=True) if worker.pid == far.pid]
        assert client.execute("add", {"a": 1, "b": 1}, target=there, wait_timeout=60) == 2
        assert sum(worker.online for worker in client.workers()) == 2
        assert client.get(task.id).attempt == newest


def test_a_task_that_kills_its_workers_is_poison_after_three(tmp_path: Path) -> None:
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node(*SHORT)
        task = client.submit("dies", None)
        for _ in range(3):
            worker = where.start_worker()
            worker.wait(30)
        outcome = client.wait(task.id, timeout=20)
        assert (outcome.state, outcome.reason) == ("failed", "poisoned")
        assert len(begun(where, 3)) == 3
        where.start_worker()
        assert client.execute("add", {"a": 2, "b": 3}, wait_timeout=20) == 5


def test_a_worker_told_to_stop_finishes_what_runs_and_spends_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        worker = where.start_worker("--slots", "1")
        running = client.submit("hold", {"gate": str(gate)})
        begun(where, 1)
        waiting = [client.submit("mark", {"key": f"k{n}"}) for n in range(3)]
        worker.signal(signal.SIGTERM)
        where.start_worker()
        client.gather([task.id for task in waiting], timeout=20)
        gate.touch()
        assert worker.wait(20) == 0
        assert client.wait(running.id, timeout=10).value() == "done by attempt 1"
        views = client.get_many([running.id, *(task.id for task in waiting)])
        assert {(view.failures, view.rescues) for view in views.values()} == {(0, 0)}


def test_results_made_while_the_node_is_away_arrive_when_it_is_back(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with house(tmp_path) as where, Client(where.url, connect_timeout=30) as client:
        node = where.start_node()
        where.start_worker()
        task = client.submit("hold", {"gate": str(gate)})
        begun(where, 1)
        node.kill()
        gate.touch()
        deadline = time.monotonic() + 5
        while not [run for run in where.runs() if run["event"] == "end"] and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        where.start_node()
        outcome = client.wait(task.id, timeout=20)
        assert outcome.value() == "done by attempt 1"
        assert client.get(task.id).attempt == 1
