"""Every driver, under one text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desk import Desk

from rota.contract.store import Store
from rota.life.clock import ManualClock
from rota.storage.memory import MemoryStore
from rota.storage.sqlite import SqliteStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
    store: Store = MemoryStore(clock) if request.param == "memory" else SqliteStore(tmp_path / "rota.db", clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def desk(store: Store, clock: ManualClock) -> Desk:
    return Desk(store, clock)
