"""Many lanes: the order holds over all of them, and a claim does not look at each."""

from __future__ import annotations

import random

import pytest
from engine_kit import Rig

from rota.engine.settings import EngineSettings
from rota.model.method import Options

SECOND = 1_000_000
LANES = 300


@pytest.mark.engine(prefetch=0)
async def test_tasks_of_many_lanes_come_in_the_order_of_their_lines(rig: Rig) -> None:
    chance = random.Random(7)
    order = []
    for _ in range(200):
        order += await rig.submit(f"m{chance.randrange(40)}", options=Options(group=chance.choice([None, "red"])))
        rig.clock.advance(0.001)
    worker = await rig.worker(*(f"m{number}" for number in range(40)), groups=("red",), slots=1)
    seen = []
    while len(seen) < len(order):
        (ref,) = await worker.gets(1)
        seen.append(ref[0])
        await worker.report(ref, ran=10 * SECOND)
    assert seen == order


@pytest.mark.engine(prefetch=0)
async def test_a_claim_does_not_look_at_every_lane(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(LANES):
        await rig.submit(f"m{number}", count=2)
        await rig.submit(f"nobody.{number}")
        rig.clock.advance(0.001)
    worker = await rig.worker(*(f"m{number}" for number in range(LANES)), slots=1)
    refs = await worker.gets(1)
    looked: list[object] = []
    head = rig.index.head
    monkeypatch.setattr(rig.index, "head", lambda lane: looked.append(lane) or head(lane))
    for _ in range(50):
        await worker.report(refs[0], ran=10 * SECOND)
        refs = await worker.gets(1)
    assert len(looked) <= 50 * 5


async def test_lanes_find_workers_that_come_later_learn_and_go(rig: Rig) -> None:
    red, blue = [(await rig.submit("m", options=Options(group=group)))[0] for group in ("red", "blue")]
    (other,) = await rig.submit("n")
    first = await rig.worker(groups=("red",))
    assert await first.gets(1) == [(red, 1)]
    await rig.worker("unasked", groups=("blue",))
    second = await rig.worker(groups=("blue",))
    assert await second.gets(1) == [(blue, 1)]
    await second.session.closed(False, "gone")
    assert (await first.gets(0)) == []
    third = await rig.worker("n", groups=("blue",))
    assert await third.gets(1) == [(other, 1)]
    (later,) = await rig.submit("m", options=Options(group="blue"))
    fourth = await rig.worker(groups=("blue",))
    assert set(await fourth.gets(2)) == {(blue, 2), (later, 1)}


@pytest.mark.engine(prefetch=0)
async def test_a_full_front_does_not_hold_up_the_others(rig: Rig) -> None:
    assert rig.engine.settings == EngineSettings(prefetch=0)
    busy = await rig.worker("a", slots=1)
    free = await rig.worker("b", slots=4)
    await rig.submit("a", count=5)
    rig.clock.advance(1)
    ids = await rig.submit("b", count=4)
    assert [task_id for task_id, _ in await free.gets(4)] == ids
    assert len(await busy.gets(1)) == 1
