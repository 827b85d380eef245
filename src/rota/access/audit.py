"""The audit log on its way to the store: lines are gathered for a moment and written in one go, in order.

A line whose verb must not happen without it is waited for (`through`). The rest is told loudly where it cannot be kept:
while the store is away lines wait, up to a bound; beyond it the oldest are dropped, and the log says how many. Of a
caller that is refused over and over not every line is kept (`refusals.py`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from rota.access.grant import Grant
from rota.access.refusals import Refusals
from rota.contract.store import AuditQuery
from rota.life.clock import Clock, SystemClock
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
        self._lines: list[AuditRecord] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._lost = 0

    def now(self) -> int:
        return self._store.now()

    def add(self, line: AuditRecord) -> None:
        """Kept soon."""
        self._lines.append(line)
        if len(self._lines) > MOST_WAITING:
            self._lost += len(self._lines) - MOST_WAITING
            del self._lines[:-MOST_WAITING]
        self._in(WRITE_EVERY)

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
        if self._writing is not None:
            await asyncio.shield(self._writing)
        if self._lines:
            await asyncio.shield(self._begin())

    async def stop(self) -> None:
        """May be called twice."""
        await self.write_through()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            _logger.error("%d lines of the audit log could not be kept: the store is away", len(self._lines))
            self._lines.clear()

    def _in(self, seconds: float) -> None:
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> asyncio.Task[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())
        return self._writing

    async def _write(self) -> None:
        lines = self._lines
        self._lines = []
        pause = WRITE_EVERY
        try:
            await self._store.audit(lines)
        except RotaError as error:
            self._lines = lines + self._lines
            pause = AFTER_A_FAULT
            _logger.error("the audit log cannot be written, %d lines wait: %s", len(self._lines), error.detail)
        finally:
            self._writing = None
        if self._lost and pause == WRITE_EVERY:
            _logger.error("%d lines of the audit log were lost while the store was away", self._lost)
            self._lost = 0
        if self._lines:
            self._in(pause)


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
