"""How far the demo has come: a bar on a terminal, a line every second elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

EVERY = 1.0


@contextmanager
def shown(total: int, console: Console) -> Iterator[Callable[[], None]]:
    """Gives a function to be called once for each finished task."""
    if console.is_terminal:
        columns = (TextColumn("counting"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bar:
            line = bar.add_task("counting", total=total)
            yield lambda: bar.advance(line)
    else:
        yield _Lines(total, console)


class _Lines:
    def __init__(self, total: int, console: Console) -> None:
        self._total, self._console = total, console
        self._done, self._said_at = 0, time.monotonic()

    def __call__(self) -> None:
        self._done += 1
        now = time.monotonic()
        if self._done == self._total or now - self._said_at >= EVERY:
            self._said_at = now
            self._console.print(f"{self._done:,} of {self._total:,} tasks done")
