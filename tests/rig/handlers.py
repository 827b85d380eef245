"""Handlers that write down what happens to them, for tests with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

from rota import App, Context, Retry

app = App()
_runs = os.environ.get("ROTA_TEST_RUNS", "")
_pid = os.getpid()


def note(ctx: Context, event: str, **rest: object) -> None:
    """One line, in one write, so that a kill leaves it whole or not at all."""
    if not _runs:
        return
    line = json.dumps(
        {"task": ctx.task_id, "attempt": ctx.attempt, "event": event, "at": time.monotonic(), "pid": _pid, **rest}
    )
    fd = os.open(_runs, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (line + "\n").encode())
    os.close(fd)


@app.task
async def noop() -> None:
    """Does nothing."""


@app.task
async def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@app.task
async def mark(ctx: Context, key: str, pause: float = 0.0) -> str:
    """Notes its begin and end, and returns what tells its attempt."""
    note(ctx, "begin", key=key)
    if pause:
        await asyncio.sleep(pause)
    returned = f"{key}/{ctx.attempt}"
    note(ctx, "end", key=key, returned=returned)
    return returned


@app.task
def mark_in_thread(ctx: Context, key: str, pause: float = 0.0) -> str:
    """The same, in a thread."""
    note(ctx, "begin", key=key)
    time.sleep(pause)
    returned = f"{key}/{ctx.attempt}"
    note(ctx, "end", key=key, returned=returned)
    return returned


@app.task
async def hold(ctx: Context, gate: str) -> str:
    """Runs until a file appears."""
    note(ctx, "begin")
    while not Path(gate).exists():
        await asyncio.sleep(0.01)
    note(ctx, "end")
    return f"done by attempt {ctx.attempt}"


@app.task(retries=5, retry_delay=0.05)
async def flaky(ctx: Context, times: int) -> int:
    """Fails so many times, then returns the attempt."""
    note(ctx, "begin")
    if ctx.attempt <= times:
        raise ValueError(f"attempt {ctx.attempt}")
    return ctx.attempt


@app.task(retries=3)
async def asks_again(ctx: Context) -> int:
    """Asks for another try until the third."""
    if ctx.attempt < 3:
        raise Retry(after=0.05)
    return ctx.attempt


@app.task
async def dies(ctx: Context) -> None:
    """Takes its worker with it."""
    note(ctx, "begin")
    os._exit(9)


@app.task
def chatters(ctx: Context, lines: int) -> int:
    """Writes a log and its progress."""
    for number in range(lines):
        ctx.log.info("line %d", number)
        ctx.progress((number + 1) / lines, f"{number + 1} of {lines}")
    return lines
