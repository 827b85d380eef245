"""Single keys from a terminal, without Return."""

from __future__ import annotations

import contextlib
import errno
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
        """The next key, or nothing where none is pressed in that time. Raises BrokenPipeError where the terminal is gone."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._terminal, selectors.EVENT_READ)
            ready = selector.select(seconds)
        return self._key() if ready else ""

    def _key(self) -> str:
        with contextlib.suppress(OSError):
            if key := os.read(self._terminal, 1):
                return key.decode("ascii", "replace")
        raise BrokenPipeError  # a terminal that was closed is always ready, and has nothing: else we would spin


@contextmanager
def ends_with_its_terminal() -> Iterator[None]:
    """Drawing on a terminal that is gone is as writing into a closed pipe: BrokenPipeError."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise BrokenPipeError from None


@contextmanager
def keys() -> Iterator[Keys]:
    """The terminal gives each key at once and does not show it; afterwards it is as it was. Ctrl-C stays what it is."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield Keys(terminal)
    finally:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
