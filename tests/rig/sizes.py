"""Handlers whose results and log lines are as large as a test wants."""

from __future__ import annotations

from rota import App, Context

app = App()


@app.task(retries=3, retry_delay=0.01)
async def returns(size: int) -> str:
    """JSON of so many bytes."""
    return "r" * (size - 2)


@app.task(retries=3, retry_delay=0.01)
def returns_in_thread(size: int) -> str:
    """The same, in a thread."""
    return "r" * (size - 2)


@app.task
async def says(ctx: Context, size: int) -> int:
    """Logs one line of so many characters."""
    ctx.log.info("%s", "l" * size)
    return size


@app.task
async def takes(text: str) -> int:
    """Tells how long its params are."""
    return len(text)
