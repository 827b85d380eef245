"""The methods of the soak. Each notes its begin and end; `key` says in which slice of the history."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

from rota import App, Context

SLICE = 20_000
"""Tasks of one slice of the history: it is written, and judged, slice by slice, so that memory stays flat."""

app = App()
_folder = Path(os.environ.get("ROTA_SOAK", "."))
_pid = os.getpid()


def slice_of(key: str) -> int:
    """Keys are `k` and the ordinal of the task."""
    return int(key[1:]) // SLICE


def note(ctx: Context, event: str, key: str, **rest: object) -> None:
    """One line, in one write, so that a kill leaves it whole or not at all."""
    line = json.dumps(
        {"task": ctx.task_id, "attempt": ctx.attempt, "event": event, "at": time.monotonic(), "pid": _pid, **rest}
    )
    file = _folder / f"runs-{slice_of(key):04}.jsonl"
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (line + "\n").encode())
    os.close(fd)


def end(ctx: Context, key: str) -> str:
    returned = f"{key}/{ctx.attempt}"
    note(ctx, "end", key, returned=returned)
    return returned


@app.task
async def in_loop(ctx: Context, key: str, pause: float = 0.0) -> str:
    """Waits in the loop."""
    note(ctx, "begin", key)
    if pause:
        await asyncio.sleep(pause)
    return end(ctx, key)


@app.task
def in_thread(ctx: Context, key: str, pause: float = 0.0) -> str:
    """Waits in a thread."""
    note(ctx, "begin", key)
    time.sleep(pause)
    return end(ctx, key)


@app.task
async def chatty(ctx: Context, key: str) -> str:
    """Writes a log and its progress."""
    note(ctx, "begin", key)
    for number in range(3):
        ctx.log.info("line %d of %s", number, key)
        ctx.progress((number + 1) / 3, f"{number + 1} of 3")
    return end(ctx, key)


@app.task(retries=3, retry_delay=0.2)
async def falters(ctx: Context, key: str) -> str:
    """Fails at the first attempt, and returns at any other."""
    note(ctx, "begin", key)
    if ctx.attempt == 1:
        raise ValueError(f"the first attempt at {key}")
    return end(ctx, key)
