"""What the store in memory keeps beside the tasks: workers, lines, progress, and what the house decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rota.model.audit import AuditRecord
from rota.model.control import Control
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.series import Point
from rota.model.task import AttemptRecord, Reason
from rota.model.token import TokenRecord
from rota.model.worker import Facts, WorkerRecord
from rota.storage.memory_tables import MemoryTables


class MemoryNoting(MemoryTables):
    """Writes that no transition of a task follows from."""

    async def enlist(self, facts: Facts, methods: Sequence[Method], declares: bool = True) -> int:
        self._check_open()
        now, known = self.now(), next((w for w in self._workers.values() if w.facts.id == facts.id), None)
        number = known.number if known else next(self._numbers)
        since = known.registered_at if known else now
        self._workers[number] = WorkerRecord(number, facts, tuple(methods), since, now)
        if declares:
            self._methods.update({(method.name, method.version): method for method in methods})
        return number

    async def retire(self, number: int, reason: str) -> None:
        self._check_open()
        worker = self._workers.get(number)
        if worker is not None and worker.online:
            worker.gone_at, worker.gone_reason = self.now(), reason

    async def append_logs(self, lines: Sequence[tuple[int, LogLine]]) -> None:
        self._check_open()
        for seq, line in lines:
            if seq in self._tasks:
                self._logs[seq].append(replace(line, number=next(self._lines)))

    async def set_progress(self, marks: Sequence[tuple[int, Progress]]) -> None:
        self._check_open()
        self._progress.update((seq, mark) for seq, mark in marks if seq in self._tasks)

    async def note_late(self, seq: int, attempt: int, note: str) -> None:
        self._check_open()
        if seq not in self._tasks:
            return
        record = self._past[seq].get(attempt)
        if record is None:
            record = AttemptRecord(seq, attempt, None, None, None, self.now(), Reason.LEASE_LOST)
        self._past[seq][attempt] = replace(record, late=note)

    async def set_control(self, control: Control) -> None:
        self._open_ledger().set_control(control)

    async def add_token(self, token: TokenRecord) -> None:
        self._open_ledger().add_token(token)

    async def revoke_token(self, kid: str, at: int) -> TokenRecord | None:
        return self._open_ledger().revoke_token(kid, at)

    async def touch_tokens(self, used: Mapping[str, int]) -> None:
        self._open_ledger().touch_tokens(used)

    async def audit(self, lines: Sequence[AuditRecord]) -> None:
        self._open_ledger().add_audit(lines)

    async def add_points(self, points: Sequence[Point], forget_before: int) -> None:
        self._open_ledger().add_points(points, forget_before)
