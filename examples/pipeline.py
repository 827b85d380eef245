"""A pipeline of three methods, in which urgent items overtake.

    python examples/pipeline.py

Each step submits the next one and returns its task's id. Later steps go before earlier ones of the same item's priority,
so that items are finished rather than begun. A step is durable before the one that made it has ended: if a worker dies
in between, that one runs again, and the idempotency key makes sure that the next is not submitted twice.
`embedded:` runs a node and a worker inside this process.
"""

from __future__ import annotations

import ast
import sysconfig
import time
from pathlib import Path

from rota import App, Context

app = App("embedded:")
NORMAL, URGENT = 0, 5


@app.task(retries=3)
def fetch(ctx: Context, path: str, priority: int) -> str:
    """Read a file, from a slow place."""
    time.sleep(0.15)
    text = Path(path).read_text("utf-8", "replace")
    return parse.options(priority=priority + 1, idempotency_key=f"parse {ctx.task_id}").submit(path, text, priority).id


@app.task
def parse(ctx: Context, path: str, text: str, priority: int) -> str:
    """Find its functions and classes."""
    tree = ast.parse(text)
    names = {
        kind.__name__: [node.name for node in ast.walk(tree) if isinstance(node, kind)]
        for kind in (ast.FunctionDef, ast.ClassDef)
    }
    return summarise.options(priority=priority + 2, idempotency_key=f"summarise {ctx.task_id}").submit(path, names).id


@app.task
def summarise(path: str, names: dict[str, list[str]]) -> str:
    """Say it in a line."""
    return f"{Path(path).name}: " + ", ".join(f"{len(found)} {kind}" for kind, found in names.items())


def end_of(task_id: str) -> tuple[float, str]:
    """Follows the steps of an item to the last one: when it ended, and its line."""
    parsed = app.client.result(task_id, timeout=60)
    summarised = app.client.result(parsed, timeout=60)
    line = app.client.result(summarised, timeout=60)
    ended_at = app.client.get(summarised).ended_at
    assert ended_at is not None
    return ended_at.timestamp(), line


if __name__ == "__main__":
    files = sorted(str(path) for path in Path(sysconfig.get_path("stdlib")).glob("*.py"))[:105]
    with app:
        began = time.time()
        normal = [fetch.submit(path, NORMAL) for path in files[:100]]
        urgent = [fetch.options(priority=URGENT).submit(path, URGENT) for path in files[100:]]
        ends = sorted([(*end_of(handle.id), handle in urgent) for handle in normal + urgent])
        for place, (ended_at, line, is_urgent) in enumerate(ends, 1):
            if is_urgent or place % 20 == 0:
                print(f"{place:>4}. after {ended_at - began:4.1f} s  {'URGENT ' if is_urgent else '       '}{line}")
        places = [place for place, (_, _, is_urgent) in enumerate(ends, 1) if is_urgent]
        print("the five urgent ones were submitted last, and came in at places", *places)
