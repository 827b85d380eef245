"""Notices when the store's file is deleted or replaced under the open connections, which SQLite itself does not."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from rota.model.errors import Unavailable
from rota.storage.trouble import unavailable

log = logging.getLogger("rota.storage")

INTERVAL = 2.0
"""Seconds between two looks, however many writes ask."""


class FileWatch:
    """Looks at the file now and then. While it is gone, writes and reads are refused; back in its place, it serves."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _identity(path)
        self._next = 0.0
        self.lost: Unavailable | None = None

    def look(self) -> None:
        """At most every `INTERVAL`. Raises Unavailable while the file is not the one that was opened."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + INTERVAL
            self._compare(_identity(self._path))
        if self.lost is not None:
            raise self.lost

    def _compare(self, found: tuple[int, int] | None) -> None:
        if found == self._known:
            self.lost = None
        elif self.lost is None:
            what = "was deleted" if found is None else "was replaced by another file"
            self.lost = unavailable(self._path, f"the file {what} while it was open; restore it and start again")
            log.critical("the store %s %s while it was open: nothing can be kept", self._path, what)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
