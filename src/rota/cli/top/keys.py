"""Single keys from a terminal, without Return."""

from __future__ import annotations

import os
import selectors
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager


class Keys:
    """Reads what is typed while it waits."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def within(self, seconds: float) -> str:
        """The next key, or nothing where none is pressed in that time."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._terminal, selectors.EVENT_READ)
            ready = selector.select(seconds)
        return os.read(self._terminal, 1).decode("ascii", "replace") if ready else ""


@contextmanager
def keys() -> Iterator[Keys]:
    """The terminal gives each key at once and does not show it; afterwards it is as it was. Ctrl-C stays what it is."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield Keys(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
