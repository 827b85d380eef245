"""Fifty readers of events and one that stops reading, while tasks arrive on time. What the node does meanwhile is measured
from the outside."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import RIG, House, Process, house
from vitals import vitals

from rota import AsyncClient

RATE = 500
READERS = 50
UNENDED = ("waiting", "scheduled", "ready", "running")


@dataclass(slots=True)
class Phase:
    """One stretch of the run."""

    took: list[float] = field(default_factory=list)
    """Milliseconds that each submit took, from the instant it was due."""
    rss_mb: list[tuple[float, float]] = field(default_factory=list)
    """(seconds since the stretch began, memory of the node)."""
    cpu_s: float = 0.0

    def percentile(self, share: float) -> float:
        took = sorted(self.took)
        return took[min(len(took) - 1, int(len(took) * share))]


@dataclass(slots=True)
class Figures:
    alone: Phase
    watched: Phase
    seen: dict[str, Any]
    submitted_while_watched: int

    def in_words(self) -> str:
        lines = [
            f"{name}: submit p50 {phase.percentile(0.5):.1f} ms, p99 {phase.percentile(0.99):.1f} ms, "
            f"memory {phase.rss_mb[0][1]:.1f} to {phase.rss_mb[-1][1]:.1f} MB, node cpu {phase.cpu_s:.1f} s"
            for name, phase in (("nobody reads", self.alone), (f"{READERS} readers and a stalled one", self.watched))
        ]
        seen = {**self.seen, "succeeded": sorted(set(self.seen["succeeded"]))}
        return "\n".join([*lines, f"tasks {self.submitted_while_watched}, seen {seen}"])


def run(folder: Path, alone: float, watched: float) -> Figures:
    """`alone`, `watched`: seconds of submits without readers, then with them."""
    with house(folder) as made:
        made.start_node()
        made.start_worker("--slots", "64")
        return asyncio.run(_run(made, alone, watched))


async def _run(made: House, alone: float, watched: float) -> Figures:
    stop = made.folder / "stop"
    async with AsyncClient(made.url, connect_timeout=30) as client:
        await _submits(client, made, 2.0, Phase())  # warm-up
        before = await _submits(client, made, alone, Phase())
        readers = Process(
            [sys.executable, str(RIG / "readers.py"), str(made.port), str(READERS), str(stop)],
            made.folder / "readers.log",
        )
        made.processes.append(readers)
        readers.start()
        assert (await asyncio.to_thread(readers.line)).strip() == "reading"
        during = await _submits(client, made, watched, Phase())
        await _all_ended(client)
        await asyncio.sleep(1.0)  # ten rounds of events
        stop.touch()
        assert await asyncio.to_thread(readers.wait) == 0, readers.log.read_text()
    seen = json.loads(await asyncio.to_thread(_second_line, readers))
    return Figures(before, during, seen, len(during.took))


def _second_line(process: Process) -> str:
    with process._news:
        assert process._news.wait_for(lambda: len(process._lines) > 1, 10)
        return process._lines[1]


async def _submits(client: AsyncClient, made: House, seconds: float, phase: Phase) -> Phase:
    """Open loop: each submit has an instant at which it is due, however the ones before are doing."""
    loop = asyncio.get_running_loop()
    assert made.node is not None
    pid, began = made.node.pid, loop.time()
    cpu, tasks, looked = vitals(pid).cpu_s, set(), 0.0

    async def submit(due: float) -> None:
        await client.submit("add", {"a": 1, "b": 2})
        phase.took.append((loop.time() - due) * 1e3)

    for number in range(int(seconds * RATE)):
        due = began + number / RATE
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(submit(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        if loop.time() - looked > 0.5:
            looked = loop.time()
            phase.rss_mb.append((looked - began, vitals(pid).rss_mb))
    if tasks:
        await asyncio.wait(tasks)
    phase.cpu_s = vitals(pid).cpu_s - cpu
    return phase


async def _all_ended(client: AsyncClient) -> None:
    async with asyncio.timeout(60):
        while any(count for state, count in (await client.stats()).tasks.items() if state in UNENDED):
            await asyncio.sleep(0.1)


if __name__ == "__main__":  # python readers_load.py FOLDER SECONDS-ALONE SECONDS-WATCHED
    print(run(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])).in_words())
