"""What is kept for the whole node is there again when the store is opened again, and guarded in the file itself."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from rota.contract.store import AuditQuery
from rota.life.clock import ManualClock
from rota.model.audit import AuditRecord
from rota.model.control import Control, Scope
from rota.model.errors import Conflict
from rota.model.series import Point
from rota.model.token import TokenRecord
from rota.storage.sqlite import SqliteStore

PAUSED = Control(Scope.GROUP, "images", paused=True)


def token(kid: str, name: str = "ann") -> TokenRecord:
    return TokenRecord(kid, name, kid.encode(), frozenset({"admin"}))


def line(at: int) -> AuditRecord:
    return AuditRecord(at, "ann", "k", "::1", "http", "group.pause", "images", "ok")


async def test_it_survives_the_process(path: Path) -> None:
    store = SqliteStore(path, clock=ManualClock())
    await store.open()
    await store.set_control(PAUSED)
    await store.add_token(token("k1"))
    await store.audit([line(1), line(2)])
    await store.add_points([Point(10, 10)], 0)
    await store.purge(1, None, 0)
    await store.close()
    again = SqliteStore(path, clock=ManualClock())
    await again.open()
    assert await again.controls() == [PAUSED]
    assert await again.tokens() == [token("k1")]
    assert await again.points(0) == [Point(10, 10)]
    await again.audit([line(3)])
    (found,) = await again.audit_log(AuditQuery(), None, 10)
    assert found.number == 3, "numbers of lines that are gone are not used again"
    await again.close()


async def test_of_tokens_added_at_once_with_one_name_one_is_kept(path: Path) -> None:
    store = SqliteStore(path, clock=ManualClock())
    await store.open()
    asked = [store.add_token(token(f"k{number}")) for number in range(5)]
    kept = [store.add_token(token(f"o{number}", name=f"other {number}")) for number in range(5)]
    answers = await asyncio.gather(*asked, *kept, return_exceptions=True)
    assert answers[0] is None
    assert all(isinstance(answer, Conflict) for answer in answers[1:5])
    assert answers[5:] == [None] * 5
    assert [t.kid for t in await store.tokens()] == ["k0", "o0", "o1", "o2", "o3", "o4"]
    await store.close()


async def test_the_file_itself_refuses_a_second_live_token_of_a_name(path: Path) -> None:
    store = SqliteStore(path, clock=ManualClock())
    await store.open()
    await store.add_token(token("k1"))
    await store.close()
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        connection.execute(
            "INSERT INTO tokens SELECT 'k2', name, digest, roles, groups, 1, '', NULL, NULL, NULL FROM tokens"
        )
    connection.close()
