"""The janitor keeps to what it is told to keep."""

from __future__ import annotations

from rota.contract.store import AuditQuery
from rota.engine.janitor import Janitor
from rota.engine.settings import EngineSettings
from rota.life.clock import ManualClock
from rota.model.audit import AuditRecord
from rota.storage.memory import MemoryStore


async def test_of_the_audit_log_it_keeps_the_newest_lines() -> None:
    store = MemoryStore(ManualClock())
    await store.open()
    await store.audit([AuditRecord(at, "ann", "k", "::1", "http", "a.b", "c", "ok") for at in range(10)])
    assert await Janitor(store, EngineSettings(keep_audit=3), lambda: 0.0).round() == 0
    assert [line.at for line in await store.audit_log(AuditQuery(), None, 100)] == [9, 8, 7]
