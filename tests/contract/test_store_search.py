"""Batches, labels, text; tasks that are removed by hand; and what people ask about tasks that wait."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from desk import KEEP, Desk

from rota.contract.store import BatchCounts, Query
from rota.model import lifecycle
from rota.model.task import Lane, State, Task, line_of


async def found(desk: Desk, limit: int = 100, **asked: object) -> list[bytes]:
    return [task.id for task in await desk.store.find(Query(**asked), None, limit)]


async def several(desk: Desk, *asked: dict[str, object]) -> list[Task]:
    return [await desk.accepted(**one) for one in asked]


async def test_a_batch_counts_its_tasks_by_state(desk: Desk) -> None:
    began = desk.now
    first = await desk.accepted(batch="b")
    desk.clock.advance(1)
    await desk.accepted(batch="b", delay=5)
    failing = await desk.accepted(batch="b")
    await desk.accepted(batch="b", after=(failing.id,))
    await desk.accepted(batch="c")
    await desk.accepted()
    states = {State.READY: 2, State.SCHEDULED: 1, State.WAITING: 1}
    assert await desk.store.batch("b") == BatchCounts("b", states, began)
    await desk.succeed(await desk.run(first))
    await desk.apply(desk.failure(await desk.run(failing)))
    states = {State.SUCCEEDED: 1, State.SCHEDULED: 1, State.FAILED: 2}
    assert await desk.store.batch("b") == BatchCounts("b", states, began)
    assert await desk.store.batch("d") is None


async def test_removed_tasks_are_counted_in_no_batch_and_not_found(desk: Desk) -> None:
    task = await desk.ended(batch="b", labels=(("k", "v"),), unique_key="u")
    assert (
        await found(desk, batch="b") == await found(desk, label=("k", "v")) == await found(desk, text="u") == [task.id]
    )
    assert await desk.store.remove([task.id]) == {task.id: State.SUCCEEDED}
    assert await desk.store.batch("b") is None
    assert await found(desk, batch="b") == await found(desk, label=("k", "")) == await found(desk, text="u") == []


async def test_a_batch_is_found_newest_first_by_pages(desk: Desk) -> None:
    tasks = await several(desk, *({"batch": name} for name in ("b", "b", "c", "b")))
    assert await found(desk, batch="b") == [tasks[3].id, tasks[1].id, tasks[0].id]
    (page,) = await desk.store.find(Query(batch="b"), tasks[3].seq, 1)
    assert page.id == tasks[1].id
    assert page.spec.batch == "b"


async def test_labels_are_found_by_name_or_by_name_and_value(desk: Desk) -> None:
    one, two, three, _ = await several(
        desk,
        {"labels": (("colour", "red"), ("size", "1"))},
        {"labels": (("colour", "blue"),)},
        {"labels": (("colour", "red"),), "batch": "b"},
        {"labels": (("colours", "red"),)},
    )
    assert await found(desk, label=("colour", "red")) == [three.id, one.id]
    assert await found(desk, label=("colour", "")) == [three.id, two.id, one.id]
    assert await found(desk, label=("colour", "red"), batch="b") == [three.id]
    assert await found(desk, label=("colour", ""), batch="c") == []
    assert await found(desk, label=("colour", "re")) == []
    assert await found(desk, 1, label=("colour", "")) == [three.id]
    assert (await desk.read(one)).spec.labels == (("colour", "red"), ("size", "1"))


async def test_criteria_are_all_asked_for(desk: Desk) -> None:
    """No id begins with the letters that are looked for."""
    one, two = await several(
        desk, {"method": "zoo", "labels": (("k", "v"),)}, {"method": "yak", "labels": (("k", "v"),), "group": "g"}
    )
    await desk.apply(lifecycle.cancel(one, "", desk.now, KEEP))
    assert await found(desk, label=("k", "v"), states=(State.CANCELLED,)) == [one.id]
    assert await found(desk, label=("k", "v"), method="yak") == [two.id]
    assert await found(desk, label=("k", "v"), group="g", text="Y") == [two.id]
    assert await found(desk, label=("k", "v"), group="g", text="z") == []
    assert await found(desk, states=(State.CANCELLED,), text="z") == [one.id]
    assert await found(desk, states=(State.CANCELLED,), text="y") == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("mail", {0}),
        ("SEND.M", {0}),
        ("nd.mai", {0}),
        ("gruppe", {1}),
        ("u%_", {2}),
        ("%", {2, 5}),
        ("_", {2}),
        ("\\", {5}),
        ("ord", {3}),
        ("KEY-9", {4}),
        ("ä", {3}),
        ("Ä", set()),
        ("'; DROP", set()),
        ("*", set()),
        ("", {0, 1, 2, 3, 4, 5}),
    ],
)
async def test_text_is_looked_for_literally(desk: Desk, text: str, places: set[int]) -> None:
    tasks = await several(
        desk,
        {"method": "send.mail"},
        {"group": "Gruppe"},
        {"unique_key": "u%_x"},
        {"order_key": "ordär"},
        {"key": "key-9"},
        {"unique_key": "a\\%"},
    )
    assert set(await found(desk, text=text)) == {tasks[place].id for place in places}


async def test_the_keys_of_ended_tasks_are_looked_through_too(desk: Desk) -> None:
    task = await desk.ended(unique_key="invoice-7", order_key="customer-3")
    assert await found(desk, text="invoice") == await found(desk, text="CUSTOMER") == [task.id]


async def test_params_and_labels_are_not_looked_through(desk: Desk) -> None:
    await desk.accepted(params=b'"needle"', labels=(("needle", "needle"),), batch="needle")
    assert await found(desk, text="needle") == []


@pytest.mark.parametrize("length", [1, 8, 9, 12, 13, 14, 20, 24, 30, 36])
async def test_an_id_is_found_by_the_beginning_of_its_text(desk: Desk, length: int) -> None:
    task_id = bytes.fromhex("0191a2b3c4d57e6f8901abcdefabcdef")
    await desk.accepted(task_id=task_id)
    await desk.accepted(task_id=bytes.fromhex("ff91a2b3c4d57e6f8901abcdefabcdef"))
    text = str(UUID(bytes=task_id))[:length]
    assert await found(desk, text=text) == await found(desk, text=text.upper()) == [task_id]
    assert await found(desk, text=text[1:] + "x") == []


async def test_a_text_that_no_id_begins_with(desk: Desk) -> None:
    await desk.accepted(task_id=bytes.fromhex("0191a2b3c4d57e6f8901abcdefabcdef"))
    for text in ("0191a2b3c4", "0191a2b3--", "0191a2b3-c4d5-7e6f-8901-abcdefabcdef0", "0191-", "-"):
        assert await found(desk, text=text) == []


async def test_remove_takes_ended_tasks_and_says_how_each_stood(desk: Desk) -> None:
    ended, running, unknown = await desk.ended(), await desk.running(), os.urandom(16)
    answer = await desk.store.remove([ended.id, running.id, unknown, ended.id])
    assert answer == {ended.id: State.SUCCEEDED, running.id: State.RUNNING}
    assert await desk.store.get([ended.id, running.id]) == {running.id: await desk.read(running)}
    counts = await desk.store.counts()
    assert (counts[State.SUCCEEDED], counts[State.RUNNING]) == (0, 1)
    assert await desk.store.remove([]) == {}


async def test_remove_takes_many(desk: Desk) -> None:
    entries = [desk.entry() for _ in range(1_200)]
    await desk.submit(*entries)
    await desk.apply(*(lifecycle.cancel(entry.task, "", desk.now, KEEP) for entry in entries[:1_100]))
    answer = await desk.store.remove([entry.task.id for entry in entries])
    assert len(answer) == 1_200
    assert await found(desk, 200) == [entry.task.id for entry in entries[:1_099:-1]]


async def test_unended_tasks_are_counted_by_group_method_and_state(desk: Desk) -> None:
    await desk.ended(method="a")
    running = await desk.running(method="a")
    await several(desk, {"method": "a"}, {"method": "a"}, {"method": "a", "delay": 9}, {"method": "a", "key": "k"})
    await several(
        desk, {"method": "b", "group": "g", "order_key": "o"}, {"method": "b", "group": "g", "order_key": "o"}
    )
    await desk.accepted(method="b", group="g", order_key="o", after=(running.id,))
    await desk.accepted(method="b", group="g", after=(running.id,))
    assert await desk.store.group_counts() == {
        "": {"a": {State.RUNNING: 1, State.READY: 3, State.SCHEDULED: 1}},
        "g": {"b": {State.READY: 1, State.WAITING: 3}},
    }


async def test_groups_are_counted_a_page_at_a_time(desk: Desk) -> None:
    await desk.ended(group="ended")
    await several(desk, *({"method": m, "group": g} for g in (None, "b", "图", "a", "B") for m in ("m", "n")))
    one = {"m": {State.READY: 1}, "n": {State.READY: 1}}
    pages: list[list[str]] = []
    after: str | None = None
    while page := await desk.store.group_counts(after, 2):
        assert all(counts == one for counts in page.values())
        pages.append(list(page))
        after = pages[-1][-1]
    assert pages == [["", "B"], ["a", "b"], ["图"]]
    assert await desk.store.group_counts(names=["图", "", "ended", "none"]) == {"": one, "图": one}
    assert await desk.store.group_counts(names=[]) == {}
    assert len(await desk.store.group_counts(names=[f"g{n}" for n in range(1_000)] + ["a"])) == 1


async def test_a_place_counts_the_ready_tasks_before_it(desk: Desk) -> None:
    low, first, second = await several(desk, {"priority": -1}, {}, {})
    await several(desk, {"method": "other"}, {"delay": 5})
    assert [await desk.store.place(t.spec.lane, t.line, t.seq) for t in (first, second, low)] == [0, 1, 2]
    assert await desk.store.place(first.spec.lane, line_of(desk.now, -9), 0) == 3
    assert await desk.store.place(Lane("nobody's"), 0, 0) == 0


async def test_the_holder_of_an_order_key_is_named_first(desk: Desk) -> None:
    tasks = await several(desk, *({"order_key": "o"} for _ in range(3)))
    assert await desk.store.key_holders("o") == [task.id for task in tasks]
    await desk.succeed(await desk.run(tasks[0]))
    again = lifecycle.run_again(await desk.read(tasks[0]), desk.now)
    assert await desk.change(again)
    assert await desk.store.key_holders("o") == [tasks[1].id, tasks[0].id, tasks[2].id]
    assert await desk.store.key_holders("p") == []
