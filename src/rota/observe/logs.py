"""The log book: what handlers write, on its way to the store and to those who follow.

Lines are kept in memory for up to half a second and then written through in one go. A task has a quota; what is over it
is left out, and one line says so. When the store is away lines wait, up to a bound, and beyond it the oldest are dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rota.contract.store import Store
from rota.model.errors import RotaError
from rota.model.log import LogLine, Progress

WRITE_EVERY = 0.25
MAX_WAITING_LINES = 50_000
MAX_LINE = 16 * 1024
DEFAULT_QUOTA = 10 * 1024 * 1024

Bell = Callable[[], None]


class LogBook:
    """Implements Journal over a store."""

    def __init__(self, store: Store, quota: int = DEFAULT_QUOTA) -> None:
        self._store = store
        self._quota = quota
        self._lines: list[tuple[int, LogLine]] = []
        self._marks: dict[int, Progress] = {}
        self._spent: dict[int, int] = {}
        self._followers: dict[int, list[Bell]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def write(self, seq: int, lines: Sequence[LogLine]) -> None:
        for line in lines:
            self._add(seq, line)
        del self._lines[: max(0, len(self._lines) - MAX_WAITING_LINES)]
        self._soon()

    def mark(self, seq: int, progress: Progress) -> None:
        self._marks[seq] = progress
        self._soon()

    async def read(self, seq: int, after: int, limit: int) -> list[LogLine]:
        await self.write_through()
        return await self._store.logs(seq, after, limit)

    async def marks(self, seqs: Sequence[int]) -> dict[int, Progress]:
        kept = await self._store.progress(seqs)
        return {**kept, **{seq: self._marks[seq] for seq in seqs if seq in self._marks}}

    def follow(self, seq: int, bell: Bell) -> Callable[[], None]:
        self._followers.setdefault(seq, []).append(bell)

        def stop() -> None:
            bells = self._followers.get(seq, [])
            if bell in bells:
                bells.remove(bell)
            if not bells:
                self._followers.pop(seq, None)

        return stop

    def ended(self, seqs: Iterable[int]) -> None:
        if self._spent:
            for seq in seqs:
                self._spent.pop(seq, None)
        if self._followers:
            self._ring(seqs)

    async def write_through(self) -> None:
        """Everything that was said so far is in the store afterwards, if the store is there."""
        if self._writing is not None:
            await asyncio.shield(self._writing)
        if self._lines or self._marks:
            await asyncio.shield(self._begin())

    async def stop(self) -> None:
        """Writes what is left. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self.write_through()

    def _add(self, seq: int, line: LogLine) -> None:
        spent = self._spent.get(seq, 0)
        if spent > self._quota:
            return
        text = line.text if len(line.text) <= MAX_LINE else line.text[:MAX_LINE] + " … (line cut)"
        spent += len(text.encode("utf-8", "replace")) + 32
        self._spent[seq] = spent
        if spent > self._quota:
            text = f"… the log of this task is full ({self._quota} bytes); what follows is left out"
        self._lines.append((seq, replace(line, text=text)))

    def _soon(self) -> None:
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_EVERY, self._begin)

    def _begin(self) -> asyncio.Task[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())
        return self._writing

    async def _write(self) -> None:
        lines, marks = self._lines, self._marks
        self._lines = []
        self._marks = {}
        try:
            if lines:
                await self._store.append_logs(lines)
            if marks:
                await self._store.set_progress(list(marks.items()))
        except RotaError:
            self._lines = (lines + self._lines)[-MAX_WAITING_LINES:]
            self._marks = {**marks, **self._marks}
        finally:
            self._writing = None
        self._ring({seq for seq, _ in lines})
        if self._lines or self._marks:
            self._soon()

    def _ring(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            for bell in tuple(self._followers.get(seq, ())):
                bell()
