"""Which leases are counted, each once: by task and attempt, so that what comes late can never count down twice."""

from __future__ import annotations

from collections.abc import Iterator

from rota.model.task import Lane, State, Task


class _Entry:
    __slots__ = ("attempt", "lane", "record", "seen")

    def __init__(self, attempt: int, task: Task, seen: bool) -> None:
        self.attempt = attempt
        self.lane = task.spec.lane
        self.record = task
        """The very record that was chosen: an older look at the same task is another object."""
        self.seen = seen


class Ledger:
    """The leases of tasks that some limit counts."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}
        self._leavers: set[tuple[bytes, int]] | None = None
        """Who left since learning began; none while nothing is being learned."""

    @property
    def counting(self) -> bool:
        return bool(self._entries) or self._leavers is not None

    def __contains__(self, task_id: bytes) -> bool:
        return task_id in self._entries

    def lanes(self) -> Iterator[tuple[bytes, Lane]]:
        for task_id, entry in self._entries.items():
            yield task_id, entry.lane

    def enter(self, task: Task) -> bool:
        """The task is being leased. False: it is counted already, for a lease that this one will find in its way."""
        if task.id in self._entries:
            return False
        self._entries[task.id] = _Entry(task.attempt + 1, task, True)
        return True

    def granted(self, task: Task) -> None:
        """The lease stands, so any other that was counted for the task is over."""
        entry = self._entries.get(task.id)
        if entry is not None and entry.record is not task:
            entry.attempt, entry.record, entry.seen = task.attempt, task, True

    def void(self, task: Task) -> bool:
        """The lease came to nothing. True: it was the one that is counted."""
        entry = self._entries.get(task.id)
        if entry is None or entry.record is not task:
            return False
        del self._entries[task.id]
        return True

    def left(self, task_id: bytes, attempt: int) -> bool:
        """The attempt is over. True: it was the one that is counted."""
        if self._leavers is not None:
            self._leavers.add((task_id, attempt))
        entry = self._entries.get(task_id)
        if entry is None or entry.attempt != attempt:
            return False
        del self._entries[task_id]
        return True

    # --- learning

    def begin_learning(self) -> None:
        self._leavers = set()
        for entry in self._entries.values():
            entry.seen = False

    def learn(self, task: Task) -> bool:
        """The store had it as running when it was asked. True: it was not counted, and is now."""
        entry = self._entries.get(task.id)
        if entry is not None:
            entry.seen = entry.seen or entry.attempt == task.attempt
            return False
        if self._leavers is not None and (task.id, task.attempt) in self._leavers:
            return False
        self._entries[task.id] = _Entry(task.attempt, task, True)
        return True

    def unseen(self) -> list[bytes]:
        return [task_id for task_id, entry in self._entries.items() if not entry.seen]

    def disproved(self, record: Task) -> bool:
        """True: the store has the task past the attempt that is counted, which is counted no more."""
        entry = self._entries.get(record.id)
        if entry is None or entry.attempt > record.attempt:
            return False  # a lease that is being written is ahead of the record
        if record.state is State.RUNNING and record.attempt == entry.attempt:
            return False
        del self._entries[record.id]
        return True

    def end_learning(self) -> None:
        self._leavers = None
