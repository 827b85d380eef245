"""F1, F2: nodes and workers die by kill -9 while tasks stream in. No accepted task is lost, none is finished twice.

`ROTA_KILLS` (20) says how many kills, `ROTA_SEED` replays a run.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import history
import pytest
from checker import Verdict, judge
from processes import RIG, House, house

from rota import Client

KILLS = int(os.environ.get("ROTA_KILLS", "20"))
SEED = int(os.environ.get("ROTA_SEED", "20261121"))
SETTLE = 60.0


class Storm:
    """Submitters in a process of their own."""

    def __init__(self, where: House, *extra: str) -> None:
        self.out, self._stop = where.folder / "asks.jsonl", where.folder / "stop"
        script = str(RIG / "storm.py")
        self._child = subprocess.Popen([sys.executable, script, where.url, str(self.out), str(self._stop), *extra])

    def end(self) -> None:
        self._stop.touch()
        assert self._child.wait(90) == 0

    def kill(self) -> None:
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()


def settle(where: House, storm: Storm) -> Verdict:
    """Stops the storm, lets everything come to its end, and judges."""
    storm.end()
    told = history.asks(storm.out)
    with Client(where.url) as client:
        deadline = time.monotonic() + SETTLE
        while history.unended(found := history.rows(client)) and time.monotonic() < deadline:
            list(client.wait_many(history.unended(found), timeout=SETTLE))
    verdict = judge(told, history.runs(where.runs()), found)
    print(f"{len(told)} asked, {len(found)} kept, {verdict.recovered} kept without an answer, seed {SEED}")
    return verdict


@pytest.mark.timeout(3000)
def test_no_accepted_task_is_lost_or_finished_twice_when_the_node_is_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    restarts: list[float] = []
    with house(tmp_path) as where:
        where.start_node()
        for _ in range(2):
            where.start_worker()
        storm = Storm(where)
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.2, 1.0))
                where.node.kill()
                began = time.monotonic()
                where.start_node()
                restarts.append(time.monotonic() - began)
            verdict = settle(where, storm)
        finally:
            storm.kill()
    assert verdict.clean, verdict
    assert sorted(restarts)[len(restarts) // 2] <= 3.0, restarts


@pytest.mark.timeout(3000)
def test_no_task_is_lost_or_finished_twice_when_workers_are_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED + 1)
    with house(tmp_path) as where:
        where.start_node()
        workers = [where.start_worker() for _ in range(2)]
        storm = Storm(where)
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.05, 0.6))
                victim = chance.randrange(2)
                workers[victim].kill()
                workers[victim] = where.start_worker()
            verdict = settle(where, storm)
        finally:
            storm.kill()
    assert verdict.clean, verdict


@pytest.mark.parametrize("point", ["store.before_commit", "store.after_commit", "store.before_answer"])
def test_a_node_that_dies_around_a_commit_answers_for_what_it_answered(tmp_path: Path, point: str) -> None:
    with house(tmp_path) as where:
        where.start_node()
        where.start_worker()
        storm = Storm(where, "8", "0.01")
        try:
            where.node.kill()
            for nth in (3, 60):
                dying = where.start_node(env={"ROTA_FAILPOINTS": f"{point}=crash@{nth}"})
                assert dying.wait(30) == 137
            where.start_node()
            verdict = settle(where, storm)
        finally:
            storm.kill()
    assert verdict.clean, verdict
