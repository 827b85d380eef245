"""The client's side of one row, as a process in that peer's environment. The runner tells it what to do.

    python -m benchmarks.driver benchmarks.peers.rota Rota

Orders come on stdin as JSON lines {"verb": …, …}; each is answered on stdout by one line, {"error": …} where it failed. What
libraries print goes to stderr.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Coroutine
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks import work
from benchmarks.peers.protocol import Peer

WAKING = 40


def addend(task: int) -> int:
    """The second param of a task: not the same for all, so that one task's result is not another's by chance."""
    return task * 7 + 1


def pairs_of(first: int, count: int) -> list[tuple[int, int]]:
    return [(task, addend(task)) for task in range(first, first + count)]


class Driver:
    """Keeps the handles of what it has submitted until they are checked."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._handles: list[Any] = []
        self._pairs: list[tuple[int, int]] = []
        self._runs = work.open_table()

    async def open(self) -> dict[str, Any]:
        await self._peer.open()
        return {"versions": {name: _version(name) for name in self._peer.packages}}

    async def submit(self, way: str, first: int, count: int, flight: int = 1) -> dict[str, Any]:
        """Seconds from the first submit to the last answer."""
        pairs = pairs_of(first, count)
        gc.collect()
        began = time.perf_counter()
        handles = await self._submit(way, pairs, flight)
        seconds = time.perf_counter() - began
        self._handles += handles
        self._pairs += pairs
        return {"seconds": seconds}

    def _submit(self, way: str, pairs: list[tuple[int, int]], flight: int) -> Coroutine[Any, Any, Any]:
        if way == "bulk":
            return self._peer.submit_bulk(pairs)
        if way == "serial":
            return self._peer.submit_serial(pairs)
        return self._peer.submit_in_flight(pairs, flight)

    async def stored(self) -> dict[str, Any]:
        """Returns when the results of all that was submitted are stored."""
        await self._peer.stored(self._handles)
        return {}

    async def end_to_end(self, first: int, count: int) -> dict[str, Any]:
        """Seconds from the first submit to the last result stored.

        Some peers' idle workers look for work ever more rarely. WAKING tasks go ahead, uncounted, so that every worker is awake
        when the clock starts.
        """
        waking, pairs = pairs_of(first, WAKING), pairs_of(first + WAKING, count)
        await self._done(waking)
        gc.collect()
        began = time.perf_counter()
        self._handles = list(await self._peer.submit_bulk(pairs))
        await self._peer.stored(self._handles)
        seconds = time.perf_counter() - began
        self._pairs = pairs
        return {"seconds": seconds}

    async def _done(self, pairs: list[tuple[int, int]]) -> None:
        handles = await self._peer.submit_bulk(pairs)
        await self._peer.stored(handles)
        await self._peer.results(handles)

    async def check(self) -> dict[str, Any]:
        """What is wrong with what was submitted since the last check: no word means that all ran once, with the right result."""
        handles, self._handles = self._handles, []
        pairs, self._pairs = self._pairs, []
        return {"wrong": self._wrong(pairs, await self._peer.results(handles))}

    async def round_trips(self, first: int, count: int) -> dict[str, Any]:
        pairs = pairs_of(first, count)
        took, results = await self._peer.round_trips(pairs)
        return {"milliseconds": took, "wrong": self._wrong(pairs, results)}

    def _wrong(self, pairs: list[tuple[int, int]], results: Any) -> str:
        if len(results) != len(pairs):
            return f"{len(pairs):,} tasks have {len(results):,} results"
        false = [(a, b, result) for (a, b), result in zip(pairs, results, strict=True) if result != a + b]
        if false:
            a, b, result = false[0]
            return f"{len(false):,} of {len(pairs):,} tasks have a wrong result: {a} + {b} gave {str(result)[:100]}"
        runs = {a: self._runs[a] for a, _ in pairs}
        never, twice = [a for a in runs if runs[a] == 0], [a for a in runs if runs[a] > 1]
        if never or twice:
            return f"of {len(pairs):,} tasks {len(never):,} never ran and {len(twice):,} ran more than once"
        return ""

    async def close(self) -> dict[str, Any]:
        await self._peer.close()
        return {}


def _version(package: str) -> str:
    """A checkout's own word goes over what was noted when it was installed."""
    if (told := getattr(sys.modules.get(package), "__version__", None)) is not None:
        return str(told)
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


async def main(module: str, name: str) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    driver = Driver(getattr(importlib.import_module(module), name)())
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        try:
            answer = await getattr(driver, order.pop("verb"))(**order)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main(*sys.argv[1:]))
    else:
        uvloop.run(main(*sys.argv[1:]))
