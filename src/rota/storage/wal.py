"""The write-ahead log's keeper: only the writer checkpoints, and it keeps the log short.

`after_commit` copies the log into the file (PASSIVE, which waits for nobody) each time the log has grown past a step; a log
that readers keep from being restarted is cut (TRUNCATE, which waits a moment for them) past a limit, and when all is idle.
A checkpoint that fails is logged and tried again later: the log still holds everything.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path

log = logging.getLogger("rota.storage")

FIRST, STEP, LIMIT = 16 << 20, 4 << 20, 64 << 20
"""Bytes of the log: the first passive checkpoint, each further one, and where it is cut."""
PATIENCE = 1.0
"""Seconds between two attempts to cut a log that a reader holds."""


class WalKeeper:
    def __init__(self, connection: sqlite3.Connection, store: Path) -> None:
        self._connection = connection
        self._path = store.with_name(store.name + "-wal")
        self._next = FIRST
        self._cut_at = 0.0
        self.dirty = True
        """Whether there may be something to cut when idle."""

    def after_commit(self) -> None:
        self.dirty = True
        size = self._size()
        if size >= LIMIT and time.monotonic() >= self._cut_at:
            self.cut()
        elif size >= self._next:
            self._checkpoint("PASSIVE")
            self._next = size + STEP

    def cut(self) -> None:
        """Checkpoints wholly and truncates the log, unless a reader is in the way."""
        self._cut_at = time.monotonic() + PATIENCE
        if self._checkpoint("TRUNCATE"):
            self._next, self.dirty = FIRST, False

    def _checkpoint(self, mode: str) -> bool:
        try:
            busy, _, _ = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except sqlite3.Error as error:
            log.warning("the store's log could not be checkpointed; it is tried again: %s", error)
            return False
        return busy == 0

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0
