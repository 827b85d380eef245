"""The work that every row does: `add(a, b)`, and a mark in a table of runs.

The table is a file of one byte a task, mapped by the workers and by whoever checks. Each run of task `a` adds one to byte
`a`, so the check sees tasks that ran twice as well as those that did not run. Standard library only: this module is loaded
in the environment of every peer.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

RUNS_VARIABLE = "BENCH_RUNS"


def new_table(path: Path, tasks: int) -> None:
    """A table for tasks 0 … tasks − 1."""
    with path.open("wb") as file:
        file.truncate(tasks)


def open_table() -> mmap.mmap:
    with open(os.environ[RUNS_VARIABLE], "r+b") as file:
        return mmap.mmap(file.fileno(), 0)


class Work:
    """`add`, with the table opened at its first call: a process that only submits needs none."""

    def __init__(self) -> None:
        self._runs: mmap.mmap | None = None

    def add(self, a: int, b: int) -> int:
        runs = self._runs
        if runs is None:
            runs = self._runs = open_table()
        runs[a] += 1
        return a + b


add = Work().add
