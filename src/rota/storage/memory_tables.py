"""The tables of the store in memory: dictionaries, and whether they are open."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import count

from rota.life.clock import Clock, SystemClock
from rota.model.errors import Unavailable
from rota.model.lifecycle import Retention
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.task import AttemptRecord, State, Task
from rota.model.worker import WorkerRecord
from rota.storage.intake import Answered
from rota.storage.remembered import Ledger
from rota.storage.ties import Ties

NODE_DEFAULTS = Retention()


class MemoryTables:
    """What all verbs of the store share."""

    def __init__(self, clock: Clock | None = None, keep: Retention = NODE_DEFAULTS) -> None:
        self._clock, self._keep_ended = clock or SystemClock(), keep
        self._open = False
        self._seqs, self._numbers, self._lines = count(1), count(1), count(1)
        self._tasks: dict[int, Task] = {}
        self._ids: dict[bytes, int] = {}
        self._ties = Ties()
        self._answers: dict[str, tuple[Answered, int]] = {}
        self._past: defaultdict[int, dict[int, AttemptRecord]] = defaultdict(dict)
        self._logs: defaultdict[int, list[LogLine]] = defaultdict(list)
        self._progress: dict[int, Progress] = {}
        self._workers: dict[int, WorkerRecord] = {}
        self._methods: dict[tuple[str, int], Method] = {}
        self._counts: Counter[State] = Counter()
        self._ledger = Ledger()

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    def now(self) -> int:
        return self._clock.now()

    def _answered(self, key: str) -> Answered | None:
        answer, until = self._answers.get(key, (None, 0))
        return answer if until > self.now() else None

    def _open_ledger(self) -> Ledger:
        self._check_open()
        return self._ledger

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("the store is not open", code="store_unavailable")
