"""The soak: a node under steady load for an hour, while workers are killed. Judges what became of every task, and what grew.

    python tests/chaos/soak.py [--minutes 60] [--rate 300] [--kill-every 30] [--workers 3] [--keep 300] [--out FOLDER]

Tasks arrive at a fixed rate, whatever the node does: short ones and longer ones, in loops and in threads, some with logs,
some that fail once, some with unique keys. Every `--kill-every` seconds one worker is killed with -9 and replaced.
Retention is short (`--keep`, seconds), so that the janitor has work too. In FOLDER are then `report.txt`, `report.json`,
`samples.jsonl` (one a five seconds), the history, and the logs of all processes. Exits 1 where anything is not as promised.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parent.parent / "rig"))

import soak_bounds as bounds
from arrivals import WINDOW
from processes import RIG, House, Process, house
from soak_history import Findings, Harvest, Workers, judged
from vitals import size_mb, vitals

from rota import AsyncClient
from rota.model.errors import RotaError

SAMPLE_EVERY = 5.0
GATHER_EVERY = 5.0
SETTLE = 180.0
MOST_REFUSED = 0.001
"""Share of the submits that may be refused or unanswered. The node is not killed here: it is for a machine that starves."""


@dataclass(slots=True)
class Chosen:
    minutes: float = 60.0
    rate: float = 300.0
    kill_every: float = 30.0
    workers: int = 3
    keep: float = 300.0
    sample_every: float = SAMPLE_EVERY


@dataclass(slots=True)
class Report:
    clean: bool
    faults: list[str]
    figures: dict[str, Any]
    findings: Findings
    chosen: Chosen
    made_on: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Man:
    """A worker's process, and what the node calls it."""

    process: Process
    pid: int
    id: str = ""
    killed: bool = False


class Soak:
    def __init__(self, where: House, chosen: Chosen) -> None:
        self.where, self.chosen = where, chosen
        self.folder = where.folder
        self.men: list[Man] = []
        self.samples: list[bounds.Sample] = []
        self.behind = 0.0
        """Seconds that a task had to wait at most until this process looked for it: what a starved machine does."""
        self.missed: list[str] = []
        """Looks that the node did not answer. They are made again in a moment, so one is no fault by itself."""
        self.left = 0

    async def run(self) -> Report:
        keep = f"{self.chosen.keep:g}s"
        await asyncio.to_thread(self.where.start_node, "--result-ttl", keep, "--failed-ttl", keep)
        for _ in range(self.chosen.workers):
            await self._hire()
        async with AsyncClient(self.where.url, connect_timeout=60) as client:
            await self._until(client, lambda stats: stats.workers == self.chosen.workers)
            await self._load(client)
        await asyncio.to_thread(self.where.stop)
        findings = await asyncio.to_thread(judged, self.folder, self._workers())
        return self._report(findings)

    async def _load(self, client: AsyncClient) -> None:
        harvest = Harvest(client, self.folder, datetime.now(UTC) - timedelta(seconds=5))
        stop = self.folder / "stop"
        generator = self._generator(stop)
        try:
            began = time.monotonic()
            ends = began + self.chosen.minutes * 60
            await asyncio.gather(
                self._every(self.chosen.sample_every, ends, lambda: self._sample(client, generator, began)),
                self._every(self.chosen.kill_every, ends, lambda: self._kill(client)),
                self._every(GATHER_EVERY, ends, lambda: harvest.gather(datetime.now(UTC))),
            )
            stop.touch()
            if await asyncio.to_thread(generator.wait, 90) != 0:
                raise SystemExit("the generator failed: this run has no verdict")
        finally:
            if generator.poll() is None:
                generator.kill()
                generator.wait()
        await self._settle(client, harvest)

    def _generator(self, stop: Path) -> subprocess.Popen[bytes]:
        script = str(RIG / "arrivals.py")
        args = [sys.executable, script, self.where.url, str(self.folder), str(self.chosen.rate), str(stop)]
        return subprocess.Popen(args, stdout=subprocess.DEVNULL)

    async def _every(self, seconds: float, ends: float, act: Callable[[], Awaitable[None]]) -> None:
        due = time.monotonic() + seconds
        while due <= ends + 0.5:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            try:
                await act()
            except RotaError as error:
                self.missed.append(f"{error.code}: {error}")
            due = max(due + seconds, time.monotonic())

    # --- workers

    async def _hire(self) -> None:
        process = await asyncio.to_thread(
            self.where.start_worker, app="soak_handlers:app", env={"ROTA_SOAK": str(self.folder)}
        )
        self.men.append(Man(process, process.pid))

    async def _kill(self, client: AsyncClient) -> None:
        await self._learn_names(client)
        victim = next(man for man in self.men if not man.killed)
        victim.killed = True
        await asyncio.to_thread(victim.process.kill)
        await self._hire()

    async def _learn_names(self, client: AsyncClient) -> None:
        names = {view.pid: view.id for view in await client.workers()}
        for man in self.men:
            if not man.killed:
                man.id = names.get(man.pid, man.id)

    def _workers(self) -> Workers:
        return Workers(
            frozenset(man.pid for man in self.men if man.killed),
            frozenset(man.id for man in self.men if man.killed),
            {man.id: _troubled(man.process.log) for man in self.men},
        )

    # --- looks

    async def _sample(self, client: AsyncClient, generator: subprocess.Popen[bytes], began: float) -> None:
        stats = await client.stats()
        seen, asks = vitals(self.where.node.pid), vitals(generator.pid)
        data = self.folder / "data"
        sample = bounds.Sample(
            at=time.monotonic() - began,
            node_mb=seen.rss_mb,
            descriptors=seen.descriptors,
            threads=seen.threads,
            cpu_s=seen.cpu_s,
            wal_mb=size_mb(data / "rota.db-wal"),
            db_mb=size_mb(data / "rota.db"),
            queued=_unended(stats),
            kept=sum(stats.tasks.values()),
            workers=stats.workers,
            generator_mb=asks.rss_mb,
        )
        self.samples.append(sample)
        with open(self.folder / "samples.jsonl", "a") as out:
            out.write(json.dumps(asdict(sample)) + "\n")

    async def _until(self, client: AsyncClient, true: Callable[[Any], bool], timeout: float = 60.0) -> bool:
        deadline = time.monotonic() + timeout
        while not true(await client.stats()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    async def _settle(self, client: AsyncClient, harvest: Harvest) -> None:
        """Everything has its time to end; then the rest of the history is read."""
        await self._learn_names(client)
        await self._until(client, lambda stats: _unended(stats) == 0, SETTLE)
        self.left = _unended(await client.stats())
        self.behind = harvest.behind.total_seconds()
        await harvest.gather(datetime.now(UTC) + timedelta(minutes=1), timedelta(0))

    # --- the verdict

    def _report(self, findings: Findings) -> Report:
        figures = self._figures(findings)
        faults = [
            *findings.faults,
            *bounds.faults(self.samples, self.chosen.minutes, self.left),
            *(f"the node's log: {line}" for line in _complaints(self.folder / "node.log")[:20]),
        ]
        if self.behind > self.chosen.keep * 0.8:
            faults.append(
                f"the watcher was {self.behind:.0f} s behind: retention may have been before it, nothing is sure"
            )
        if (share := figures["refused_share"]) > MOST_REFUSED:
            faults.append(f"{share:.2%} of the submits were refused: {figures['refused']}")
        return Report(not faults, faults, figures, findings, self.chosen, _made_on())

    def _figures(self, findings: Findings) -> dict[str, Any]:
        windows = [json.loads(line) for line in (self.folder / "latency.jsonl").read_text().splitlines()]
        refused: Counter[str] = Counter()
        for window in windows:
            refused.update(window["refused"])
        last = self.samples[-1] if self.samples else None
        later = bounds.later(self.samples) if self.samples else []
        span = (later[-1].at - later[0].at) if len(later) > 1 else 0.0
        return {
            "killed": sum(man.killed for man in self.men),
            "submit_p50_ms": _median(window["p50"] for window in windows),
            "submit_p99_ms_typical": _median(window["p99"] for window in windows),
            "submit_p99_ms_worst": max((window["p99"] or 0 for window in windows), default=None),
            "submit_max_ms": max((window["max"] or 0 for window in windows), default=None),
            "stalled_s": WINDOW * sum((window["p99"] or 0) > bounds.STALLED_MS for window in windows),
            "put_off": sum(window["put_off"] for window in windows),
            "refused": dict(refused),
            "refused_share": sum(refused.values()) / max(1, findings.asked),
            "node_mb": bounds.levels(self.samples, "node_mb") if later else None,
            "node_mb_per_hour": bounds.growth(self.samples, "node_mb") if later else None,
            "node_mb_per_hour_allowed": bounds.allowed_mb_per_hour(self.chosen.minutes),
            "generator_mb_per_hour": bounds.growth(self.samples, "generator_mb") if later else None,
            "node_cpu_share": (later[-1].cpu_s - later[0].cpu_s) / span if span else None,
            "descriptors": [min(s.descriptors for s in later), max(s.descriptors for s in later)] if later else None,
            "threads": [min(s.threads for s in later), max(s.threads for s in later)] if later else None,
            "wal_mb_most": max((s.wal_mb for s in self.samples), default=None),
            "db_mb": [round(later[0].db_mb, 1), round(last.db_mb, 1)] if last else None,
            "queued_most": max((s.queued for s in self.samples), default=None),
            "kept_most": max((s.kept for s in self.samples), default=None),
            "watcher_behind_s_most": self.behind,
            "watcher_missed": self.missed[:10],
        }


def _median(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _unended(stats: Any) -> int:
    return sum(stats.tasks.get(state, 0) for state in ("waiting", "scheduled", "ready", "running"))


def _complaints(log: Path) -> list[str]:
    """Lines of a log that are not mere information, and not the warning of a first start. The environment is that of
    whoever runs this: its variables are his."""
    known = (" info ", "is read by nothing", "an admin token was made")
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    return [line for line in lines if not any(words in line for words in known)]


def _troubled(log: Path) -> list[float]:
    """When a worker wrote of itself: of a link that was lost, of leases that nobody confirmed."""
    found = []
    with open(log, errors="replace") as lines:
        for line in lines:
            if " rota.client: " in line or " rota.worker: " in line:
                with contextlib.suppress(ValueError):
                    found.append(datetime.fromisoformat(line.split()[0]).timestamp())
    return found


def _made_on() -> dict[str, str]:
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=RIG, capture_output=True, text=True, check=False)
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git.stdout.strip(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "cpu": f"{len(model)} × {model[0].split(':')[1].strip()}" if model else platform.machine(),
    }


def in_words(report: Report) -> str:
    found, chosen = report.findings, report.chosen
    lines = [
        (
            f"soak: {chosen.minutes:g} minutes, {chosen.rate:g} tasks/s, {chosen.workers} workers, "
            f"one killed every {chosen.kill_every:g} s: {'CLEAN' if report.clean else 'NOT CLEAN'}"
        ),
        (
            f"asked {found.asked:,}, accepted {found.accepted:,}, duplicates {found.duplicates:,}, kept {found.kept:,}, "
            f"recovered {found.recovered}"
        ),
        (
            f"failed once and retried {found.retried:,}, rescued {found.rescued} (from starved workers "
            f"{found.by_starved_workers}), begun and given back {found.begun_and_given_back}"
        ),
        *(f"{name:26} {_shown(value)}" for name, value in report.figures.items()),
        *(f"{name:26} {value}" for name, value in report.made_on.items()),
        *(f"FAULT {kind}: {number} in all" for kind, number in found.count.items()),
        *(f"FAULT {fault}" for fault in report.faults),
    ]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def soak(folder: Path, chosen: Chosen) -> Report:
    """Runs it, and leaves the report in the folder."""
    with house(folder) as where:
        report = asyncio.run(Soak(where, chosen).run())
    (folder / "report.json").write_text(json.dumps(asdict(report), indent=1) + "\n")
    (folder / "report.txt").write_text(in_words(report))
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--kill-every", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--keep", type=float, default=300.0)
    parser.add_argument("--out", type=Path)
    said = vars(parser.parse_args())
    out = said.pop("out")
    folder = (out or Path(tempfile.mkdtemp(prefix="rota-soak-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"{folder} is not empty: a soak needs a folder of its own")
    print(f"the soak is in {folder}", flush=True)
    try:
        report = soak(folder, Chosen(**said))
    except RotaError as error:
        print(f"the soak broke off: {error}")
        return 1
    print(in_words(report), end="")
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
