"""How far long work has come: a bar on a terminal, else a plain line on stderr every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rota.cli import human
from rota.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EVERY = 5.0
"""Seconds between plain lines."""


class Steps(Protocol):
    def advance(self, count: int, total: int | None = None) -> None:
        """So many more are done; of so many in all, where that is known only now."""
        ...


@contextmanager
def steps(out: Output, what: str, total: int | None) -> Iterator[Steps]:
    """`what` is a participle: submitted, ended. `total` is None where it is not known. With --json it is silent.

    Nothing may be written to the same terminal meanwhile: a bar that is drawn anew around each line is very slow.
    """
    if out.can_show_progress:
        with _bar(what, total) as bar:
            yield bar
    else:
        yield _Lines(out, what, total)


class _Lines:
    def __init__(self, out: Output, what: str, total: int | None) -> None:
        self._out, self._what, self._total = out, what, total
        self._done = 0
        self._next = time.monotonic() + _EVERY

    def advance(self, count: int, total: int | None = None) -> None:
        self._done += count
        self._total = total or self._total
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            of = f" of {human.number(self._total)}" if self._total is not None else ""
            self._out.note(f"{human.number(self._done)}{of} {self._what}")


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Steps]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        yield _Bar(progress.add_task(what, total=total), progress)


class _Bar:
    def __init__(self, number: TaskID, progress: Progress) -> None:
        self._number, self._progress = number, progress

    def advance(self, count: int, total: int | None = None) -> None:
        self._progress.update(self._number, advance=count, total=total)
