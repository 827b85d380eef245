"""What becomes of tasks that fail, wait, run out of time, or are cancelled.

    python examples/retries_and_cancel.py

It needs nothing else: `embedded:` runs a node and a worker inside this process. With a node and a worker of your own the
tasks are the same; leave the address out.
"""

from __future__ import annotations

import asyncio
import time

from rota import App, Cancel, Context, Handle, Retry, TaskError

app = App("embedded:")


@app.task(retries=4, retry_delay=0.2, retry_backoff=1.5, retry_on=[ConnectionError])
def flaky(ctx: Context, good_after: int) -> str:
    """Fails a few times, then works. Each failure spends one try; `retries=4` are five tries."""
    if ctx.failures < good_after:
        raise ConnectionError("the other side is busy")
    return f"worked at attempt {ctx.attempt}"


@app.task(retries=4, retry_on=[ConnectionError])
def wrong(number: int) -> float:
    """Raises what is not worth another try."""
    return 1 / number


@app.task(retries=1)
def not_yet(ctx: Context) -> str:
    """Asks for another try itself, and says when."""
    if ctx.failures == 0:
        raise Retry(after=0.3, message="the report is not written yet")
    return "the report is there"


@app.task
def not_needed() -> None:
    """Ends its own task."""
    raise Cancel("somebody else has done it")


@app.task(timeout=0.3)
def too_slow() -> None:
    """Runs longer than it may. The thread is stopped as soon as it is back in Python."""
    while True:
        time.sleep(0.01)


@app.task
async def endless() -> None:
    """Until somebody cancels it."""
    await asyncio.sleep(3600)


def tell(name: str, handle: Handle[object]) -> None:
    try:
        print(f"{name:<12} succeeded: {handle.result(timeout=30)}")
    except TaskError as error:
        print(f"{name:<12} {handle.status()}: {error}")
    view = handle.view()
    for past in view.attempts:
        message = f": {past.error.message}" if past.error else ""
        print(f"{'':<12}   attempt {past.attempt} ended as {past.reason}{message}")


if __name__ == "__main__":
    with app:
        tell("flaky", flaky.submit(2))
        tell("wrong", wrong.submit(0))
        tell("not_yet", not_yet.submit())
        tell("not_needed", not_needed.submit())
        tell("too_slow", too_slow.submit())

        running = endless.submit()
        while running.status() != "running":
            time.sleep(0.02)
        running.cancel("shown enough")
        tell("endless", running)

        later = flaky.options(delay=3600).submit(0)
        later.cancel()
        tell("later", later)
