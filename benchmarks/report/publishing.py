"""Puts a result where people see it: benchmarks/results/published, and the tables and the plot in docs/benchmarks.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.report.arithmetic import Result
from benchmarks.report.bars import svg
from benchmarks.report.table import markdown

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- result: written by benchmarks/run.py --publish -->", "<!-- end of result -->"


def write(result: Result, name: str, folder: Path = RESULTS) -> list[Path]:
    """The JSON, the tables and the plot, side by side; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "json": json.dumps(result, indent=1, ensure_ascii=False) + "\n",
        "md": markdown(result),
        "svg": svg(result),
    }
    paths = []
    for kind, text in contents.items():
        path = folder / f"{name}.{kind}"
        path.write_text(text, "utf-8")
        paths.append(path)
    return paths


def publish(result: Result, name: str) -> list[Path]:
    """Under that name, which is a release's."""
    paths = write(result, name, RESULTS / "published")
    plot = f"![End to end, tasks per second](../benchmarks/results/published/{name}.svg)"
    PAGE.write_text(placed(PAGE.read_text("utf-8"), f"{plot}\n\n{markdown(result)}"), "utf-8")
    return [*paths, PAGE]


def placed(page: str, text: str) -> str:
    """The page with `text` between its two marks. Raises ValueError where they are not there."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page has no place for a result: {BEGIN} … {END}")
    pattern = re.escape(BEGIN) + r".*?" + re.escape(END)
    return re.sub(pattern, lambda _: f"{BEGIN}\n\n{text.strip()}\n\n{END}", page, flags=re.DOTALL)
