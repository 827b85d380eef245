"""Fan-out and fan-in: many tasks look at one file each, and one task comes after all of them.

    python examples/longest_lines.py

The parts are a batch, so that they are counted under one name. The last task starts when every part has ended well; it
finds their ids in `ctx.after`, and asks for their results. A file that cannot be read fails its part, and what comes after
all parts would fail with it: `on_parent_failure="run"` has it run anyway, with what there is.
`embedded:` runs a node and a worker inside this process.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

from rota import App, Context

app = App("embedded:")


@app.task(retries=1, retry_delay=0.1, give_up_on=UnicodeDecodeError)
def longest_line(path: str) -> list[str | int]:
    """The length of the longest line of a file, and its name."""
    lines = Path(path).read_text("utf-8").splitlines()
    return [max(map(len, lines), default=0), Path(path).name]


@app.task
async def champion(ctx: Context) -> list[str | int]:
    """The longest of all."""
    outcomes = await app.client.agather(ctx.after)
    return max(outcome.value() for outcome in outcomes if outcome.ok)


@app.task
def report(ctx: Context) -> str:
    """Comes after the champion: a chain."""
    [before] = ctx.after
    length, name = app.client.result(before)
    return f"{name} has a line of {length} characters"


if __name__ == "__main__":
    files = sorted(str(path) for path in Path(sysconfig.get_path("stdlib")).glob("*.py"))
    with app:
        parts = app.submit_many([longest_line.call(path) for path in [*files, "/no/such/file.py"]], batch="lines")
        best = champion.options(after=parts, on_parent_failure="run").submit()
        words = report.options(after=[best]).submit()
        info = parts.wait(timeout=60)
        print(f"{info.done} of {info.total} parts have ended, {info.failed} failed")
        print(words.result(timeout=60))
