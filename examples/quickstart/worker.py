"""A worker with two methods, one declared with @app.task and one registered by hand.

    python worker.py                     or, for the first alone:   rota worker worker:app

It connects to http://127.0.0.1:8080 (or ROTA_URL), comes back by itself when the node was away, and drains at Ctrl-C.
"""

import time
from typing import Any

from rota import App, Context, Worker

app = App()


@app.task(retries=3, timeout=30)
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def example_task(ctx: Context, params: Any) -> dict[str, Any]:
    """Work in steps, telling how far it is. It gets its params as they were sent: any JSON value."""
    steps = int((params or {}).get("steps", 5))
    for step in range(steps):
        ctx.log.info("step %d of %d", step + 1, steps)
        ctx.progress((step + 1) / steps)
        time.sleep(0.1)
    return {"steps": steps, "attempt": ctx.attempt}


if __name__ == "__main__":
    worker = Worker(name="quickstart", slots=8)
    worker.add(*app.tasks)
    worker.register_method(
        "example_task",
        example_task,
        "Works in steps.",
        "`steps`: how many, 5 by default.",
        "`steps` and `attempt`.",
        retries=3,
        timeout=30,
    )
    raise SystemExit(worker.run())
