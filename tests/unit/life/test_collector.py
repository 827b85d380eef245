"""A node's garbage: seldom looked for, and yet found."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from rota.life import collector


@pytest.fixture
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Ring:
    def __init__(self) -> None:
        self.me = self


async def test_an_old_ring_is_found_within_a_round(as_before: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "EVERY", 0.01)
    collector.collect_seldom(asyncio.get_running_loop())
    gone = asyncio.Event()
    ring = Ring()
    weakref.finalize(ring, gone.set)
    gc.collect()  # old from now on
    assert not gone.is_set()
    del ring
    async with asyncio.timeout(10):
        await gone.wait()
