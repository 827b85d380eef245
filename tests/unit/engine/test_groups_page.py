"""Groups come by name, a page at a time, whatever it is that makes them be there."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from engine_kit import Rig

from rota.model.control import Control, Scope
from rota.model.method import Options

GROUPS = [None, "a", "b", "c", "d", "e", "f", "图"]


async def pages(rig: Rig, limit: int, only: Collection[str] | None = None) -> list[str | None]:
    names: list[str | None] = []
    after: str | None = None
    while True:
        page = await rig.engine.groups(after, limit, only)
        assert len(page) <= limit
        names += [view.name for view in page]
        if len(page) < limit:
            return names
        after = page[-1].name or ""


@pytest.fixture
async def full(rig: Rig) -> Rig:
    """Groups with tasks, with workers, with something set, and with several of it."""
    for name in ("b", "e", "图"):
        await rig.submit("m", options=Options(group=name))
    await rig.worker("m", groups=("a", "d"), slots=2)
    await rig.worker("n", groups=("d",), slots=3)
    for name in ("c", "d", "f"):
        await rig.engine.set_control(Control(Scope.GROUP, name, max_queued=9))
    await rig.engine.set_control(Control(Scope.GROUP, "", max_queued=9))
    return rig


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9, 100])
async def test_pages_hold_every_group_once_in_order(full: Rig, limit: int) -> None:
    assert await pages(full, limit) == GROUPS
    only = ["图", "nobody", "d", "b", "c", "zzz"]
    assert await pages(full, limit, only) == ["b", "c", "d", "图"]


async def test_a_view_is_the_same_on_every_page(full: Rig) -> None:
    whole = {view.name: view for view in await full.engine.groups()}
    for name in GROUPS:
        (alone,) = await full.engine.groups(only=[name or ""])
        assert alone == whole[name]
    assert (whole["d"].workers, whole["d"].slots, whole[None].workers) == (2, 5, 2)
    assert await full.engine.groups(only=["nobody"]) == []
