"""The stream of everything that changes: what is told, what is put together, and how a reader goes on where it was."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest
from events_kit import EVERYTHING, Listener, make_events, make_task

from rota.model.control import Control, Rate, Scope
from rota.model.errors import Overloaded
from rota.model.series import Point
from rota.model.task import Reason, State
from rota.model.text import task_id_text
from rota.model.worker import Facts, WorkerRecord
from rota.observe.event import Filter, Subscription
from rota.observe.event_forms import LINES
from rota.observe.events import MOST_OF_ONE, MOST_READERS
from rota.observe.gathered import MOST_COUNTS, MOST_TASKS


async def test_a_task_is_told_as_it_stands_in_the_end() -> None:
    events = make_events()
    listener = Listener(events)
    task = make_task("eu")
    events.tasks([task])
    task.state, task.reason, task.worker, task.started_at = State.RUNNING, Reason.LEASED, 3, 1_767_225_600_000_001
    events.tasks([task])
    [told] = await listener.events(1)
    assert told["type"] == "task"
    assert told["seq"] == 1
    assert told["task"] == {
        "id": task_id_text(task.id),
        "method": "add",
        "group": "eu",
        "state": "running",
        "reason": "leased",
        "attempt": 0,
        "priority": 0,
        "batch": None,
        "worker": "worker-3",
        "created_at": "1970-01-01T00:00:00.000000Z",
        "due_at": None,
        "started_at": "2026-01-01T00:00:00.000001Z",
        "ended_at": None,
    }
    await listener.silence()


async def test_everything_else_is_told_too() -> None:
    events = make_events()
    listener = Listener(events)
    gone = make_task()
    events.removed([gone.id])
    events.worker("drains", WorkerRecord(1, Facts("w-1", name="a", groups=("eu",), slots=4), draining=True))
    events.control(Control(Scope.GROUP, "eu", paused=True, note="repair", rate=Rate(10, 1_500_000)))
    events.node("draining", "the node stops")
    events.stats(Point(1_767_225_600_000_000, 10_000_000, submitted=7, wait_p99=1_500))
    told = {event["type"]: event for event in await listener.events(5)}
    assert told["removed"]["id"] == task_id_text(gone.id)
    assert (told["worker"]["kind"], told["worker"]["worker"]["id"], told["worker"]["worker"]["slots"]) == (
        "drains",
        "w-1",
        4,
    )
    assert (told["group"]["scope"], told["group"]["name"], told["group"]["paused"]) == ("group", "eu", True)
    assert told["group"]["rate"] == {"count": 10, "period": 1.5}
    assert (told["node"]["kind"], told["node"]["detail"]) == ("draining", "the node stops")
    assert (told["stats"]["at"], told["stats"]["step"]) == ("2026-01-01T00:00:00.000000Z", 10.0)
    assert (told["stats"]["submitted"], told["stats"]["wait_p99"]) == (7, 0.0015)


async def test_beyond_a_thousand_tasks_changes_are_counted() -> None:
    events = make_events()
    listener = Listener(events)
    tasks = [make_task("eu" if number % 2 else None) for number in range(MOST_TASKS + 500)]
    events.tasks(tasks[:700])
    events.tasks(tasks[700:])
    told = await listener.events(MOST_TASKS + 2)
    one_by_one = [event for event in told if event["type"] == "task"]
    counted = {event["group"]: event["changes"] for event in told if event["type"] == "tasks"}
    assert len(one_by_one) == MOST_TASKS
    assert counted == {
        None: [{"method": "add", "state": "ready", "count": 250}],
        "eu": [{"method": "add", "state": "ready", "count": 250}],
    }
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))


async def test_where_there_is_too_much_to_count_readers_are_told_to_read_anew() -> None:
    events = make_events()
    listener = Listener(events, Filter(frozenset({Subscription(group="g")}), frozenset({"g"})))
    events.tasks([make_task(method=f"m{number}") for number in range(MOST_TASKS + MOST_COUNTS + 1)])
    [told] = await listener.events(1)
    assert told["type"] == "reset"


async def test_a_scope_sees_its_groups_only() -> None:
    events = make_events()
    listener = Listener(events, Filter(frozenset({Subscription()}), frozenset({"eu"})))
    events.tasks([make_task("us"), make_task(), make_task("eu")])
    events.control(Control(Scope.NODE, paused=True))
    events.control(Control(Scope.GROUP, "us", paused=True))
    told = await listener.events(1)
    assert [(event["type"], event["task"]["group"]) for event in told] == [("task", "eu")]
    await listener.silence()


async def test_while_nobody_listens_nothing_is_kept() -> None:
    events = make_events()
    assert not events.listening
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1_000):
            events.tasks([make_task()])
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
    events.node("ready")
    listener = Listener(events)
    await listener.silence(0.2)


async def test_a_reader_goes_on_where_it_was() -> None:
    events = make_events()
    first = Listener(events)
    events.tasks([make_task()])
    await first.events(1)
    first.reader.leave()
    missed = make_task()
    events.tasks([missed])
    second = Listener(events, last=first.last)
    events.node("ready")
    told = await second.events(2)
    assert [event["type"] for event in told] == ["node", "task"]
    assert told[1]["task"]["id"] == task_id_text(missed.id)


async def test_one_that_comes_again_after_the_round_gets_what_it_missed() -> None:
    events = make_events()
    first, other = Listener(events), Listener(events)
    events.tasks([make_task()])
    await first.events(1)
    first.reader.leave()
    events.tasks([make_task(), make_task()])
    assert len(await other.events(3)) == 3
    second = Listener(events, last=first.last)
    assert [event["seq"] for event in await second.events(2)] == [2, 3]
    await second.silence()


@pytest.mark.parametrize("last", ["otherepoch-1", "nonsense", "-5", "x-99999999999999999999"])
async def test_from_a_place_of_another_start_it_is_told_to_read_anew(last: str) -> None:
    events = make_events()
    listener = Listener(events, last=last)
    [told] = await listener.events(1)
    assert told["type"] == "reset"
    events.node("ready")
    assert [event["type"] for event in await listener.events(1)] == ["node"]


async def test_a_number_that_was_not_given_yet_is_no_place() -> None:
    events = make_events()
    epoch = events.place.rpartition("-")[0]
    listener = Listener(events, last=f"{epoch}-77")
    assert [event["type"] for event in await listener.events(1)] == ["reset"]


async def test_a_minute_after_the_last_reader_places_are_forgotten() -> None:
    events = make_events(deaf_after=0.05)
    first = Listener(events)
    events.tasks([make_task()])
    await first.events(1)
    first.reader.leave()
    assert events.listening
    async with asyncio.timeout(2):
        while events.listening:
            await asyncio.sleep(0.01)
    events.tasks([make_task()])
    second = Listener(events, last=first.last)
    assert [event["type"] for event in await second.events(1)] == ["reset"]
    events.tasks([make_task()])
    assert [event["type"] for event in await second.events(1)] == ["task"]


async def test_a_reader_that_takes_nothing_is_told_that_it_is_behind() -> None:
    events = make_events()
    slow, quick = Listener(events), Listener(events)
    total = 0
    while total < 12_000:
        events.tasks([make_task() for _ in range(MOST_TASKS)])
        total += len(await quick.events(MOST_TASKS))
    told = await slow.events(1)
    assert [event["type"] for event in told] == ["behind"]
    assert told[0]["missed"] == 12_000
    events.node("ready")
    assert [event["type"] for event in await slow.events(1)] == ["node"]


async def test_what_waits_for_readers_is_bounded_together() -> None:
    """Two hundred readers that take nothing cost the ring, and no more."""
    events = make_events()
    readers = [Listener(events) for _ in range(MOST_READERS - 1)]
    quick = Listener(events)
    tracemalloc.start()
    try:
        for _ in range(15):
            events.tasks([make_task() for _ in range(MOST_TASKS)])
            await quick.events(MOST_TASKS)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(readers) == MOST_READERS - 1
    assert held < 16 * 1024 * 1024


async def test_readers_are_bounded() -> None:
    events = make_events()
    readers = [Listener(events) for _ in range(MOST_READERS)]
    with pytest.raises(Overloaded) as refused:
        Listener(events)
    assert refused.value.code == "too_many_readers"
    readers[0].reader.leave()
    Listener(events)


async def test_a_sign_of_life_says_the_place() -> None:
    events = make_events()
    listener = Listener(events, Filter(frozenset({Subscription(frozenset({"node"}))})))
    events.tasks([make_task()])
    await listener.silence()
    listener.reader.beat()
    message = await listener.message()
    assert message == {"type": "heartbeat", "last": events.place}


async def test_the_end_comes_after_what_was_told() -> None:
    events = make_events()
    listener = Listener(events)
    events.node("draining")
    events.close()
    assert [event["type"] for event in await listener.events(1)] == ["node"]
    assert await listener.message() is None
    assert listener.reader.ended == "the node stops"
    assert await Listener(events).message() is None


async def test_the_first_subscription_begins_now_or_where_the_reader_was_placed() -> None:
    events = make_events()
    other, late, placed = Listener(events), Listener(events, Filter()), Listener(events, Filter())
    start = events.place
    events.tasks([make_task()])
    await other.events(1)
    late.reader.ask(EVERYTHING)
    await late.silence()
    events.resume(placed.reader, start)
    await placed.silence()
    placed.reader.ask(EVERYTHING)
    assert [event["seq"] for event in await placed.events(1)] == [1]


async def test_lines_are_an_event_stream() -> None:
    events = make_events()
    reader = events.join(EVERYTHING, LINES)
    events.node("ready", "two\nlines")
    async with asyncio.timeout(2):
        chunk = await reader.next()
    assert chunk is not None
    head, name, data, *rest = chunk.decode().split("\n")
    assert (head, name, rest) == (f"id: {events.place}", "event: node", ["", ""])
    assert data.startswith('data: {"type":"node","seq":1,')
    reader.beat()
    assert await reader.next() == f":\nid: {events.place}\n\n".encode()


async def test_one_token_cannot_keep_all_others_out() -> None:
    events = make_events()
    greedy = [events.join(EVERYTHING, LINES, who="greedy") for _ in range(MOST_OF_ONE)]
    with pytest.raises(Overloaded) as refused:
        events.join(EVERYTHING, LINES, who="greedy")
    assert refused.value.code == "too_many_readers"
    other = events.join(EVERYTHING, LINES, who="other")
    greedy.pop().leave()
    greedy.append(events.join(EVERYTHING, LINES, who="greedy"))
    for reader in (*greedy, other):
        reader.leave()
