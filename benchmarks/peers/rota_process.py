"""Rota with its `def` handler in processes. An app of its own, so that workers of other rows start no process."""

from __future__ import annotations

from benchmarks import work
from rota import App

app = App()


@app.task(isolation="process")
def add_process(a: int, b: int) -> int:
    return work.add(a, b)
