"""What a submit takes while a thousand workers are connected and tasks run, and what those workers cost.

    python tests/chaos/load.py [--workers 1000] [--rate 200] [--seconds 60] [--repeat 1] [--json]

A node, its idle workers, one worker that runs tasks that do nothing, and who submits: each a process of its own. Submits
come on time, over HTTP and then over the link (see rig/open_loop.py). All on one machine: what the others take of its cores
the node has not. With `--repeat`, the median of each figure.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parent.parent / "rig"))

from processes import RIG, House, Process, house
from vitals import Cost, vitals

WORKERS, RATE = 1_000, 200.0
DOORS = ("http", "link")
SETTLE = 1.0


@dataclass(frozen=True, slots=True)
class Door:
    """While tasks arrive there. Milliseconds, but for the first."""

    node_cpu: float
    """Share of one core."""
    submit_p50: float
    submit_p99: float
    submit_p999: float
    submit_most: float
    late_most: float
    """Of that: by how much those who submit were late themselves, as on a machine that has no time for them."""
    start_p50: float
    """From ready to the start of the handler."""
    start_p99: float
    lag_p99: float
    """Of the node's loop: the bound of the histogram that holds it."""
    lag_most: float


@dataclass(frozen=True, slots=True)
class Figures:
    idle_cpu: float
    """Share of one core that the idle workers take of the node."""
    kb_a_worker: float
    """Of the node's own memory."""
    rss_mb: float
    """At the end."""
    links_lost: float
    http: Door
    link: Door


def load(
    folder: Path, workers: int = WORKERS, rate: float = RATE, seconds: float = 60.0, idle: float = 10.0
) -> Figures:
    """Once, with a house of its own. `seconds` of submits at each door, `idle` seconds without any."""
    with house(folder) as where:
        node = where.start_node()
        time.sleep(SETTLE)
        empty = vitals(node.pid).rss_mb
        stop = where.folder / "stop"
        crowd = _rig(where, "idle_workers", where.url, str(workers), str(stop))
        assert crowd.line(60).strip() == "idle"
        time.sleep(SETTLE)
        kb_a_worker = (vitals(node.pid).rss_mb - empty) * 1024 / workers
        cost = Cost(node.pid)
        time.sleep(idle)
        idle_cpu = cost.share
        where.start_worker("--slots", "16").line()
        doors = {door: _at(where, door, rate, seconds) for door in DOORS}
        rss_mb = vitals(node.pid).rss_mb
        stop.touch()
        lost = json.loads(_last_line(crowd, 2)) - workers
    return Figures(idle_cpu, kb_a_worker, rss_mb, lost, **doors)


def _at(where: House, door: str, rate: float, seconds: float) -> Door:
    before, cost = _lag(where), Cost(where.node.pid)
    generator = _rig(where, "open_loop", where.url, door, str(rate), str(seconds))
    time.sleep(seconds)  # its start, its warm-up, then the submits: the last second is its own reckoning
    share = cost.share
    said = json.loads(generator.line(seconds + 90))
    lags = {bound: count - before.get(bound, 0.0) for bound, count in _lag(where).items()}
    submit, start = sorted(said["submit"]), sorted(said["start"])
    return Door(
        share,
        *(percentile(submit, at) for at in (0.5, 0.99, 0.999)),
        submit[-1],
        max(said["late"]),
        *(percentile(start, at) for at in (0.5, 0.99)),
        *(_bound(lags, at) * 1e3 for at in (0.99, 1.0)),
    )


def _rig(where: House, name: str, *arguments: str) -> Process:
    return where._run([sys.executable, str(RIG / f"{name}.py"), *arguments], f"{name}.log", None)


def _last_line(process: Process, count: int) -> str:
    with process._news:
        assert process._news.wait_for(lambda: len(process._lines) >= count, 30), process.log.read_text()[-2000:]
        return process._lines[count - 1]


def percentile(values: list[float], share: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))]


def _lag(where: House) -> dict[float, float]:
    """How often the loop was no later than each bound, in seconds, since the node started."""
    with urllib.request.urlopen(f"{where.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    head = 'rota_event_loop_lag_seconds_bucket{le="'
    found = (line.removeprefix(head).split('"} ') for line in lines if line.startswith(head))
    return {float(bound): float(count) for bound, count in found}


def _bound(counts: dict[float, float], share: float) -> float:
    """The least bound that so large a share of all is below."""
    total = max(counts.values())
    return next(bound for bound, count in sorted(counts.items()) if count >= share * total)


def middle(all_figures: list[Figures]) -> Figures:
    """The median of each figure."""
    said = [asdict(figures) for figures in all_figures]
    whole = {name: statistics.median(one[name] for one in said) for name in said[0] if name not in DOORS}
    doors = {
        door: Door(*(statistics.median(one[door][field.name] for one in said) for field in fields(Door)))
        for door in DOORS
    }
    return Figures(**whole, **doors)


def in_words(figures: Figures) -> Iterator[str]:
    for name, value in asdict(figures).items():
        shown: Any = ", ".join(f"{k} {v:.2f}" for k, v in value.items()) if isinstance(value, dict) else f"{value:.2f}"
        yield f"{name:12} {shown}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    runs: list[Figures] = []
    for _ in range(said.repeat):
        with tempfile.TemporaryDirectory(prefix="rota-load-") as folder:
            runs.append(load(Path(folder), said.workers, said.rate, said.seconds))
    if said.json:
        print(json.dumps({"median": asdict(middle(runs)), "runs": [asdict(run) for run in runs]}, indent=1))
    else:
        print("\n".join(in_words(middle(runs))))


if __name__ == "__main__":
    main()
