"""The write-ahead log's keeper: only the writer checkpoints, and it keeps the log short, but not shorter than is good.

A log that is copied into the file and then written over costs a commit about a third less than one that grows, since the
disk need not note a new length at each flush. So a log of moderate length is checkpointed (PASSIVE, which waits for
nobody) and left as it is; one that readers have kept from being restarted is cut (TRUNCATE, which waits a moment for them). A
checkpoint that fails is logged and tried again later: the log still holds everything.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path

log = logging.getLogger("rota.storage")

MODERATE, STEP, LIMIT = 16 << 20, 1 << 20, 64 << 20
"""Bytes of the log: when it is first checkpointed, by how much it may grow until the next time, where it is cut."""
PATIENCE = 1.0
"""Seconds between two attempts to cut a log that a reader holds."""


def lay_out(store: Path) -> None:
    """Gives a store that has no log one of a moderate length, of zeros, which SQLite takes for an empty one.

    A commit into a log that grows takes twice as long as one into a log that is there. Where there is no room for it the log
    grows as it is needed. For before any connection is open.
    """
    try:
        log_file = os.open(_log_of(store), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError:
        return
    try:
        for _ in range(MODERATE // STEP):
            os.write(log_file, bytes(STEP))
        os.fsync(log_file)
    except OSError:
        os.ftruncate(log_file, 0)
    finally:
        os.close(log_file)


def _log_of(store: Path) -> Path:
    return store.with_name(store.name + "-wal")


class WalKeeper:
    def __init__(self, connection: sqlite3.Connection, store: Path) -> None:
        self._connection = connection
        self._path = _log_of(store)
        self._next = MODERATE
        self._cut_at = 0.0
        self.dirty = True
        """Whether there may be something to copy when idle."""

    def after_commit(self) -> None:
        self.dirty = True
        size = self._size()
        if size >= LIMIT and time.monotonic() >= self._cut_at:
            self.cut()
        elif size >= self._next:
            self._checkpoint("PASSIVE")
            self._next = size + STEP

    def when_idle(self) -> None:
        if self._size() > 2 * MODERATE:
            self.cut()
        else:
            self.dirty = not self._checkpoint("PASSIVE")

    def cut(self) -> None:
        """Checkpoints wholly and truncates the log, unless a reader is in the way."""
        self._cut_at = time.monotonic() + PATIENCE
        if self._checkpoint("TRUNCATE"):
            self._next, self.dirty = MODERATE, False

    def _checkpoint(self, mode: str) -> bool:
        """Whether all of the log is in the file now."""
        try:
            busy, pages, copied = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except sqlite3.Error as error:
            log.warning("the store's log could not be checkpointed; it is tried again: %s", error)
            return False
        return busy == 0 and pages == copied

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0
