"""Tasks over HTTP: one by one, with their result, and in batches. Needs `wrk` (apt install wrk).

    python benchmarks/http/run.py [--seconds 5] [--repetitions 3] [--connections 16] [--durability full] [--json]

A node and one worker are started in a temporary folder, and stopped at the end. After each step every task that was accepted
has to be finished once before its figures count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROTA = str(Path(sys.executable).parent / "rota")
BATCH = 100
ONE = '{"method":"noop","params":{}}'
DRAIN_SECONDS = 120.0


class Step(NamedTuple):
    name: str
    path: str
    body: str
    tasks: int
    """In one request."""
    connections: int | None = None
    """None: as many as were asked for."""


STEPS = (
    Step("execute", "/execute", ONE, 1),
    Step("execute, wait, idle", "/execute", ONE[:-1] + ',"wait":10}', 1, 1),
    Step("execute, wait", "/execute", ONE[:-1] + ',"wait":10}', 1),
    Step(f"batches of {BATCH}", "/tasks", f'{{"tasks":[{",".join([ONE] * BATCH)}]}}', BATCH),
)


class House:
    """A node and a worker."""

    def __init__(self, port: int, node: subprocess.Popen[str]) -> None:
        self.port, self.node = port, node

    def stats(self) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/api/v1/stats")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def drained(self) -> tuple[dict[str, Any], float]:
        """The stats when all is done, and how long that took."""
        began = time.monotonic()
        while (stats := self.stats())["finished"] < stats["submitted"]:
            if time.monotonic() - began > DRAIN_SECONDS:
                raise SystemExit(
                    f"{stats['submitted'] - stats['finished']} tasks are not done after {DRAIN_SECONDS:.0f} s"
                )
            time.sleep(0.05)
        return stats, time.monotonic() - began


@contextmanager
def house(durability: str) -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="rota-http-") as folder, socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        sock.close()
        environment = {**os.environ, "PYTHONPATH": str(HERE)}
        flags = ["--http-port", str(port), "--grpc", "off", "--durability", durability, "--data", folder, "--json"]
        children = [_child([ROTA, "node", *flags], environment)]
        try:
            _first_line(children[0])
            children.append(
                _child([ROTA, "worker", "handlers:app", "--url", f"http://127.0.0.1:{port}", "--json"], environment)
            )
            _first_line(children[1])
            yield House(port, children[0])
        finally:
            for child in reversed(children):
                child.terminate()
                child.wait(30)


def _child(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def _first_line(child: subprocess.Popen[str]) -> None:
    if child.stdout is None or not child.stdout.readline():
        raise SystemExit(f"{child.args!r} did not start")


def measure(made: House, step: Step, seconds: float, connections: int) -> dict[str, float]:
    """One run of wrk. Raises SystemExit where an answer was bad or a task was lost."""
    before = made.stats()
    result = _wrk(made, step, seconds, step.connections or connections)
    at_end = made.stats()
    stats, drain = made.drained()
    accepted = stats["submitted"] - before["submitted"]
    if result["bad"] or stats["submitted"] != stats["finished"] or accepted < result["requests"] * step.tasks:
        raise SystemExit(f"{step.name}: {result['bad']} bad answers, {accepted} accepted; {stats}")
    return {
        "tasks_per_second": result["requests"] * step.tasks / result["seconds"],
        "finished_meanwhile_per_second": (at_end["finished"] - before["finished"]) / result["seconds"],
        "p50_ms": result["p50_ms"],
        "p99_ms": result["p99_ms"],
        "drain_seconds": drain,
    }


def _wrk(made: House, step: Step, seconds: float, connections: int) -> dict[str, float]:
    url = f"http://127.0.0.1:{made.port}/api/v1{step.path}"
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "--timeout",
        "30s",
        "-s",
        str(HERE / "post.lua"),
        url,
    ]
    done = subprocess.run(command, env={**os.environ, "BODY": step.body}, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--durability", choices=("full", "relaxed"), default="full")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt install wrk")
    figures: dict[str, list[dict[str, float]]] = {step.name: [] for step in STEPS}
    with house(asked.durability) as made:
        measure(made, STEPS[0], 1.0, asked.connections)
        for _ in range(asked.repetitions):
            for step in STEPS:
                figures[step.name].append(measure(made, step, asked.seconds, asked.connections))
    print(json.dumps(figures, indent=2) if asked.json else table(figures))


def table(figures: dict[str, list[dict[str, float]]]) -> str:
    """Medians, with the least and the greatest of the rates."""
    lines = [
        "| | tasks/s | least … greatest | finished meanwhile/s | p50 ms | p99 ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, runs in figures.items():
        rates = sorted(run["tasks_per_second"] for run in runs)
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        lines.append(
            f"| {name} | {middle['tasks_per_second']:,.0f} | {rates[0]:,.0f} … {rates[-1]:,.0f} | "
            f"{middle['finished_meanwhile_per_second']:,.0f} | {middle['p50_ms']:.2f} | {middle['p99_ms']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
