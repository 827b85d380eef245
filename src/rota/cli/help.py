"""How help looks: headings, two columns, no boxes; the same in a pipe as on a terminal, where headings are bold."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions, RenderableType

_LABELS = 28
"""Columns of the names on the left. A longer name has a line of its own."""
_WIDEST = 100


class HelpPage:
    """For `cyclopts.App(help_formatter=…)`: calls draw one panel, the other methods what stands above the panels."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        if not panel.entries:
            return
        labels = [_label(entry) for entry in panel.entries]
        left = min(max(len(label) for label in labels), _LABELS - 4) + 4
        _print(console)
        _print(console, str(panel.title), style="bold")
        for label, entry in zip(labels, panel.entries, strict=True):
            _print(console, _two_columns(label, _words(entry), left, _width(console)))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: RenderableType) -> None:
        if usage:
            _print(console, str(usage).strip())

    def render_description(self, console: Console, options: ConsoleOptions, description: RenderableType) -> None:
        for paragraph in filter(None, _text(description).strip().split("\n\n")):
            _print(console)
            _print(console, _filled(paragraph, _width(console)))


def _label(entry: HelpEntry) -> str:
    """Short names first; a flag that can be taken back as --[no-]flag."""
    if entry.negative_names and entry.positive_names:
        return entry.positive_names[0].replace("--", "--[no-]", 1)
    names = sorted(entry.display_labels_with_metavar, key=lambda name: name.startswith("--"))
    return ", ".join(names)


def _words(entry: HelpEntry) -> str:
    return f"{_text(entry.description)} (required)" if entry.required else _text(entry.description)


def _text(thing: object) -> str:
    """What cyclopts has wrapped into something for rich."""
    return str(getattr(getattr(thing, "primary_renderable", thing), "plain", ""))


def _filled(paragraph: str, width: int) -> str:
    """Lines that are set in are left as they are: commands to copy."""
    if any(line.startswith(" ") for line in paragraph.split("\n")):
        return paragraph
    return textwrap.fill(paragraph, width, break_long_words=False, break_on_hyphens=False)


def _two_columns(label: str, words: str, left: int, width: int) -> str:
    folded = textwrap.wrap(words, width - left, break_long_words=False, break_on_hyphens=False) or [""]
    if len(label) > left - 4:
        folded.insert(0, "")
    lines = [f"  {label:<{left - 2}}{folded[0]}", *(" " * left + line for line in folded[1:])]
    return "\n".join(line.rstrip() for line in lines)


def _width(console: Console) -> int:
    return min(console.width, _WIDEST)


def _print(console: Console, text: str = "", style: str | None = None) -> None:
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)
