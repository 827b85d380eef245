"""Single submits that share a batch: each as if it had come alone."""

import asyncio
from typing import Any

import pytest
from doors_kit import Node, StartNode

from rota.client.task_id import new_id
from rota.engine.engine import Engine
from rota.model.errors import InvalidInput, Overloaded, Unavailable
from rota.model.method import Options
from rota.model.submission import Submission
from rota.transport.http.gathering import Gathering


@pytest.fixture
async def node(start_node: StartNode) -> Node:
    return await start_node()


def watched(node: Node, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that the engine was given."""
    sizes: list[int] = []
    submit = Engine.submit

    async def counted(self: Engine, batch: Any, **rest: Any) -> Any:
        sizes.append(len(batch))
        return await submit(self, batch, **rest)

    monkeypatch.setattr(Engine, "submit", counted)
    return sizes


async def test_what_comes_together_goes_together(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, gathering = watched(node, monkeypatch), Gathering(node.engine)
    wanted = [Submission(new_id(), f"m{number}") for number in range(20)]
    receipts = await asyncio.gather(*map(gathering.submit, wanted))

    assert sizes == [20]
    assert [receipt.task_id for receipt in receipts] == [each.id for each in wanted]
    assert {each.id for each in wanted} == (await node.store.get([each.id for each in wanted])).keys()


async def test_one_that_is_refused_is_refused_alone(node: Node) -> None:
    gathering, twice = Gathering(node.engine), new_id()
    wanted = [
        Submission(new_id(), "m"),
        Submission(new_id(), "\x07"),
        Submission(twice, "m"),
        Submission(twice, "m"),
        Submission(new_id(), "m", options=Options(priority=99)),
    ]
    receipts = await asyncio.gather(*map(gathering.submit, wanted))

    assert [isinstance(receipt.refusal, InvalidInput) for receipt in receipts] == [False, True, False, False, True]
    assert [receipt.duplicate for receipt in receipts[2:4]] == [False, True]


async def test_a_full_queue_takes_as_many_as_there_is_room_for(start_node: StartNode) -> None:
    node = await start_node()
    object.__setattr__(node.engine.settings, "max_queued", 3)
    gathering = Gathering(node.engine)
    answers = await asyncio.gather(
        *(gathering.submit(Submission(new_id(), "m")) for _ in range(5)), return_exceptions=True
    )

    assert [isinstance(each, Overloaded) for each in answers] == [False, False, False, True, True]
    assert node.store.unended == 3


async def test_a_store_that_is_away_is_told_to_all(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("away", code="store_unavailable")

    monkeypatch.setattr(node.store, "submit", away)
    gathering = Gathering(node.engine)
    answers = await asyncio.gather(
        *(gathering.submit(Submission(new_id(), "m")) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in answers] == [Unavailable] * 3


async def test_a_caller_that_goes_takes_nothing_back(node: Node) -> None:
    gathering, left, stays = Gathering(node.engine), Submission(new_id(), "m"), Submission(new_id(), "m")
    leaving = asyncio.create_task(gathering.submit(left))
    staying = asyncio.create_task(gathering.submit(stays))
    await asyncio.sleep(0)
    leaving.cancel()

    assert (await staying).task_id == stays.id
    assert len(await node.store.get([left.id, stays.id])) == 2
