"""What handlers write while they run. Best effort: it never holds up a task, and up to a second of it may be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from rota.model.log import LogLine, Progress


class Journal(Protocol):
    """Keeps log lines and progress by the `seq` of their task, and tells those who follow."""

    def write(self, seq: int, lines: Sequence[LogLine]) -> None: ...

    def mark(self, seq: int, progress: Progress) -> None: ...

    async def read(self, seq: int, after: int, limit: int) -> list[LogLine]:
        """Lines after a number, those that are not written through yet included."""
        ...

    async def marks(self, seqs: Sequence[int]) -> dict[int, Progress]: ...

    def follow(self, seq: int, bell: Callable[[], None]) -> Callable[[], None]:
        """Calls `bell` whenever there may be more to read, or the task ended; answers the way to stop."""
        ...

    def ended(self, seqs: Iterable[int]) -> None:
        """These tasks have ended."""
        ...
