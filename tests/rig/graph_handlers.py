"""Handlers whose tasks come after others, in batches, and share keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

from handlers import note

from rota import App, Context

app = App()


@app.task
async def part(ctx: Context, name: str, fails: bool = False) -> str:
    """A step of something larger."""
    note(ctx, "begin", key=name)
    if fails:
        raise ValueError(name)
    return name


@app.task
async def told(ctx: Context) -> list[object]:
    """What its context says of the tasks before it, and of its batch."""
    note(ctx, "begin", key="told")
    return [list(ctx.after), ctx.batch]


@app.task(concurrency_key="the printer", concurrency_limit=2)
async def prints(ctx: Context, page: int) -> int:
    """Two at once, whatever there are of slots."""
    note(ctx, "begin", key=str(page))
    await asyncio.sleep(0.05)
    note(ctx, "end", key=str(page))
    return page


@app.task(unique_key="index", debounce=0.5)
async def reindexes(ctx: Context, change: int) -> int:
    """Runs once a while after the last of many changes."""
    note(ctx, "begin", key=str(change))
    return change


@app.task
async def waits_for(ctx: Context, gate: str) -> str:
    """Runs until a file appears."""
    note(ctx, "begin", key="gate")
    while not Path(gate).exists():
        await asyncio.sleep(0.01)
    return "through"
