"""The audit log on its way to the store: lines are gathered for a moment and written in one go, in order.

A line whose verb must not happen without it is waited for (`through`). The rest is told loudly where it cannot be kept:
while the store is away lines wait, up to a bound; beyond it the oldest are dropped, and the log says how many. Of a
caller that is refused over and over not every line is kept (`refusals.py`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from rota.access.grant import Grant
from rota.access.refusals import Refusals
from rota.contract.store import AuditQuery
from rota.life.clock import Clock, SystemClock
from rota.life.write_behind import Newest, WriteBehind
from rota.model.audit import AuditRecord
from rota.model.errors import RotaError, Unavailable
from rota.telemetry import request_id

WRITE_EVERY = 0.1
"""Seconds that lines are gathered for."""
AFTER_A_FAULT = 2.0
MOST_WAITING = 10_000
MOST_TEXT = 2_000
"""Characters of an object, a before or an after."""
_logger = logging.getLogger("rota.audit")


class AuditStore(Protocol):
    """What of a store is used here."""

    def now(self) -> int: ...

    async def audit(self, lines: Sequence[AuditRecord]) -> None: ...

    async def audit_log(self, query: AuditQuery, before: int | None, limit: int) -> list[AuditRecord]: ...


class AuditLog:
    """Lives in the running loop. `stop` writes what is left."""

    def __init__(self, store: AuditStore, clock: Clock | None = None) -> None:
        self._store, self._clock = store, clock or SystemClock()
        self._refusals = Refusals()
        self._lines = Newest[AuditRecord](MOST_WAITING)
        self._behind = WriteBehind(self._lines, self._write, every=WRITE_EVERY, after_a_fault=AFTER_A_FAULT)

    def now(self) -> int:
        return self._store.now()

    def add(self, line: AuditRecord) -> None:
        """Kept soon."""
        self._lines.add((line,))
        self._behind.soon()

    def refused(self, line: AuditRecord) -> None:
        """The same for a refusal, of which one caller may bring so many."""
        left_out = self._refusals.take(line.kid, line.source, line.who, self._clock.monotonic())
        if left_out is not None:
            self.add(replace(line, after=_text({"not_written": left_out})) if left_out else line)

    async def through(self, line: AuditRecord) -> None:
        """Kept, when this returns, after those that were added before. Raises Unavailable (`not_audited`)."""
        await self.write_through()
        try:
            await self._store.audit([line])
        except RotaError as error:
            raise Unavailable(
                f"this is done only if the audit log can say so, and it cannot: {error.detail}", code="not_audited"
            ) from error

    async def read(self, query: AuditQuery, before: int | None, limit: int) -> list[AuditRecord]:
        """Lines, newest first, those of a moment ago included."""
        await self.write_through()
        return await self._store.audit_log(query, before, limit)

    async def write_through(self) -> None:
        """What was added so far is in the store afterwards, if the store is there."""
        await self._behind.flush()

    async def stop(self) -> None:
        """May be called twice."""
        await self._behind.close()
        if left := self._lines.take():
            _logger.error("%d lines of the audit log could not be kept: the store is away", len(left))

    async def _write(self, lines: list[AuditRecord]) -> None:
        try:
            await self._store.audit(lines)
        except RotaError as error:
            waiting = len(lines) + len(self._lines)
            _logger.error("the audit log cannot be written, %d lines wait: %s", waiting, error.detail)
            raise
        if self._lines.lost:
            _logger.error("%d lines of the audit log were lost while the store was away", self._lines.lost)
            self._lines.lost = 0


class Recorder:
    """Writes the lines of one caller: of a request, or of a link. `door`: http, grpc, link, cli."""

    __slots__ = ("_door", "_log", "_source")

    def __init__(self, log: AuditLog, door: str, source: str = "") -> None:
        self._log, self._door, self._source = log, door, source

    @property
    def log(self) -> AuditLog:
        return self._log

    def done(
        self,
        action: str,
        target: str,
        grant: Grant,
        *,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """A verb was carried out."""
        self._log.add(self.line(action, target, grant, "ok", before, after))

    def refused(self, action: str, target: str, grant: Grant, error: BaseException) -> None:
        """A verb was refused, or failed: the outcome is its code."""
        self._log.refused(self.line(action, target, grant, getattr(error, "code", "internal")))

    def line(
        self,
        action: str,
        target: str,
        grant: Grant,
        outcome: str,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> AuditRecord:
        """The line as it will stand there."""
        return AuditRecord(
            self._log.now(),
            grant.name,
            grant.kid,
            self._source,
            self._door,
            action,
            target[:MOST_TEXT],
            outcome,
            request_id.current(),
            _text(before),
            _text(after),
        )


def _text(value: Mapping[str, object] | None) -> str:
    if not value:
        return ""
    text = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    return text if len(text) <= MOST_TEXT else json.dumps({"cut": text[: MOST_TEXT // 2]}, ensure_ascii=False)
