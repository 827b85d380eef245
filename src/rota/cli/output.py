"""Where commands write: tables and sentences for people, or with --json one JSON value a line for machines.

Results go to stdout; warnings and errors go to stderr, in JSON mode as JSON too. Colour only on a terminal. Everything
is written through `write`, so that a closed pipe is met in one place.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from rota.model.errors import RotaError
from rota.telemetry.safe import json_text, one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDE = 100_000


class Output:
    """The two streams of a command."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.interactive = not json and sys.stdout.isatty()
        self.can_show_progress = not json and sys.stderr.isatty()

    def value(self, value: object) -> None:
        """One JSON value, on a line of its own."""
        self.write(json_text(value) + "\n")

    def write(self, text: str) -> None:
        """Text for stdout, as it is, at once."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def say(self, sentence: str = "") -> None:
        """A line for people."""
        self.write(sentence + "\n")

    def line(self, text: str) -> None:
        """A line that holds text from others."""
        self.say(one_line(text))

    def warn(self, sentence: str) -> None:
        """Something to know beside the result."""
        _to_stderr(json_text({"warning": sentence}) if self.json else f"rota: warning: {one_line(sentence)}")

    def note(self, sentence: str) -> None:
        """How far it has come, for people only."""
        if not self.json:
            _to_stderr(one_line(sentence))

    def error(self, error: RotaError) -> None:
        """What went wrong, with every wrong place on a line of its own."""
        if self.json:
            _to_stderr(json_text({"error": error_value(error)}))
        elif len(error.errors) > 1:
            _to_stderr(
                "\n".join(
                    ["rota: several things are wrong:", *(f"  {_place(f.path, f.message)}" for f in error.errors)]
                )
            )
        else:
            _to_stderr(f"rota: {one_line(error.detail)}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
        """A table whose cells are plain, possibly hostile text; the columns in `right` hold numbers.

        On a terminal that is too narrow every column but the first, which names the row, is folded.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD if self.interactive else None, pad_edge=False, header_style="bold")
        for place, head in enumerate(heads):
            align = "right" if head in right else "left"
            table.add_column(head, justify=align, overflow="fold", no_wrap=place == 0)
        for row in rows:
            table.add_row(*(Text(one_line(cell), style=_style(cell)) for cell in row))
        self.show(table)

    def show(self, thing: RenderableType) -> None:
        """Something that rich can draw."""
        buffer = StringIO()
        self._console(buffer).print(thing)
        lines = buffer.getvalue().splitlines()
        self.write("\n".join(line.rstrip() for line in lines) + "\n")

    def _console(self, file: StringIO) -> Console:
        from rich.console import Console

        if not self.interactive:
            return Console(file=file, width=_WIDE, force_terminal=False, color_system=None, highlight=False)
        screen = Console()
        return Console(
            file=file,
            width=screen.width,
            force_terminal=True,
            no_color=screen.no_color,
            highlight=False,
        )


def error_value(error: RotaError) -> dict[str, Any]:
    """An error as JSON has it."""
    value: dict[str, Any] = {"code": error.code, "detail": error.detail}
    if error.errors:
        value["errors"] = [{"path": f.path, "code": f.code, "message": f.message} for f in error.errors]
    return value


_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "running": "cyan",
    "cancelled": "yellow",
    "expired": "yellow",
    "ok": "green",
    "warn": "yellow",
    "bad": "bold red",
}


def _style(cell: str) -> str:
    return _STYLES.get(cell, "")


def _place(path: str, message: str) -> str:
    return one_line(f"{path}: {message}" if path else message)


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
