"""Times a whole house: a node, a worker and a client as three processes, and checks that every task was done once.

    end_to_end.py [--tasks 100000] [--method noop|noop_thread] [--slots 16] [--durability full] [--json]

The clock runs from the first submit to the last result stored. A run whose delivery is not exact has no figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rota import AsyncClient

HERE = Path(__file__).parent
ROTA = str(Path(sys.executable).parent / "rota")
SERIAL = 300


def fsync_p50(folder: Path) -> float:
    """Milliseconds that a 4 KiB write and fdatasync take here."""
    took = []
    with open(folder / "fsync", "wb") as file:
        for _ in range(100):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


async def throughput(client: AsyncClient, tasks: int, method: str) -> dict[str, float]:
    began = time.perf_counter()
    receipts = await client.submit_many([(method, {"n": n}) for n in range(tasks)])
    submitted = time.perf_counter()
    ids = {receipt.id for receipt in receipts}
    outcomes = await client.gather(list(ids), timeout=600)
    ended = time.perf_counter()
    exact = len(ids) == tasks and all(o.state == "succeeded" for o in outcomes)
    results = sorted(outcome.value() for outcome in outcomes)
    if not exact or results != list(range(tasks)):
        raise SystemExit("the delivery was not exact: this run has no figure")
    return {"submit_per_s": tasks / (submitted - began), "end_to_end_per_s": tasks / (ended - began)}


async def round_trips(client: AsyncClient, method: str) -> dict[str, float]:
    took = []
    for number in range(SERIAL + 20):
        began = time.perf_counter()
        await client.execute(method, {"n": number})
        took.append((time.perf_counter() - began) * 1e3)
    took = sorted(took[20:])
    return {"round_trip_p50_ms": took[len(took) // 2], "round_trip_p99_ms": took[int(len(took) * 0.99)]}


async def measure(url: str, tasks: int, method: str) -> dict[str, float]:
    async with AsyncClient(url) as client:
        await client.execute(method, {"n": 0}, wait_timeout=30)
        await client.gather([r.id for r in await client.submit_many([(method, {"n": 0})] * 2_000)], timeout=60)
        return {**await throughput(client, tasks, method), **await round_trips(client, method)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--method", default="echo", choices=["echo", "echo_thread"])
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--durability", default="full")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rota-e2e-"))
    children: list[subprocess.Popen[str]] = []
    try:
        baseline = fsync_p50(folder)
        node = subprocess.Popen(
            [ROTA, "node", "--http-port", "0", "--data", str(folder), "--durability", chosen.durability, "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(node)
        url = json.loads(node.stdout.readline())["http_url"]
        children.append(
            subprocess.Popen(
                [ROTA, "worker", "bench_handlers:app", "--url", url, "--slots", str(chosen.slots)],
                cwd=HERE,
                stdout=subprocess.DEVNULL,
            )
        )
        found = asyncio.run(measure(url, chosen.tasks, chosen.method))
    finally:
        for child in reversed(children):
            child.terminate()
            child.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    found |= {"tasks": chosen.tasks, "durability": chosen.durability, "method": chosen.method, "fsync_p50_ms": baseline}
    if chosen.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:20} {value:,.2f}" if isinstance(value, float) else f"{name:20} {value}")


if __name__ == "__main__":
    main()
