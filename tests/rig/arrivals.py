"""An open-loop generator in a process of its own: tasks arrive on time, however the node is doing.

arrivals.py URL FOLDER RATE STOP

A submit's latency counts from the instant it was due, so a stall is seen by all who would have come meanwhile. What was
asked and answered goes to files at once (`asks-NNNN.jsonl`, `latency.jsonl`): nothing of the past is kept in memory.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from soak_handlers import slice_of

from rota import AsyncClient
from rota.model.errors import RotaError

WINDOW = 5.0
"""Seconds that one line of `latency.jsonl` stands for."""
MOST_IN_FLIGHT = 3_000
"""Submits without an answer; beyond it arrivals are put off, and counted as such."""
PLAN: list[tuple[str, dict[str, Any]]] = [
    *[("in_loop", {})] * 8,
    *[("in_thread", {})] * 5,
    *[("chatty", {})] * 2,
    *[("falters", {})] * 2,
    ("in_loop", {"pause": 0.05, "unique": True}),
    ("in_loop", {"pause": (0.1, 0.5)}),
    ("in_thread", {"pause": (0.1, 0.5)}),
]
"""The kinds of tasks, one after another."""


def planned(number: int) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Method, params and options of the nth task. No chance in it: the same number is the same task."""
    method, kind = PLAN[number % len(PLAN)]
    params: dict[str, Any] = {"key": f"k{number}"}
    pause = kind.get("pause")
    if isinstance(pause, tuple):
        low, high = pause
        pause = low + (high - low) * (number * 7 % 100) / 100
    if pause is not None:
        params["pause"] = pause
    # Every second unique task asks for the key that the one before it took, and mostly still holds.
    unique = {"unique_key": f"u{number // len(PLAN) // 2 % 50}"} if kind.get("unique") else {}
    return method, params, unique


class Latencies:
    """Of the window that is open. Milliseconds."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._took: list[float] = []
        self._refused: Counter[str] = Counter()
        self._late = 0

    def took(self, seconds: float) -> None:
        self._took.append(seconds * 1e3)

    def refused(self, code: str) -> None:
        self._refused[code] += 1

    def put_off(self) -> None:
        self._late += 1

    def close(self, at: float) -> None:
        took = sorted(self._took)
        line = {
            "at": at,
            "count": len(took),
            "p50": took[len(took) // 2] if took else None,
            "p99": took[int(len(took) * 0.99)] if took else None,
            "max": took[-1] if took else None,
            "refused": dict(self._refused),
            "put_off": self._late,
        }
        with open(self._file, "a") as out:
            out.write(json.dumps(line) + "\n")
        self._took.clear()
        self._refused.clear()
        self._late = 0


class Arrivals:
    def __init__(self, client: AsyncClient, folder: Path, rate: float) -> None:
        self._client, self._folder, self._rate = client, folder, rate
        self._latencies = Latencies(folder / "latency.jsonl")
        self._in_flight: set[asyncio.Task[None]] = set()
        self._out: tuple[int, Any] | None = None

    async def run(self, stop: Path) -> int:
        """Until the stop file is there; answers how many arrived."""
        loop = asyncio.get_running_loop()
        began = window = loop.time()
        number = 0
        while True:
            due = began + number / self._rate
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            if loop.time() - window >= WINDOW:
                window = loop.time()
                self._latencies.close(window)
            if stop.exists():
                break
            if len(self._in_flight) >= MOST_IN_FLIGHT:
                self._latencies.put_off()
                await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._submit(number, due))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
            number += 1
        if self._in_flight:
            await asyncio.wait(self._in_flight)
        self._latencies.close(loop.time())
        return number

    async def _submit(self, number: int, due: float) -> None:
        method, params, options = planned(number)
        key = params["key"]
        self._write(key, {"key": key, "phase": "invoke"})
        try:
            receipt = await self._client.submit(method, params, labels={"key": key}, **options)
        except RotaError as error:
            self._latencies.refused(error.code)
            self._write(key, {"key": key, "phase": "info", "code": error.code})
            return
        self._latencies.took(asyncio.get_running_loop().time() - due)
        phase = "duplicate" if receipt.duplicate else "ok"
        self._write(key, {"key": key, "phase": phase, "id": receipt.id})

    def _write(self, key: str, entry: dict[str, str]) -> None:
        number = slice_of(key)
        if self._out is None or self._out[0] < number:
            if self._out is not None:
                self._out[1].close()
            self._out = (number, open(self._folder / f"asks-{number:04}.jsonl", "a"))  # noqa: SIM115
        if self._out[0] == number:
            self._out[1].write(json.dumps(entry) + "\n")
            self._out[1].flush()
            return
        with open(self._folder / f"asks-{number:04}.jsonl", "a") as older:
            older.write(json.dumps(entry) + "\n")


async def main(url: str, folder: str, rate: str, stop: str) -> None:
    async with AsyncClient(url, connect_timeout=60) as client:
        print(await Arrivals(client, Path(folder), float(rate)).run(Path(stop)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
