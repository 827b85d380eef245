"""Both WebSockets and the event stream of a real node, and what must not come over them.

The numbers are the rows of the catalogue of bad input. After every case the node lives and answers, nothing was accepted, and
the log has no more than one line of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import House, house
from raw_websocket import BINARY, CONTINUATION, FIN, PING, PONG, RSV1, RSV2, TEXT, RawWebSocket, frame, head
from rest import Rest

from rota.wire.v1 import house_pb2
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

LINK, LIVE, EVENTS = "/api/v1/link", "/api/v1/live", "/api/v1/events"
SOCKETS = [pytest.param(LINK, id="link"), pytest.param(LIVE, id="live")]
HELLO = Frame(hello=pb.Hello(versions=[1], window=8 << 20)).SerializeToString()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("sockets")) as made:
        made.start_node()
        yield made


def lines_of(home: House) -> list[str]:
    return (home.folder / "node.log").read_text().splitlines()


@pytest.fixture
def same(home: House) -> Iterator[House]:
    """The node as it stood before, and as it must stand afterwards."""
    assert home.node is not None
    process, rest = psutil.Process(home.node.pid), Rest(home.url)
    before, log, memory = rest.get("/stats").json["submitted"], len(lines_of(home)), process.memory_info().rss
    yield home
    assert rest.get("/stats").json["submitted"] == before
    new = lines_of(home)[log:]
    assert len(new) <= 1, new
    assert process.memory_info().rss - memory < 64 << 20


@contextlib.asynccontextmanager
async def greeted(home: House, path: str) -> AsyncIterator[RawWebSocket]:
    """A connection that was let in."""
    made = await RawWebSocket.dial(home.port, path)
    assert made.status == 101
    if path == LINK:
        made.writer.write(frame(BINARY, HELLO))
        assert Frame.FromString(await made.message()).HasField("welcome")
    else:
        assert json.loads(await made.message())["type"] == "welcome"
    try:
        yield made
    finally:
        await made.cut()


REFUSED = [b"[" * 100_000, b'{"method":"m\\u001b[31m"}', b'{"method":"m","timeout":NaN}', b'{"metod":1}', b"\xff"]


@pytest.mark.parametrize("sent", REFUSED, ids=["2", "7", "4", "9", "14"])
def test_a_refused_body_leaves_no_more_than_a_line_in_the_log(same: House, sent: bytes) -> None:
    assert Rest(same.url).post("/tasks", sent).status in (400, 422)


# ---------------------------------------------------------------- 14, 15, 16, 18: addresses and handshakes


async def status_of(home: House, path: str, headers: str = "", host: str = "localhost") -> int:
    """How a handshake is answered, or a plain request where there are no sockets."""
    if not path.startswith(EVENTS):
        answered = await RawWebSocket.dial(home.port, path, headers, host)
        await answered.cut()
        return answered.status
    asked = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
    return int((await asyncio.to_thread(Rest(home.url).raw, asked.encode())).split()[1])


@pytest.mark.parametrize("path", [LINK, LIVE, EVENTS])
@pytest.mark.parametrize("end", ["/", "%00", "%2f..", "/../tasks%00", "x"])
async def test_14_addresses_beside_it_lead_nowhere(same: House, path: str, end: str) -> None:
    assert await status_of(same, path + end) in (400, 404)


@pytest.mark.parametrize("path", [LINK, LIVE, EVENTS])
async def test_14_a_head_that_is_too_long_is_refused(same: House, path: str) -> None:
    assert await status_of(same, f"{path}?a={'x' * 9_000}") == 414
    assert await status_of(same, path, "".join(f"X-{n}: y\r\n" for n in range(200))) == 431


@pytest.mark.parametrize("path", [LINK, LIVE, EVENTS])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "169.254.169.254", "a/?x="])
async def test_15_a_foreign_host_is_refused(same: House, path: str, host: str) -> None:
    assert await status_of(same, path, host=host) in (400, 421)


@pytest.mark.parametrize("path", [LINK, LIVE, EVENTS])
@pytest.mark.parametrize(
    "extra",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: -1\r\n",
        "X: a\nContent-Length: 3\r\n",
    ],
)
async def test_16_what_two_parsers_would_read_differently_is_refused(same: House, path: str, extra: str) -> None:
    assert await status_of(same, path, extra) == 400


@pytest.mark.parametrize("path", [LINK, LIVE, EVENTS])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_18_nothing_but_get(same: House, path: str, method: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    answer = Rest(same.url).raw(f"{head}X-HTTP-Method-Override: GET\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"allow: get" in answer.lower()


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("headers", ["Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"])
async def test_39_a_foreign_page_opens_nothing(same: House, path: str, headers: str) -> None:
    assert await status_of(same, path, headers) == 403


@pytest.mark.parametrize("path", SOCKETS)
async def test_44_compression_is_not_agreed_to(same: House, path: str) -> None:
    """So no small message becomes a large one."""
    offered = await RawWebSocket.dial(same.port, path, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
    assert offered.status == 101
    assert "sec-websocket-extensions" not in offered.answer.lower()
    await offered.cut()


# ---------------------------------------------------------------- 44 to 47: frames


def both(link: int, live: int) -> dict[str, int]:
    return {LINK: link, LIVE: live}


FRAMES = [
    pytest.param(head(FIN | BINARY, (4 << 20) + 1), both(1009, 1009), id="44-one-over-the-limit"),
    pytest.param(head(FIN | TEXT, 16 * 1024 + 1) + b"x" * 16_385, both(1003, 1009), id="44-a-text-over-the-limit"),
    pytest.param(head(FIN | TEXT, 1 << 63), both(1009, 1009), id="44-a-length-with-its-highest-bit"),
    pytest.param(
        frame(TEXT, b"x", flags=0) + frame(CONTINUATION, b"x", flags=0) * 10_000,
        both(1009, 1009),
        id="44-10000-fragments",
    ),
    pytest.param(frame(TEXT, b"\xca\x48\xcd\xc9\xc9\x07\x00", flags=FIN | RSV1), both(1002, 1002), id="44-compressed"),
    pytest.param(frame(TEXT, b"\xff\xfe"), both(1007, 1007), id="45-no-utf8"),
    pytest.param(frame(TEXT, b"{}"), both(1003, 0), id="46-text"),
    pytest.param(frame(BINARY, b"\xff\xff\xff"), both(4400, 1003), id="46-binary"),
    pytest.param(frame(TEXT, b"{}", masked=False), both(1002, 1002), id="47-unmasked"),
    pytest.param(frame(TEXT, b"{}", flags=FIN | RSV2), both(1002, 1002), id="47-reserved-bit"),
    pytest.param(frame(0x3, b"x"), both(1002, 1002), id="47-no-opcode"),
    pytest.param(frame(PING, b"x" * 126), both(1002, 1002), id="47-ping-of-126-bytes"),
    pytest.param(frame(PING, b"x", flags=0), both(1002, 1002), id="47-ping-in-fragments"),
    pytest.param(frame(CONTINUATION, b"x"), both(1002, 1002), id="47-continuation-of-nothing"),
    pytest.param(frame(PING) * 1_000, both(1008, 1008), id="47-pings-without-end"),
    pytest.param(frame(PONG) * 1_000, both(1008, 1008), id="47-pongs-without-end"),
]


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize(("sent", "codes"), FRAMES)
async def test_a_hostile_frame_ends_it_with_its_code(
    same: House, path: str, sent: bytes, codes: dict[str, int]
) -> None:
    async with greeted(same, path) as socket:
        socket.writer.write(sent)
        if codes[path]:
            assert await socket.close_code() == codes[path]
        else:
            assert json.loads(await socket.message())["type"] == "error"
    async with greeted(same, path):
        pass


# ---------------------------------------------------------------- 1 to 9, 22, 45, 48: messages


def over_live(text: str | bytes) -> bytes:
    return frame(TEXT, text if isinstance(text, bytes) else text.encode())


MESSAGES = [
    pytest.param("", "not_json", id="1-empty"),
    pytest.param("hello", "not_json", id="1-no-json"),
    pytest.param('{"type":"ping"', "not_json", id="1-truncated"),
    pytest.param('{"type":"ping"} {}', "not_json", id="1-two-values"),
    pytest.param("[" * 16_000, "invalid_message", id="2-brackets"),
    pytest.param('{"type":"subscribe","task":' + "[" * 10_000, "invalid_message", id="2-in-a-field"),
    pytest.param('{"type":"resume","last":' + "9" * 5_000 + "}", "invalid_message", id="3-digits"),
    pytest.param('{"type":"resume","last":NaN}', "not_json", id="4-nan"),
    pytest.param('{"type":"resume","last":1e999}', "invalid_message", id="4-1e999"),
    pytest.param('{"type":"subscribe","group":"a","group":"b"}', "duplicate_key", id="5-duplicate"),
    pytest.param('{"type":"subscribe","group":"a","gr\\u006fup":"a"}', "duplicate_key", id="5-escaped"),
    pytest.param('{"type":"subscribe","group":"\\ud800"}', "not_json", id="6-surrogate"),
    pytest.param('{"type":"subscribe","group":"a\\u0000b"}', "invalid_name", id="7-nul"),
    pytest.param('{"type":"subscribe","group":"a\\r\\nb"}', "invalid_name", id="7-crlf"),
    pytest.param('{"type":"subscribe","group":"a\u202eb"}', "invalid_name", id="7-bidi"),
    pytest.param('{"type":"subscribe","group":7}', "invalid_message", id="9-type"),
    pytest.param('{"type":"subscribe","grop":"a"}', "invalid_message", id="9-unknown-field"),
    pytest.param('{"type":"resume"}', "invalid_message", id="9-missing"),
    pytest.param('{"type":"subscribe","task":"xyz"}', "invalid_value", id="22-no-uuid"),
    pytest.param('{"type":"dance"}', "invalid_message", id="45-unknown-type"),
    pytest.param("{}", "invalid_message", id="45-no-type"),
    pytest.param('{"type":"subscribe","topics":["weather"]}', "invalid_message", id="48-unknown-topic"),
]


@pytest.mark.parametrize(("text", "code"), MESSAGES)
async def test_a_wrong_live_message_is_answered_and_the_connection_goes_on(same: House, text: str, code: str) -> None:
    async with greeted(same, LIVE) as socket:
        socket.writer.write(over_live(text))
        error = json.loads(await socket.message())
        assert (error["type"], error["code"]) == ("error", code), error
        assert error["detail"]
        socket.writer.write(over_live('{"type":"ping"}'))
        assert json.loads(await socket.message())["type"] == "pong"


async def test_45_ten_wrong_messages_within_a_minute_end_either(same: House) -> None:
    wrong = {
        LINK: frame(BINARY, Frame(request=7, get=pb.Get(ids=[b"x"])).SerializeToString()),
        LIVE: over_live("{}"),
    }
    for path, sent in wrong.items():
        async with greeted(same, path) as socket:
            socket.writer.write(sent * 12)
            assert await socket.close_code() == 1008, path


async def test_45_a_request_that_nobody_knows_is_answered_over_a_link(same: House) -> None:
    async with greeted(same, LINK) as socket:
        socket.writer.write(frame(BINARY, Frame(request=7).SerializeToString()))
        answer = Frame.FromString(await socket.message())
        assert (answer.request, answer.failure.code) == (7, "unknown_request")


async def test_46_a_version_that_is_not_spoken_ends_a_link_with_those_that_are(same: House) -> None:
    socket = await RawWebSocket.dial(same.port, LINK)
    socket.writer.write(frame(BINARY, Frame(hello=pb.Hello(versions=[9])).SerializeToString()))
    opcode, data = await socket.frame()
    assert (opcode, int.from_bytes(data[:2], "big")) == (8, 4406)
    assert b"version 1" in data
    await socket.cut()


@pytest.mark.parametrize("path", SOCKETS)
async def test_51_who_takes_nothing_does_not_disturb_the_others(same: House, path: str) -> None:
    async with greeted(same, path) as deaf:
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with greeted(same, path):
            pass


# ---------------------------------------------------------------- the event stream


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        pytest.param("?group=a%00b", 422, "invalid_name", id="7-nul"),
        pytest.param("?group=a%0d%0ab", 422, "invalid_name", id="7-crlf"),
        pytest.param("?group=" + "g" * 129, 422, "", id="7-long"),
        pytest.param("?task=xyz", 422, "invalid_value", id="22-no-uuid"),
        pytest.param("?topics=weather", 422, "", id="48-unknown-topic"),
        pytest.param("?colour=red", 422, "unknown_parameter", id="23-unknown"),
        pytest.param("?group=a&group=b", 422, "duplicate_parameter", id="23-twice"),
        pytest.param("?group=%ff", 400, "invalid_unicode", id="14-utf8"),
        pytest.param("?token=x", 400, "token_in_query", id="40-token"),
    ],
)
def test_events_that_cannot_be_meant(same: House, query: str, status: int, code: str) -> None:
    reply = Rest(same.url).get(f"/events{query}")
    assert reply.status == status
    assert code in ("", reply.code)


@pytest.mark.parametrize("place", ["", "x", "9" * 5_000, "-1", "0badcafe-99999999999999999999", "0badcafe-٣", "<img>"])
async def test_23_a_place_that_is_none_begins_with_a_reset(same: House, place: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", same.port)
    said = f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {place}\r\n\r\n"
    writer.write(said.encode())
    async with asyncio.timeout(10):
        assert b" 200 " in await reader.readline()
        if place:
            await reader.readuntil(b"event: reset")
    writer.transport.abort()


# ---------------------------------------------------------------- 37: hostile texts wherever they come from


HOSTILE = "<img src=x onerror=alert(1)>"
ESCAPES = "\x1b[31mred\r\nFAKE 2026 error\u202e\u2028end\x9b"


async def test_37_hostile_texts_are_shown_as_text_on_every_door_and_stay_on_their_line(tmp_path: Path) -> None:
    """A worker, a task, its log and its error say such things; pages, events and the log of the node show them."""
    with house(tmp_path) as home:
        await asyncio.to_thread(home.start_node)
        rest, before = Rest(home.url), len(lines_of(home))
        async with greeted(home, LIVE) as live, greeted(home, LINK) as worker:
            live.writer.write(over_live('{"type":"subscribe"}'))
            events = await asyncio.open_connection("127.0.0.1", home.port)
            events[1].write(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await events[0].readuntil(b"\r\n\r\n")
            facts = pb.WorkerFacts(id=uuid.uuid4().hex, slots=1, name=HOSTILE, host=ESCAPES, application=HOSTILE)
            methods = [pb.Method(name=HOSTILE, docs=[ESCAPES])]
            await say(
                worker, Frame(request=1, register=pb.Register(facts=facts, methods=methods, session_key=b"k" * 16))
            )
            assert (await until(worker, "registered")).request == 1
            made = await asyncio.to_thread(rest.post, "/tasks", {"method": HOSTILE, "labels": {"l": HOSTILE}})
            task = (await until(worker, "assign")).assign.tasks[0]
            lines = [pb.LogLine(at=1, level=20, text=ESCAPES + HOSTILE)]
            await say(worker, Frame(report=pb.Report(entries=[pb.Report.Entry(id=task.id, attempt=1, lines=lines)])))
            error = pb.Error(types=[ESCAPES], message=HOSTILE + ESCAPES, traceback=ESCAPES)
            result = pb.Result(id=task.id, attempt=1, verdict=pb.RAISED, error=error)
            await say(worker, Frame(request=2, finish=pb.Finish(results=[result])))
            await until(worker, "finished")
            task_id = made.json["id"]
            shown = await asyncio.to_thread(rest.get, f"/tasks/{task_id}")
            assert shown.json["method"] == HOSTILE
            assert shown.json["error"]["message"] == HOSTILE + ESCAPES
            logs = await asyncio.to_thread(rest.get, f"/tasks/{task_id}/logs")
            assert logs.json["lines"][0]["text"] == ESCAPES + HOSTILE
            for reply in (shown, logs):
                assert no_controls(reply.body)
                assert reply.headers["content-type"] == "application/json"
            page = await asyncio.to_thread(rest.raw, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = page.partition(b"\r\n\r\n")[2].decode()
            assert "<img" not in text
            assert "&lt;img src=x" in text
            heard = b""
            while b'"failed"' not in heard:
                heard = await live.message()
            assert no_controls(heard)
            streamed = await asyncio.wait_for(events[0].readuntil(b'"failed"'), 10)
            assert not any(line.startswith("FAKE") for line in streamed.decode("utf-8", "replace").splitlines())
            assert b"\x1b" not in streamed
            events[1].transport.abort()
        log = "\n".join(lines_of(home)[before:])
        assert "\x1b" not in log
        assert "\u202e" not in log
        assert not [line for line in lines_of(home) if line.startswith("FAKE")]


def no_controls(body: bytes) -> bool:
    """JSON may hold them escaped only."""
    return not any(byte < 0x20 for byte in body.rstrip(b"\n"))


async def say(socket: RawWebSocket, message: Frame) -> None:
    socket.writer.write(frame(BINARY, message.SerializeToString()))


async def until(socket: RawWebSocket, kind: str) -> Any:
    while True:
        message = Frame.FromString(await socket.message())
        if message.WhichOneof("body") == kind:
            return message


# ---------------------------------------------------------------- 21, 31: other groups, rates


async def test_21_over_a_link_a_task_of_another_group_cannot_be_told_from_none(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        await asyncio.to_thread(home.start_node)
        rest = Rest(home.url)
        made = rest.post("/tokens", {"name": "own", "roles": ["client", "operator"], "groups": ["own"]}).json["token"]
        root = Rest(home.url, (tmp_path / "data" / "admin-token").read_text().strip())
        foreign = root.post("/tasks", {"method": "m", "group": "foreign"}).json["id"]
        said = []
        for task_id in (uuid.UUID(foreign).bytes, uuid.uuid4().bytes):
            socket = await RawWebSocket.dial(home.port, LINK, f"Authorization: Bearer {made}\r\n")
            await say(socket, Frame(hello=pb.Hello(versions=[1], window=8 << 20)))
            await until(socket, "welcome")
            answers = b""
            for number, (kind, body) in enumerate(about(task_id), 1):
                await say(socket, Frame(request=number, **{kind: body}))
                answers += await answer_to(socket, number)
            said.append(answers.replace(task_id, b"ID").replace(str(uuid.UUID(bytes=task_id)).encode(), b"ID"))
            await socket.cut()
        assert said[0] == said[1]
        assert root.get(f"/tasks/{foreign}").json["state"] == "ready"


def about(task_id: bytes) -> list[tuple[str, Any]]:
    return [
        ("get", pb.Get(ids=[task_id], detail=True)),
        ("cancel", pb.Cancel(ids=[task_id])),
        ("retry", pb.Retry(ids=[task_id])),
        ("delete", house_pb2.Delete(ids=[task_id])),
        ("why", house_pb2.Why(id=task_id)),
        ("read_logs", pb.ReadLogs(id=task_id)),
        ("list", pb.List()),
    ]


async def answer_to(socket: RawWebSocket, number: int) -> bytes:
    while True:
        message = Frame.FromString(await socket.message())
        if message.request == number:
            return message.SerializeToString()


async def test_21_events_of_another_group_are_not_streamed(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        await asyncio.to_thread(home.start_node)
        made = Rest(home.url).post("/tokens", {"name": "own", "roles": ["viewer"], "groups": ["own"]}).json["token"]
        root = Rest(home.url, (tmp_path / "data" / "admin-token").read_text().strip())
        for group in ("foreign", ""):
            refused = Rest(home.url, made).get(f"/events?group={group}")
            assert (refused.status, refused.code) == (403, "forbidden")
        foreign = root.post("/tasks", {"method": "m", "group": "foreign"}).json["id"]
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        head = f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {made}\r\n"
        writer.write(f"{head}\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        await asyncio.to_thread(root.post, f"/tasks/{foreign}/cancel")
        own = (await asyncio.to_thread(root.post, "/tasks", {"method": "m", "group": "own"})).json["id"]
        heard = await asyncio.wait_for(reader.readuntil(own.encode()), 10)
        assert foreign.encode() not in heard
        writer.transport.abort()


async def test_31_handshakes_above_the_rate_are_refused_with_the_time_to_come_again(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        await asyncio.to_thread(home.start_node, "--rate-limit", "5")
        for path in (LINK, LIVE):
            answers = []
            for _ in range(30):
                socket = await RawWebSocket.dial(home.port, path, "Authorization: Bearer x\r\n")
                answers.append(socket)
                await socket.cut()
            refused = [each for each in answers if each.status == 429]
            assert len(refused) >= 10
            assert all("retry-after: " in each.answer.lower() for each in refused)
        late = await RawWebSocket.dial(home.port, LINK)
        late.writer.write(frame(BINARY, HELLO))
        assert await late.close_code() == 1008, "who says its token in the Hello is told by a close"
        await late.cut()
        streamed = [await asyncio.to_thread(Rest(home.url).get, "/events?topics=weather") for _ in range(20)]
        assert {reply.code for reply in streamed if reply.status == 429} == {"too_many_requests"}
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in streamed if reply.status == 429)
