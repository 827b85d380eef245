from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from desk import Desk

from rota.life import failpoint
from rota.life.clock import ManualClock
from rota.storage.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rota.db"


@pytest.fixture
async def desk(path: Path) -> AsyncIterator[Desk]:
    """A desk on a SQLite store."""
    clock = ManualClock()
    store = SqliteStore(path, clock=clock)
    await store.open()
    yield Desk(store, clock)
    await store.close()


@pytest.fixture(autouse=True)
def _no_failpoint_is_left() -> Iterator[None]:
    yield
    failpoint.disarm()
