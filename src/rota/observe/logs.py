"""The log book: what handlers write, on its way to the store and to those who follow.

Lines are kept in memory for up to half a second and then written through in one go. A task has a quota; what is over it
is left out, and one line says so. When the store is away lines wait, up to a bound, and beyond it the oldest are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rota.contract.store import Store
from rota.life.write_behind import Latest, Newest, WriteBehind
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
        self._lines = Newest[tuple[int, LogLine]](MAX_WAITING_LINES)
        self._marks = Latest[int, Progress]()
        self._lines_behind = WriteBehind(self._lines, self._write_lines, every=WRITE_EVERY, after_a_fault=WRITE_EVERY)
        self._marks_behind = WriteBehind(self._marks, self._write_marks, every=WRITE_EVERY, after_a_fault=WRITE_EVERY)
        self._spent: dict[int, int] = {}
        self._followers: dict[int, list[Bell]] = {}

    def write(self, seq: int, lines: Sequence[LogLine]) -> None:
        cut = (self._within_quota(seq, line) for line in lines)
        self._lines.add((seq, line) for line in cut if line is not None)
        self._lines_behind.soon()

    def mark(self, seq: int, progress: Progress) -> None:
        self._marks.set(seq, progress)
        self._marks_behind.soon()

    async def read(self, seq: int, after: int, limit: int) -> list[LogLine]:
        await self._lines_behind.flush()
        return await self._store.logs(seq, after, limit)

    async def marks(self, seqs: Sequence[int]) -> dict[int, Progress]:
        kept, waiting = await self._store.progress(seqs), self._marks.items
        return {**kept, **{seq: waiting[seq] for seq in seqs if seq in waiting}}

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
        await self._lines_behind.flush()
        await self._marks_behind.flush()

    async def stop(self) -> None:
        """Writes what is left. May be called twice."""
        await self._lines_behind.close()
        await self._marks_behind.close()

    def _within_quota(self, seq: int, line: LogLine) -> LogLine | None:
        spent = self._spent.get(seq, 0)
        if spent > self._quota:
            return None
        text = line.text if len(line.text) <= MAX_LINE else line.text[:MAX_LINE] + " … (line cut)"
        spent += len(text.encode("utf-8", "replace")) + 32
        self._spent[seq] = spent
        if spent > self._quota:
            text = f"… the log of this task is full ({self._quota} bytes); what follows is left out"
        return replace(line, text=text)

    async def _write_lines(self, lines: list[tuple[int, LogLine]]) -> None:
        await self._store.append_logs(lines)
        self._ring({seq for seq, _ in lines})

    async def _write_marks(self, marks: dict[int, Progress]) -> None:
        await self._store.set_progress(list(marks.items()))

    def _ring(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            for bell in tuple(self._followers.get(seq, ())):
                bell()
