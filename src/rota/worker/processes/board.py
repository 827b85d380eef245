"""A page of memory that a worker shares with one child: what has begun, what is called back, what has to stop.

Each word has one writer, so that nothing is locked and nobody is woken. A word is written whole or not at all.

Calling back. The child writes `claimed` before it looks at `revoked`, and the worker writes `revoked` before it looks at
`claimed`, `SETTLING` seconds later. So either the child sees that a job is called back, or the worker sees that it was
claimed before: a job beyond `claimed` will never begin.
"""

from __future__ import annotations

import mmap
import os
import tempfile

SETTLING = 0.01
"""Far longer than a processor keeps a write to itself."""
_SIZE = 4096
_CLAIMED, _BEGUN, _BEGUN_AT, _REVOKED, _STOPPED, _WHY = range(6)


def _word(place: int, says: str) -> property:
    def read(board: Board) -> int:
        return board.words[place]

    def write(board: Board, value: int) -> None:
        board.words[place] = value

    return property(read, write, doc=says)


class Board:
    """Made over a file that was opened by `new_page`, in both processes. Serials count from 1."""

    def __init__(self, fd: int) -> None:
        self._page = mmap.mmap(fd, _SIZE)
        self.words = memoryview(self._page).cast("q")

    claimed = _word(_CLAIMED, "The last serial that the child looked at.")
    begun = _word(_BEGUN, "The last serial whose handler has begun.")
    begun_at = _word(_BEGUN_AT, "When; written before `begun`.")
    revoked = _word(_REVOKED, "By the worker: what has not begun up to this serial will not begin.")
    stopped = _word(_STOPPED, "By the worker: the serial that has to stop; written after `why`.")
    why = _word(_WHY, "By the worker: a Stopping.")

    def close(self) -> None:
        self.words.release()
        self._page.close()


def new_page() -> int:
    """A file of one page without a name. The caller closes it."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("rota-board")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, _SIZE)
    return fd
