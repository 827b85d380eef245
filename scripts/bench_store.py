"""Microseconds a row that the SQLite store's writer takes, by batch size, beside an idle and a busy event loop.

    python scripts/bench_store.py [rows a figure] [folder]

Idle: one batch after another. Busy: another batch of plain Python work runs on the loop all the while, 0.2 ms at a time with
a system call between two, as a loop that serves connections does.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from uuid_utils import uuid7

from rota.contract.store import Entry
from rota.model import lifecycle
from rota.model.task import Lane, Spec, Task
from rota.storage.sqlite import SqliteStore

TTL = 30_000_000
KEEP = lifecycle.Retention()
SPEC = Spec(Lane("add"), b"[1, 2]" + b" " * 200)


def made(now: int) -> Entry:
    return Entry(lifecycle.accept(uuid7().bytes, SPEC, now))


async def insert(store: SqliteStore, entries: list[Entry]) -> list[Task]:
    await store.submit(entries)
    return [entry.task for entry in entries]


async def claim(store: SqliteStore, tasks: list[Task]) -> list[Task]:
    changes = [lifecycle.claim(task, 1, store.now(), TTL) for task in tasks]
    assert len((await store.apply(changes)).accepted) == len(tasks)
    for change, task in zip(changes, tasks, strict=True):
        change.onto(task)
    return tasks


async def finish(store: SqliteStore, tasks: list[Task]) -> None:
    changes = [lifecycle.succeed(task, b"3", None, store.now(), KEEP) for task in tasks]
    assert len((await store.apply(changes)).accepted) == len(tasks)


async def read(store: SqliteStore, tasks: list[Task]) -> None:
    assert len(await store.get([task.id for task in tasks])) == len(tasks)


async def figures(store: SqliteStore, rows: int, batch: int) -> dict[str, float]:
    spent = dict.fromkeys(("insert", "claim", "read", "finish"), 0.0)
    rounds = max(3, rows // batch)
    for _ in range(rounds):
        entries = [made(store.now()) for _ in range(batch)]
        tasks = await timed(spent, "insert", insert(store, entries))
        tasks = await timed(spent, "claim", claim(store, tasks))
        await timed(spent, "read", read(store, tasks))
        await timed(spent, "finish", finish(store, tasks))
    return {what: seconds / rounds / batch * 1e6 for what, seconds in spent.items()}


async def timed(spent, what, verb):
    start = time.perf_counter()
    result = await verb
    spent[what] += time.perf_counter() - start
    return result


async def busy() -> None:
    while True:
        until = time.perf_counter() + 0.0002
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


async def main(rows: int, folder: Path) -> None:
    store = SqliteStore(folder / "rota.db")
    await store.open()
    await figures(store, 1_000, 100)
    for name in ("idle", "busy"):
        noise = asyncio.create_task(busy()) if name == "busy" else None
        for batch in (1, 100, 500):
            found = await figures(store, min(rows, batch * 40), batch)
            print(name, f"batch {batch:4}", *(f"{what} {us:8.1f}" for what, us in found.items()), "µs a row")
        if noise is not None:
            noise.cancel()
    await store.close()


if __name__ == "__main__":
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as found:
        asyncio.run(main(rows, Path(found)))
