"""Pauses and limits with real processes: they hold while workers and the node itself are killed, and burn no try."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from processes import House, house

from rota import Client

SHORT = ("--lease-ttl", "3s", "--heartbeat", "1s", "--closed-lease-ttl", "1s")


def spans(where: House, killed: dict[int, float]) -> list[tuple[float, float]]:
    """Begin and end of every run; one of a killed process ended with it."""
    begun: dict[tuple[str, int, int], float] = {}
    found: list[tuple[float, float]] = []
    for run in where.runs():
        ref = (run["task"], run["attempt"], run["pid"])
        if run["event"] == "begin":
            begun[ref] = run["at"]
        elif ref in begun:
            found.append((begun.pop(ref), run["at"]))
    assert {pid for _, _, pid in begun} <= killed.keys(), "only what was killed did not come to its end"
    return [*found, *((at, killed[pid]) for (_, _, pid), at in begun.items())]


def most_at_once(found: list[tuple[float, float]]) -> int:
    """How many of the spans overlap, at most."""
    steps = sorted([(begin, 1) for begin, _ in found] + [(end, -1) for _, end in found])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def until_run(where: House, count: int, timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while sum(run["event"] == "end" for run in where.runs()) < count:
        assert time.monotonic() < deadline, f"{count} did not come to their end"
        threading.Event().wait(0.02)


def test_limits_are_never_passed_while_workers_and_the_node_are_killed(tmp_path: Path) -> None:
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node(*SHORT)
        client.limit("method", "mark", concurrency=3)
        killed: dict[int, float] = {}
        workers = [where.start_worker("--slots", "4") for _ in range(2)]
        tasks = [client.submit("mark", {"key": f"k{n}", "pause": 0.03}) for n in range(120)]
        for round_ in range(1, 4):
            until_run(where, 20 * round_)
            victim = workers.pop(0)
            victim.kill()
            killed[victim.pid] = time.monotonic()
            workers.append(where.start_worker("--slots", "4"))
            if round_ == 2:
                assert where.node is not None
                where.node.kill()
                where.start_node(*SHORT)
        outcomes = client.gather([task.id for task in tasks], timeout=60)
        assert [outcome.value().split("/")[0] for outcome in outcomes] == [f"k{n}" for n in range(120)]
        most = most_at_once(spans(where, killed))
        print(f"at most {most} at once")
        assert most <= 3
        views = client.get_many([task.id for task in tasks])
        assert {view.failures for view in views.values()} == {0}


def test_tasks_of_a_key_never_run_together_while_workers_are_killed(tmp_path: Path) -> None:
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node(*SHORT)
        killed: dict[int, float] = {}
        workers = [where.start_worker("--slots", "4") for _ in range(2)]
        methods = ("mark", "mark_in_thread")
        tasks = [
            client.submit(methods[n % 2], {"key": f"k{n}", "pause": 0.02}, concurrency_key="printer") for n in range(60)
        ]
        for round_ in range(1, 3):
            until_run(where, 15 * round_)
            victim = workers.pop(0)
            victim.kill()
            killed[victim.pid] = time.monotonic()
            workers.append(where.start_worker("--slots", "4"))
        client.gather([task.id for task in tasks], timeout=60)
        assert most_at_once(spans(where, killed)) == 1


def test_a_pause_takes_effect_within_a_second_and_survives_the_node(tmp_path: Path) -> None:
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        tasks = client.submit_many([("mark", {"key": f"k{n}", "pause": 0.01}) for n in range(800)])
        where.start_worker("--slots", "2")
        until_run(where, 50)
        client.pause("method", "mark", note="counting")
        paused_at = time.monotonic()
        states = {view.state for view in client.get_many([task.id for task in tasks]).values()}
        assert "ready" in states, "the test is too slow: nothing was left to hold back"
        assert where.node is not None
        threading.Event().wait(1.5)
        where.node.kill()
        where.start_node()
        threading.Event().wait(1.0)
        late = [run for run in where.runs() if run["event"] == "begin" and run["at"] > paused_at + 1.0]
        assert late == []
        left = next(view for view in client.get_many([task.id for task in tasks]).values() if view.state == "ready")
        why = client.why(left.id)
        assert "paused" in {cause.code for cause in why.causes}
        client.resume("method", "mark")
        client.gather([task.id for task in tasks], timeout=60)
        views = client.get_many([task.id for task in tasks]).values()
        assert {(view.state, view.failures, view.rescues) for view in views} == {("succeeded", 0, 0)}
