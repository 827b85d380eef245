"""A point of the series is what the engine did since the one before, and how it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import uuid_utils

from rota.access.policy import Policy
from rota.engine.settings import EngineSettings
from rota.house.parts import Parts
from rota.house.sampling import Sampler
from rota.model.errors import Unavailable
from rota.model.submission import Submission
from rota.model.task import State
from rota.storage.memory import MemoryStore
from rota.transport.lobby import NodeFacts


class Store(MemoryStore):
    away = False

    async def counts(self) -> dict[State, int]:
        if self.away:
            raise Unavailable("away", code="store_unavailable")
        return dict(await super().counts())


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    facts = NodeFacts("node-1", "0.1.0", "embedded", "memory:", "none")
    made = Parts(Store(), settings=EngineSettings(), policy=Policy(open_mode=True), facts=facts)
    await made.open()
    yield made
    await made.close()


async def submit(parts: Parts, count: int) -> None:
    await parts.engine.submit([Submission(uuid_utils.uuid7().bytes, "add") for _ in range(count)])


async def test_counts_are_of_the_step_and_depths_of_its_end(parts: Parts) -> None:
    sampler = Sampler(parts.engine)
    await submit(parts, 3)
    first = await sampler.sample(1_000, 10)
    assert (first.at, first.step, first.submitted, first.ready) == (1_000, 10, 3, 3)
    await submit(parts, 2)
    second = await sampler.sample(1_010, 10)
    assert (second.submitted, second.ready, second.running) == (2, 5, 0)


async def test_while_the_store_is_away_depths_stay_as_they_were(parts: Parts) -> None:
    sampler = Sampler(parts.engine)
    await submit(parts, 3)
    await sampler.sample(1_000, 10)
    assert isinstance(parts.store, Store)
    parts.store.away = True
    point = await sampler.sample(1_010, 10)
    assert (point.submitted, point.ready) == (0, 3)
