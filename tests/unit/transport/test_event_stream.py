"""Events and logs as server-sent events, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from doors_kit import Node, StartNode
from live_kit import SECRET, LiveDoor, guarded, open_door

from rota.access.policy import Policy
from rota.access.tokens import Tokens
from rota.model.control import Control, Scope
from rota.model.log import LogLine
from rota.model.task import Task
from rota.model.text import task_id_text
from rota.transport.http import event_stream

StartDoor = Callable[..., Awaitable[LiveDoor]]


@pytest.fixture
async def start_door(start_node: StartNode) -> AsyncIterator[StartDoor]:
    doors: list[LiveDoor] = []

    async def start(policy: Policy | None = None) -> LiveDoor:
        doors.append(await open_door(await start_node(policy)))
        return doors[-1]

    yield start
    for door in doors:
        door.node.events.close()
        await door.node.lobby.leave()
        await door.server.stop()


@pytest.fixture
async def door(start_door: StartDoor) -> LiveDoor:
    return await start_door()


# --- events


async def test_a_task_is_followed_from_its_submit_to_its_end(door: LiveDoor) -> None:
    async with door.stream("/events?topics=task") as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        worker, client = await door.node.worker(), await door.node.client()
        [task_id] = await client.submit()
        [assignment] = await worker.assigned()
        states = [(await stream.event()).data["task"]["state"]]
        await worker.finish(assignment)
        while states[-1] != "succeeded":
            event = await stream.event()
            assert (event.name, event.data["task"]["id"]) == ("task", task_id_text(task_id))
            assert event.data["task"]["worker"] == "w1"
            states.append(event.data["task"]["state"])
        assert states == sorted(states, key=["ready", "running", "succeeded"].index)


async def test_params_and_results_are_in_no_event(door: LiveDoor) -> None:
    async with door.stream("/events") as stream:
        worker, client = await door.node.worker(), await door.node.client()
        await client.submit(params=b'["canary-in"]')
        [assignment] = await worker.assigned()
        await worker.finish(assignment, result=b'"canary-out"')
        seen = [await stream.event()]
        while seen[-1].data.get("task", {}).get("state") != "succeeded":
            seen.append(await stream.event())
        assert "canary" not in json.dumps([event.data for event in seen])


async def test_topics_choose(door: LiveDoor) -> None:
    async with door.stream("/events?topics=worker,node") as stream:
        client = await door.node.client()
        await client.submit()
        await door.node.worker("w7")
        door.node.events.node("draining")
        told = await stream.events(2)
        assert [(event.name, event.data["kind"]) for event in told] == [("worker", "joined"), ("node", "draining")]
        assert told[0].data["worker"]["id"] == "w7"


async def test_what_people_and_workers_do_is_told(door: LiveDoor) -> None:
    engine = door.node.engine
    async with door.stream("/events?topics=worker,group,task") as stream:
        worker = await door.node.worker("w7")
        [record] = await engine.workers()
        await engine.drain_worker(record.number)
        await engine.resume_worker(record.number)
        await engine.set_control(Control(Scope.GROUP, "mail", paused=True, note="the provider is down"))
        told = await stream.events(4)
        assert [event.data.get("kind", event.name) for event in told] == ["joined", "drains", "resumed", "group"]
        assert told[3].data["note"] == "the provider is down"
        worker.carrier.close(1000, "")
        assert (await stream.event()).data["kind"] == "left"
        client = await door.node.client()
        [task_id] = await client.submit()
        await engine.cancel([task_id], "")
        await stream.event()
        await engine.delete([task_id])
        removed = await stream.event()
        assert (removed.name, removed.data["id"]) == ("removed", task_id_text(task_id))


async def test_a_page_of_another_site_does_not_listen(door: LiveDoor) -> None:
    async with door.stream("/events", Sec_Fetch_Site="cross-site") as stream:
        assert (stream.status, (await stream.body())["code"]) == (403, "foreign_origin")
    async with door.stream("/events", Sec_Fetch_Site="same-origin") as stream:
        assert stream.status == 200
    await door.listening(0)


async def test_one_task_is_watched_alone(door: LiveDoor) -> None:
    client = await door.node.client()
    [other, watched] = await client.submit(2)
    async with door.stream(f"/events?task={task_id_text(watched)}") as stream:
        await door.node.engine.cancel([other], "")
        await door.node.engine.cancel([watched], "")
        event = await stream.event()
        assert (event.data["task"]["id"], event.data["task"]["state"]) == (task_id_text(watched), "cancelled")


async def test_a_stream_goes_on_behind_the_last_event(door: LiveDoor) -> None:
    client = await door.node.client()
    async with door.stream("/events?topics=task") as stream:
        await client.submit()
        [first] = await stream.events(1)
    ids = await client.submit(3)
    async with door.stream("/events?topics=task", Last_Event_ID=first.last) as stream:
        told = await stream.events(3)
        assert {event.data["task"]["id"] for event in told} == {task_id_text(each) for each in ids}
        assert [event.data["seq"] for event in told] == [2, 3, 4]


async def test_a_stream_of_another_start_begins_with_a_reset(door: LiveDoor) -> None:
    async with door.stream("/events", Last_Event_ID="0badcafe-17") as stream:
        assert (await stream.event()).name == "reset"


async def test_a_new_stream_says_where_it_begins(door: LiveDoor) -> None:
    client = await door.node.client()
    async with door.stream("/events?topics=task"), door.stream("/events?topics=node") as stream:
        door.node.events.node("ready")
        begin = (await stream.event()).last
    await client.submit()
    async with door.stream("/events?topics=task", Last_Event_ID=begin) as stream:
        assert (await stream.event()).name == "task"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?topics=weather", 422),
        ("?task=nonsense", 422),
        ("?group=a%00b", 422),
        ("?group=eu&task=0191f3c2-7b1e-7c3a-9d2e-5f0a1b2c3d4e", 422),
        ("?colour=red", 422),
        (f"?token={SECRET}", 400),
    ],
)
async def test_what_cannot_be_meant_is_refused(door: LiveDoor, query: str, code: int) -> None:
    async with door.stream(f"/events{query}") as stream:
        assert (stream.status, stream.headers["content-type"]) == (code, "application/problem+json")
    assert door.node.events.readers == 0


async def test_signs_of_life_come_while_nothing_happens(door: LiveDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "BEAT", 0.0)
    async with door.stream("/events?topics=node") as stream:
        reading = asyncio.create_task(stream.event())
        async with asyncio.timeout(5):
            while not stream.comments:
                await asyncio.sleep(0.01)
        assert stream.last == door.node.events.place
        door.node.events.node("ready")
        await reading


async def test_who_goes_away_is_forgotten(door: LiveDoor) -> None:
    for _ in range(20):
        async with door.stream("/events"):
            await door.listening()
    await door.listening(0)


async def test_the_streams_end_when_the_node_stops(door: LiveDoor) -> None:
    async with door.stream("/events?topics=node") as stream:
        await door.listening()
        door.node.events.node("draining")
        door.node.events.close()
        await door.node.lobby.leave()
        assert (await stream.event()).data["kind"] == "draining"
        with pytest.raises(EOFError):
            await stream.event()


async def test_without_a_token_nobody_listens(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"))
    async with door.stream("/events") as stream:
        assert stream.status == 401
    async with door.stream("/events", Authorization=f"Bearer {SECRET}") as stream:
        assert stream.status == 200


async def test_the_wrong_role_does_not_listen(start_door: StartDoor) -> None:
    door = await start_door(guarded("worker"))
    async with door.stream("/events", Authorization=f"Bearer {SECRET}") as stream:
        assert stream.status == 403


async def test_a_stream_ends_when_its_token_does(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"))
    async with door.stream("/events", Authorization=f"Bearer {SECRET}") as stream:
        await door.listening()
        door.node.policy.renew(Tokens([]))
        async with asyncio.timeout(5):
            await stream.end()


async def test_one_that_takes_nothing_costs_little_and_is_cut_off(
    door: LiveDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "STALLED_AFTER", 2.0)
    head = f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{door.server.port}\r\n\r\n"
    tasks = await a_thousand(door.node)
    sock = await door.deaf(head)
    try:
        await door.listening()
        waiting = 0
        for _ in range(150):
            door.node.events.tasks(tasks)
            await asyncio.sleep(0.1)
            waiting = max(waiting, held_back(door))
            if not door.node.events.readers:
                break
        assert door.node.events.readers == 0, "it was not cut off"
        assert 0 < waiting <= 256 * 1024
    finally:
        sock.close()


def held_back(door: LiveDoor) -> int:
    """Bytes that the server holds for those who do not take them."""
    assert door.server._server is not None
    connections = door.server._server.server_state.connections
    return max((each.transport.get_write_buffer_size() for each in connections), default=0)  # type: ignore[union-attr]


async def a_thousand(node: Node) -> list[Task]:
    client = await node.client()
    return list((await node.engine.get(await client.submit(1_000, wait=False))).values())


# --- logs


async def lines_of(node: Node, task_id: bytes, *texts: str) -> None:
    task = (await node.engine.get([task_id]))[task_id]
    node.journal.write(task.seq, [LogLine(1, 1_767_225_600_000_000, 20, text) for text in texts])


async def test_a_log_is_followed_to_the_end_of_its_task(door: LiveDoor) -> None:
    worker, client = await door.node.worker(), await door.node.client()
    [task_id] = await client.submit()
    [assignment] = await worker.assigned()
    await lines_of(door.node, task_id, "one", "two")
    async with door.stream(f"/tasks/{task_id_text(task_id)}/logs?follow=true") as stream:
        first, second = await stream.events(2)
        assert (first.name, first.data["text"], second.data["text"]) == ("line", "one", "two")
        assert first.data["at"] == "2026-01-01T00:00:00.000000Z"
        assert (first.last, second.last) == (str(first.data["number"]), str(second.data["number"]))
        await lines_of(door.node, task_id, "three\nand \x1b[31mred")
        assert (await stream.event()).data["text"] == "three\nand \x1b[31mred"
        await worker.finish(assignment)
        end = await stream.event()
        assert (end.name, end.data) == ("end", {"type": "end", "state": "succeeded", "reason": "returned"})
        with pytest.raises(EOFError):
            await stream.event()


async def test_a_log_is_taken_up_behind_a_line(door: LiveDoor) -> None:
    worker, client = await door.node.worker(), await door.node.client()
    [task_id] = await client.submit()
    [assignment] = await worker.assigned()
    await lines_of(door.node, task_id, *(f"line {number}" for number in range(250)))
    await worker.finish(assignment)
    path = f"/tasks/{task_id_text(task_id)}/logs?follow=true"
    async with door.stream(path) as stream:
        events = await stream.events(251)
        assert [event.data["text"] for event in events[:-1]] == [f"line {number}" for number in range(250)]
        assert events[-1].name == "end"
    async with door.stream(path, Last_Event_ID=events[247].last) as stream:
        assert [event.data.get("text") for event in await stream.events(3)] == ["line 248", "line 249", None]
    async with door.stream(path, Last_Event_ID=events[-1].last) as stream:
        assert stream.status == 204


async def test_the_log_of_no_task_is_not_found(door: LiveDoor) -> None:
    async with door.stream("/tasks/0191f3c2-7b1e-7c3a-9d2e-5f0a1b2c3d4e/logs?follow=true") as stream:
        assert stream.status == 404


async def test_who_stops_following_a_log_is_forgotten(door: LiveDoor) -> None:
    client = await door.node.client()
    [task_id] = await client.submit()
    async with door.stream(f"/tasks/{task_id_text(task_id)}/logs?follow=true"):
        async with asyncio.timeout(5):
            while not door.node.journal._followers:
                await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        while door.node.journal._followers:
            await asyncio.sleep(0.01)
