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
from rota.telemetry.redaction import redactor
from rota.telemetry.safe import json_text, one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDE = 100_000
_GAP = 2
"""Columns between two of a table's."""
_READABLE = 24
"""Columns that the last of a table's has at least."""


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

    def more(self, cursor: str) -> None:
        """Where the next page begins."""
        _to_stderr(json_text({"next": cursor}) if self.json else f"more: --cursor {one_line(cursor)}")

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

    def table(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        right: Sequence[str] = (),
        optional: Sequence[str] = (),
        headless: bool = False,
    ) -> None:
        """A table whose cells are plain, possibly hostile text; the columns in `right` hold numbers.

        On a terminal that is too narrow the columns in `optional` are left out, the first of them first; then the others
        are folded, but for numbers and the first column, which names the row. `headless`: it goes on from another.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        cells = [[one_line(cell) for cell in row] for row in rows]
        left_out = self._left_out(heads, cells, optional) if self.interactive else []
        shown = [place for place, head in enumerate(heads) if head not in left_out]
        table = Table(
            box=SIMPLE_HEAD if self.interactive else None,
            collapse_padding=self.interactive,
            show_edge=False,
            show_header=not headless,
            pad_edge=False,
            header_style="bold",
        )
        for place in shown:
            align = "right" if heads[place] in right else "left"
            table.add_column(heads[place], justify=align, overflow="fold", no_wrap=place == 0 or align == "right")
        for row in cells:
            table.add_row(*(Text(row[place], style=_style(row[place])) for place in shown))
        self.show(table)
        if left_out and not headless:
            self.note(f"no room for: {', '.join(left_out)} (--json has all)")

    def _left_out(self, heads: Sequence[str], cells: list[list[str]], optional: Sequence[str]) -> list[str]:
        """As few as possible. The last column is folded before anything is left out, down to a width that can be read."""
        from rich.cells import cell_len
        from rich.console import Console

        widths = {head: max((cell_len(row[place]) for row in cells), default=0) for place, head in enumerate(heads)}
        widths[heads[-1]] = min(widths[heads[-1]], _READABLE)
        widths = {head: max(width, cell_len(head)) + _GAP for head, width in widths.items()}
        left_out: list[str] = []
        for head in optional:
            if sum(widths.values()) - _GAP <= Console().width:
                break
            del widths[head]
            left_out.append(head)
        return left_out

    def show(self, thing: RenderableType, width: int = _WIDE) -> None:
        """Something that rich can draw. `width`: of what is not a terminal."""
        buffer = StringIO()
        self._console(buffer, width).print(thing)
        lines = buffer.getvalue().splitlines()
        self.write("\n".join(line.rstrip() for line in lines) + "\n")

    def _console(self, file: StringIO, width: int) -> Console:
        from rich.console import Console

        if not self.interactive:
            return Console(file=file, width=width, force_terminal=False, color_system=None, highlight=False)
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
    sys.stderr.write(redactor.clean(line) + "\n")
    sys.stderr.flush()
