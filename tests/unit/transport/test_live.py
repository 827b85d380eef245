"""Events over a WebSocket: who is let in, what is asked and told, and what hostile readers get."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uuid_utils
from doors_kit import StartNode
from live_kit import SECRET, LiveDoor, guarded, open_door
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from rota.access.grant import Grant
from rota.access.policy import Policy
from rota.access.tokens import Tokens
from rota.model.task import Lane, Reason, Spec, State, Task
from rota.model.text import task_id_text
from rota.transport.http import live
from rota.transport.http.live import MAX_MESSAGE, MAX_SUBSCRIPTIONS

StartDoor = Callable[..., Awaitable[LiveDoor]]


@pytest.fixture
async def start_door(start_node: StartNode) -> AsyncIterator[StartDoor]:
    doors: list[LiveDoor] = []

    async def start(policy: Policy | None = None, **terms: Any) -> LiveDoor:
        doors.append(await open_door(await start_node(policy, **terms)))
        return doors[-1]

    yield start
    for door in doors:
        door.node.events.close()
        await door.node.lobby.leave()
        await door.server.stop()


@pytest.fixture
async def door(start_door: StartDoor) -> LiveDoor:
    return await start_door()


async def say(link: Any, kind: str, **fields: Any) -> None:
    await link.send(json.dumps({"type": kind, **fields}))


async def heard(link: Any, kind: str) -> dict[str, Any]:
    """The next message of a type."""
    async with asyncio.timeout(5):
        while True:
            message = json.loads(await link.recv())
            if message["type"] == kind:
                return message


async def subscribed(link: Any, **fields: Any) -> dict[str, Any]:
    await say(link, "subscribe", **fields)
    return await heard(link, "subscribed")


async def events(link: Any, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += (await heard(link, "events"))["events"]
    return found


async def end_of(link: Any) -> tuple[int, str]:
    async with asyncio.timeout(8):
        with contextlib.suppress(ConnectionClosed):
            async for _ in link:
                pass
        await link.wait_closed()
    return link.close_code, link.close_reason


# --- what is told


async def test_tasks_are_told_to_who_subscribed(door: LiveDoor) -> None:
    async with door.live() as link:
        assert (await heard(link, "welcome"))["node"] == "node-1"
        assert (await subscribed(link, topics=["task"]))["subscriptions"] == 1
        client = await door.node.client()
        [task_id] = await client.submit()
        [event] = await events(link, 1)
        assert (event["type"], event["task"]["id"]) == ("task", task_id_text(task_id))


async def test_subscriptions_add_up_and_end(door: LiveDoor) -> None:
    async with door.live() as link:
        await subscribed(link, topics=["node"])
        assert (await subscribed(link, topics=["task"], group="eu"))["subscriptions"] == 2
        client = await door.node.client()
        await client.submit()
        door.node.events.node("ready")
        assert [event["type"] for event in await events(link, 1)] == ["node"]
        await say(link, "unsubscribe", topics=["node"])
        assert (await heard(link, "subscribed"))["subscriptions"] == 1
        await say(link, "unsubscribe")
        assert (await heard(link, "subscribed"))["subscriptions"] == 0


async def test_one_that_comes_again_goes_on_where_it_was(door: LiveDoor) -> None:
    client = await door.node.client()
    async with door.live() as link:
        await subscribed(link, topics=["task"])
        await client.submit()
        last = (await heard(link, "events"))["last"]
    ids = await client.submit(3)
    async with door.live() as link:
        await say(link, "resume", last=last)
        await subscribed(link, topics=["task"])
        told = await events(link, 3)
        assert {event["task"]["id"] for event in told} == {task_id_text(each) for each in ids}


async def test_from_a_place_that_is_not_known_it_is_told_to_read_anew(door: LiveDoor) -> None:
    async with door.live() as link:
        await say(link, "resume", last="0badcafe-12")
        assert [event["type"] for event in await events(link, 1)] == ["reset"]


async def test_a_ping_is_answered(door: LiveDoor) -> None:
    async with door.live() as link:
        await say(link, "ping")
        await heard(link, "pong")


async def test_the_connection_ends_when_the_node_stops(door: LiveDoor) -> None:
    async with door.live() as link:
        await subscribed(link)
        door.node.events.node("draining")
        door.node.events.close()
        await door.node.lobby.leave()
        assert [event["kind"] for event in await events(link, 1)] == ["draining"]
        assert (await end_of(link))[0] == 1001


async def test_who_goes_away_is_forgotten(door: LiveDoor) -> None:
    for _ in range(10):
        async with door.live() as link:
            await heard(link, "welcome")
    await door.listening(0)


# --- who is let in


async def test_a_foreign_page_is_not(door: LiveDoor) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        with pytest.raises(InvalidStatus) as refused:
            async with door.live(headers=headers):
                pass
        assert refused.value.response.status_code == 403


async def test_a_page_of_the_node_itself_is(door: LiveDoor) -> None:
    own = f"http://127.0.0.1:{door.server.port}"
    async with door.live(None, headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}) as link:
        await heard(link, "welcome")


async def test_a_token_in_the_address_is_refused_with_the_way_to_say_it(door: LiveDoor) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with door.live(None, query=f"?token={SECRET}"):
            pass
    assert refused.value.response.status_code == 400
    assert json.loads(refused.value.response.body)["code"] == "token_in_query"


async def test_a_wrong_token_in_the_handshake_is_401(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"))
    with pytest.raises(InvalidStatus) as refused:
        async with door.live("wrong" * 10):
            pass
    assert refused.value.response.status_code == 401


async def test_a_wrong_role_in_the_handshake_is_403(start_door: StartDoor) -> None:
    door = await start_door(guarded("worker"))
    with pytest.raises(InvalidStatus) as refused:
        async with door.live():
            pass
    assert refused.value.response.status_code == 403


async def test_the_first_message_may_bring_the_token(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"))
    async with door.live(None) as link:
        await say(link, "auth", token=SECRET)
        await heard(link, "welcome")
        await subscribed(link)


@pytest.mark.parametrize("token", ["wrong" * 10, ""])
async def test_a_wrong_one_there_ends_it(start_door: StartDoor, token: str) -> None:
    door = await start_door(guarded("viewer"))
    async with door.live(None) as link:
        await say(link, "auth", token=token)
        assert (await end_of(link))[0] == 4401


async def test_a_wrong_role_there_ends_it(start_door: StartDoor) -> None:
    door = await start_door(guarded("worker"))
    async with door.live(None) as link:
        await say(link, "auth", token=SECRET)
        assert (await end_of(link))[0] == 4403


async def test_who_does_not_say_who_it_is_in_time_is_put_out(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"), hello_within=0.2)
    async with door.live(None) as link:
        assert (await end_of(link))[0] == 1008
    assert door.node.events.readers == 0


@pytest.mark.parametrize("message", ['{"type":"subscribe"}', "not json", '{"type":"ping"}'])
async def test_anything_before_auth_ends_it(start_door: StartDoor, message: str) -> None:
    door = await start_door(guarded("viewer"))
    async with door.live(None) as link:
        await link.send(message)
        assert (await end_of(link))[0] == 1008


async def test_a_token_that_ends_ends_its_connections(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"))
    async with door.live() as link:
        await subscribed(link)
        door.node.policy.renew(Tokens([]))
        assert (await end_of(link))[0] == 4401


class Scoped(Policy):
    """Whoever comes sees one group."""

    def admit(self, token: str | None, source: str = "", certificate: frozenset[str] | None = None) -> Grant:
        return Grant(frozenset({"viewer"}), frozenset({"eu"}), "kid", "eu viewer")

    def still_good(self, grant: Grant) -> bool:
        return True


async def test_a_scope_sees_its_groups_only(start_door: StartDoor) -> None:
    door = await start_door(Scoped(open_mode=False))
    async with door.live() as link:
        await say(link, "subscribe", group="us")
        assert (await heard(link, "error"))["code"] == "forbidden"
        await say(link, "subscribe", group="")
        assert (await heard(link, "error"))["code"] == "forbidden"
        await subscribed(link)
        for group in ("us", None, "eu"):
            door.node.events.tasks([a_task(group)])
        door.node.events.node("ready")
        told = await events(link, 2)
        assert [event["task"]["group"] for event in told if event["type"] == "task"] == ["eu"]


def a_task(group: str | None) -> Task:
    return Task(uuid_utils.uuid7().bytes, Spec(Lane("add", group)), State.READY, Reason.SUBMITTED, 0)


# --- what cannot be meant


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "not_json"),
        ("[" * 5_000, "invalid_message"),
        ("[]", "invalid_message"),
        ("{}", "invalid_message"),
        ('{"type":"dance"}', "invalid_message"),
        ('{"type":"subscribe","topics":["weather"]}', "invalid_message"),
        ('{"type":"subscribe","colour":"red"}', "invalid_message"),
        ('{"type":"subscribe","task":"nonsense"}', "invalid_value"),
        ('{"type":"subscribe","group":"a\\u0000b"}', "invalid_name"),
        ('{"type":"subscribe","group":"eu","task":"0191f3c2-7b1e-7c3a-9d2e-5f0a1b2c3d4e"}', "contradiction"),
        ('{"type":"unsubscribe","topics":["task"]}', "not_subscribed"),
        ('{"type":"resume"}', "invalid_message"),
        ('{"type":"auth","token":"x"}', "already_in"),
    ],
)
async def test_a_wrong_message_is_answered_and_the_connection_goes_on(door: LiveDoor, message: str, code: str) -> None:
    async with door.live() as link:
        await link.send(message)
        error = await heard(link, "error")
        assert error["code"] == code
        assert error["detail"]
        await say(link, "ping")
        await heard(link, "pong")


async def test_ten_of_them_within_a_minute_end_it(door: LiveDoor) -> None:
    async with door.live() as link:
        for _ in range(10):
            await link.send("{}")
        assert (await end_of(link))[0] == 1008


async def test_subscriptions_are_bounded(door: LiveDoor) -> None:
    async with door.live() as link:
        for number in range(MAX_SUBSCRIPTIONS):
            await say(link, "subscribe", group=f"g{number}")
        while (await heard(link, "subscribed"))["subscriptions"] < MAX_SUBSCRIPTIONS:
            pass
        await say(link, "subscribe", group="g0")
        assert (await heard(link, "subscribed"))["subscriptions"] == MAX_SUBSCRIPTIONS
        await say(link, "subscribe", group="one more")
        assert (await heard(link, "error"))["code"] == "too_many_subscriptions"


async def test_ten_thousand_subscriptions_end_it(door: LiveDoor) -> None:
    async with door.live() as link:
        with contextlib.suppress(ConnectionClosed):
            for number in range(10_000):
                await say(link, "subscribe", group=f"g{number}")
        assert (await end_of(link))[0] == 1008
    await door.listening(0)


async def test_a_binary_message_ends_it(door: LiveDoor) -> None:
    async with door.live() as link:
        await link.send(b"\x00\x01")
        assert (await end_of(link))[0] == 1003


async def test_a_message_that_is_no_text_ends_it(door: LiveDoor) -> None:
    async with door.live() as link:
        await heard(link, "welcome")
        frame = Frame(Opcode.TEXT, b"\xff\xfe{}").serialize(mask=True)
        link.transport.write(frame)
        assert (await end_of(link))[0] == 1007


@pytest.mark.parametrize("first", [True, False])
async def test_a_message_that_is_too_long_ends_it(door: LiveDoor, first: bool) -> None:
    async with door.live() as link:
        if not first:
            await subscribed(link)
        await link.send(json.dumps({"type": "resume", "last": "x" * MAX_MESSAGE}))
        assert (await end_of(link))[0] == 1009


async def test_an_unmasked_frame_ends_it(door: LiveDoor) -> None:
    async with door.live() as link:
        await heard(link, "welcome")
        link.transport.write(Frame(Opcode.TEXT, b"{}").serialize(mask=False))
        assert (await end_of(link))[0] == 1002


async def test_a_flood_of_pings_ends_it(door: LiveDoor) -> None:
    async with door.live() as link:
        await heard(link, "welcome")
        with contextlib.suppress(ConnectionClosed):
            for _ in range(1_000):
                link.transport.write(Frame(Opcode.PING, b"").serialize(mask=True))
        assert (await end_of(link))[0] == 1008


# --- who does not read

HANDSHAKE = (
    "GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


async def test_one_that_never_pongs_is_put_out(door: LiveDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT", 0.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port)
    writer.write(HANDSHAKE.encode())
    try:
        async with asyncio.timeout(10):
            said = await reader.read()
        assert b"\x88" in said
        assert b"pings went unanswered" in said
    finally:
        writer.close()


async def test_one_that_never_reads_costs_little_and_is_put_out(
    door: LiveDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STALLED_AFTER", 2.0)
    tasks = [a_task(None) for _ in range(1_000)]
    sock = await door.deaf(HANDSHAKE)
    loop = asyncio.get_running_loop()
    try:
        await door.listening()
        subscribe = Frame(Opcode.TEXT, b'{"type":"subscribe"}').serialize(mask=True)
        await loop.sock_sendall(sock, subscribe)
        waiting = 0
        for _ in range(150):
            door.node.events.tasks(tasks)
            await asyncio.sleep(0.1)
            server = door.server._server
            assert server is not None
            open_ones = server.server_state.connections
            sizes = [each.transport.get_write_buffer_size() for each in open_ones]  # type: ignore[union-attr]
            waiting = max([waiting, *sizes])
            if not sizes:
                break
        assert not sizes, "it was not cut off"
        assert 0 < waiting <= 256 * 1024
        assert door.node.events.readers == 0
    finally:
        sock.close()


async def test_one_that_reads_again_in_time_learns_why(door: LiveDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STALLED_AFTER", 1.0)
    tasks = [a_task(None) for _ in range(1_000)]
    async with door.live(max_queue=1) as link:
        await subscribed(link)
        link.transport.pause_reading()
        session = next(iter(door.node.lobby._guests))
        async with asyncio.timeout(30):
            while session._reader is not None and not session._reader.ended:  # type: ignore[attr-defined]
                door.node.events.tasks(tasks)
                await asyncio.sleep(0.1)
        link.transport.resume_reading()
        assert (await end_of(link))[0] == 1013
