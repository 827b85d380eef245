"""The HTTP listener over real sockets: routes, who may ask, hostile requests, and links over WebSockets."""

import asyncio
import base64
import contextlib
import gc
import json
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import websockets.asyncio.client as ws
from doors_kit import Node, StartNode, payload
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rota.access.policy import Policy
from rota.access.tokens import Token, Tokens
from rota.life.clock import SystemClock
from rota.link.codes import Close
from rota.model.errors import RefusesToStart
from rota.transport.gate import Gate, Limits
from rota.transport.http_app import HttpApp
from rota.transport.http_guards import Names, own_names
from rota.transport.http_server import HttpServer, bind
from rota.transport.websocket_protocol import BoundedWebSocket
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

SECRET = "correct-horse-battery-staple-of-the-first-kind"
MAX_FRAME = 4 << 20
UPGRADE = (
    b"GET /api/v1/link HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Door:
    """A node with its listener."""

    def __init__(self, node: Node, server: HttpServer) -> None:
        self.node, self.server = node, server

    async def raw(self, sent: bytes) -> bytes:
        """Everything that comes until the node closes, or has nothing more to say."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            writer.write(sent)
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        said = {"Host": f"127.0.0.1:{self.server.port}", "Connection": "close", **headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items())
        answer = await self.raw(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        return Reply(
            int(status.split()[1]),
            {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)},
            body,
        )

    def link(self, path: str = "/api/v1/link", **options: Any) -> Any:
        uri = f"ws://127.0.0.1:{self.server.port}{path}"
        return ws.connect(uri, compression=None, max_size=None, proxy=None, **options)


StartDoor = Callable[..., Awaitable[Door]]


@pytest.fixture
async def start_door(start_node: StartNode) -> AsyncIterator[StartDoor]:
    doors: list[Door] = []

    async def start(
        policy: Policy | None = None,
        host: str = "127.0.0.1",
        behind_proxy: bool = False,
        names: Names | None = None,
        **tls: Any,
    ) -> Door:
        node = await start_node(policy)
        app = HttpApp(node.lobby, lambda: node.ready, host=host, behind_proxy=behind_proxy, names=names)
        server = HttpServer(app, "127.0.0.1", 0, max_frame=MAX_FRAME, **tls)
        await server.start()
        doors.append(Door(node, server))
        return doors[-1]

    yield start
    for door in doors:
        await door.node.lobby.leave()
        await door.server.stop()


@pytest.fixture
async def door(start_door: StartDoor) -> Door:
    return await start_door()


def a_gate(**limits: Any) -> Gate:
    return Gate(Limits(**limits), SystemClock().monotonic)


def guarded(*roles: str) -> Policy:
    return Policy(open_mode=False, tokens=Tokens([Token.of(SECRET, roles)]))


async def greeted(link: Any, token: str = "") -> pb.Welcome:
    await link.send(Frame(hello=pb.Hello(versions=[1], window=8 << 20, token=token)).SerializeToString())
    return Frame.FromString(await link.recv()).welcome


async def end_of(link: Any) -> tuple[int, str]:
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionClosed):
            async for _ in link:
                pass
        await link.wait_closed()
    return link.close_code, link.close_reason


# --- routes


async def test_livez_and_readyz_tell_how_it_stands(door: Door) -> None:
    assert (await door.get("/livez")).status == 200
    assert (await door.get("/readyz")).json == {"ready": True}
    for reason in ("starting", "draining", "store_away"):
        door.node.ready = reason
        reply = await door.get("/readyz")
        assert (reply.status, reply.json) == (503, {"ready": False, "reason": reason})
        assert (await door.get("/livez")).status == 200


async def test_metrics_are_what_prometheus_reads(door: Door) -> None:
    client = await door.node.client()
    await client.submit(3)
    reply = await door.get("/metrics")
    lines = reply.body.decode().splitlines()
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "rota_tasks_submitted_total 3.0" in lines
    assert "rota_tasks_unended 3.0" in lines
    assert "rota_clients 1.0" in lines
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


async def test_an_unknown_address_is_a_problem_in_json(door: Door) -> None:
    for path in ("/nope", "/api/v1/link/", "//", "/%2e%2e%2fetc/passwd", "/livez%00", "/a\x7fb".replace("\x7f", "%7f")):
        reply = await door.get(path)
        assert reply.status == 404, path
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["code"] == "page_not_found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_what_is_only_read_takes_no_other_method(door: Door, method: str) -> None:
    for path in ("/", "/livez", "/metrics", "/api/v1/link"):
        reply = await door.get(path, method, X_HTTP_Method_Override="GET")
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


async def test_head_answers_without_a_body(door: Door) -> None:
    reply = await door.get("/livez", "HEAD")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "15")


async def test_every_answer_carries_the_safe_headers_and_tells_no_server(door: Door) -> None:
    for path in ("/", "/livez", "/nope"):
        headers = (await door.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


async def test_the_links_address_asks_for_a_websocket(door: Door) -> None:
    reply = await door.get("/api/v1/link")
    assert (reply.status, reply.headers["upgrade"]) == (426, "websocket")


# --- who may ask


async def test_every_route_declares_who_may_ask_and_refuses_others(start_door: StartDoor) -> None:
    door = await start_door(guarded("worker"), host="0.0.0.0")
    app: HttpApp = door.server._app
    asked = {path for path, route in app.routes.items() if route.roles}
    assert asked == {"/", "/metrics"}
    for path in asked:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Digest x"},
            {"Authorization": "Basic !"},
        ):
            reply = await door.get(path, **headers)
            assert (reply.status, reply.json["code"]) == (401, "not_authenticated")
            assert reply.headers["www-authenticate"].startswith("Bearer")
        assert (await door.get(path, Authorization=f"Bearer {SECRET}")).status == 403


async def test_a_viewer_reads_with_a_bearer_token_or_a_password(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"), host="0.0.0.0")
    basic = base64.b64encode(f"any:{SECRET}".encode()).decode()
    assert 'Basic realm="rota"' in (await door.get("/")).headers["www-authenticate"]
    for path in ("/", "/metrics"):
        assert (await door.get(path, Authorization=f"Bearer {SECRET}")).status == 200
        assert (await door.get(path, Authorization=f"Basic {basic}")).status == 200


async def test_two_authorization_headers_are_one_too_many(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"))
    head = f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{f'Authorization: Bearer {SECRET}' + chr(13) + chr(10)}"
    answer = await door.raw((head + f"Authorization: Bearer {SECRET}\r\n\r\n").encode())
    assert answer.startswith(b"HTTP/1.1 401")


async def test_metrics_are_open_on_loopback_and_not_behind_a_proxy(start_door: StartDoor) -> None:
    assert (await (await start_door(guarded("viewer"))).get("/metrics")).status == 200
    assert (await (await start_door(guarded("viewer"), behind_proxy=True)).get("/metrics")).status == 401


async def test_metrics_name_every_group_and_are_not_for_a_token_that_is_bound_to_some(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"), behind_proxy=True)
    door.node.policy._book = book = door.node.books.tokens
    for groups, status in ((None, 200), (["mail"], 403)):
        _, text = await book.create("-".join(groups or ["all"]), ["viewer"], groups, None, "")
        assert (await door.get("/metrics", Authorization=f"Bearer {text}")).status == status


# --- hostile requests


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("169.254.169.254", 421),
        ("[::2]:80", 421),
        ("a/?x=", 400),
        ("", 400),
    ],
)
async def test_on_loopback_a_foreign_host_is_refused(door: Door, host: str, status: int) -> None:
    assert (await door.get("/", Host=host)).status == status
    with pytest.raises(InvalidStatus) as error:
        async with door.link(additional_headers={"Host": host}):
            pass
    assert error.value.response.status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "[::1]:8080"])
async def test_on_loopback_our_own_names_are_fine(door: Door, host: str) -> None:
    assert (await door.get("/livez", Host=host)).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("rota.example.org", 200),
        ("a.wild.example", 200),
        ("10.0.0.7:8080", 200),
        ("b.a.wild.example", 421),
        ("evil.example", 421),
    ],
)
async def test_off_loopback_a_node_is_called_by_its_names_and_addresses(
    start_door: StartDoor, host: str, status: int
) -> None:
    names = own_names("0.0.0.0", ["rota.example.org"], ["*.wild.example"])
    door = await start_door(guarded("viewer"), host="0.0.0.0", names=names)
    assert (await door.get("/livez", Host=host)).status == status


async def test_behind_a_proxy_any_host_may_be_named_until_some_are_said(start_door: StartDoor) -> None:
    door = await start_door(guarded("viewer"), behind_proxy=True)
    assert (await door.get("/livez", Host="rota.example.org")).status == 200
    names = own_names("127.0.0.1", ["rota.example.org"], behind_proxy=True)
    door = await start_door(guarded("viewer"), behind_proxy=True, names=names)
    assert (await door.get("/livez", Host="rota.example.org")).status == 200
    assert (await door.get("/livez", Host="evil.example")).status == 421


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", b"431"),
        (b"\x00\x01\x02 nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", b"400"),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400",
        ),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"400"),
        (b"FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\nHost: localhost\n\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost : localhost\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n X: folded\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (UPGRADE.replace(b"GET", b"POST") + b"\r\n", b"405"),
        (UPGRADE.replace(b"13\r\n", b"12\r\n") + b"\r\n", b"400"),
        (UPGRADE + b"X: " + b"a" * 9_000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 1000, b"405"),
    ],
)
async def test_hostile_requests_are_refused_and_cut(door: Door, sent: bytes, status: bytes) -> None:
    answer = await door.raw(sent)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert (await door.get("/livez")).status == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: loc"])
async def test_a_head_that_never_ends_is_cut(start_door: StartDoor, sent: bytes) -> None:
    door = await start_door(gate=a_gate(handshake_timeout=0.05))
    with contextlib.suppress(ConnectionError):
        assert await door.raw(sent) == b""


@pytest.mark.parametrize("limits", [{"connections": 1}, {"per_address": 1}])
async def test_too_many_connections_are_refused_with_the_limit_and_taken_again_later(
    start_door: StartDoor, limits: dict[str, int]
) -> None:
    door = await start_door(gate=a_gate(**limits))
    async with door.link() as link:
        await greeted(link)
        reply = await door.get("/livez")
        assert (reply.status, reply.json["code"]) == (503, "too_many_connections")
        assert reply.headers["retry-after"] == "1"
        with pytest.raises(InvalidStatus) as error:
            async with door.link():
                pass
        assert error.value.response.status_code == 503
    async with asyncio.timeout(5):
        while (await door.get("/livez")).status != 200:
            await asyncio.sleep(0.01)


async def test_a_body_that_never_ends_is_cut(start_node: StartNode) -> None:
    async def reads_all(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass

    server = HttpServer(reads_all, "127.0.0.1", 0, max_frame=MAX_FRAME, gate=a_gate(idle_timeout=0.1))  # type: ignore
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(), 0.01)
    writer.transport.abort()
    await server.stop()


@pytest.mark.parametrize("ending", ["close", "keep-alive"])
async def test_who_does_not_read_the_answer_is_cut(ending: str) -> None:
    large = b"x" * (16 << 20)

    async def answers(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"%d" % len(large)), (b"connection", ending.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": large})

    gate = a_gate(idle_timeout=0.1)
    server = HttpServer(answers, "127.0.0.1", 0, max_frame=MAX_FRAME, gate=gate)  # type: ignore[arg-type]
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readexactly(12)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        while len(gate):
            await asyncio.sleep(0.01)
    writer.transport.abort()
    await server.stop()


async def test_an_idle_connection_is_closed_and_blank_lines_do_not_keep_it(start_door: StartDoor) -> None:
    door = await start_door(gate=a_gate(idle_timeout=0.1, handshake_timeout=0.1))
    for drip in (b"", b"\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"true}")).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(drip)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(), 0.01)
        writer.transport.abort()


# --- links


async def test_a_link_works_over_a_websocket(door: Door) -> None:
    async with door.link() as link:
        welcome = await greeted(link)
        assert welcome.node_id == "node-1"
        assert link.response.headers.get("sec-websocket-extensions") is None
        await link.send(Frame(request=3, read_stats=pb.ReadStats()).SerializeToString())
        answer = Frame.FromString(await link.recv())
        assert (answer.request, answer.stats.clients) == (3, 1)
    async with asyncio.timeout(5):
        while len(door.node.lobby):
            await asyncio.sleep(0.01)


async def test_text_ends_the_link(door: Door) -> None:
    async with door.link() as link:
        await link.send("hello")
        assert (await end_of(link))[0] == Close.BAD_MESSAGE


async def test_a_message_over_the_limit_ends_the_link(door: Door) -> None:
    async with door.link() as link:
        await greeted(link)
        with contextlib.suppress(ConnectionClosed):
            await link.send(b"x" * (MAX_FRAME + 1))
        assert (await end_of(link))[0] == Close.TOO_BIG


async def test_a_message_in_many_fragments_arrives_whole(door: Door) -> None:
    hello = Frame(hello=pb.Hello(versions=[1], sdk="x" * 50)).SerializeToString()
    async with door.link() as link:
        await link.send([hello[n : n + 1] for n in range(len(hello))])
        assert Frame.FromString(await link.recv()).welcome.version == 1


async def test_a_fault_ends_the_link_with_its_code_and_reason(door: Door) -> None:
    async with door.link() as link:
        await link.send(Frame(hello=pb.Hello(versions=[9])).SerializeToString())
        code, reason = await end_of(link)
        assert code == Close.UNKNOWN_VERSION
        assert "version 1" in reason


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/link", {"Origin": "https://evil.example"}, 403),
        ("/api/v1/link", {"Origin": "null"}, 403),
        ("/api/v1/link", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/api/v1/link?token=" + SECRET, {}, 400),
        ("/api/v1/link?ACCESS_TOKEN=", {}, 400),
        ("/elsewhere", {}, 404),
        ("/api/v1/link", {"Authorization": "Bearer wrong"}, 401),
        ("/api/v1/link", {"Authorization": "Digest x"}, 401),
    ],
)
async def test_handshakes_are_refused_by_http(
    start_door: StartDoor, path: str, headers: dict[str, str], status: int
) -> None:
    door = await start_door(guarded("client"))
    with pytest.raises(InvalidStatus) as error:
        async with door.link(path, additional_headers=headers):
            pass
    response = error.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert SECRET.encode() not in response.body
    assert len(door.node.lobby) == 0


async def test_a_page_of_the_node_itself_may_open_a_link(door: Door) -> None:
    own = f"http://127.0.0.1:{door.server.port}"
    async with door.link(additional_headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}) as link:
        await greeted(link)


async def test_a_token_comes_in_the_header_or_in_the_hello(start_door: StartDoor) -> None:
    door = await start_door(guarded("client"))
    async with door.link(additional_headers={"Authorization": f"Bearer {SECRET}"}) as link:
        assert list((await greeted(link)).roles) == ["client"]
    async with door.link() as link:
        assert list((await greeted(link, SECRET)).roles) == ["client"]
    async with door.link() as link:
        await link.send(Frame(hello=pb.Hello(versions=[1], token="wrong")).SerializeToString())
        assert (await end_of(link))[0] == Close.NOT_AUTHENTICATED


async def test_a_node_that_starts_or_drains_takes_no_links_and_one_without_its_store_does(door: Door) -> None:
    for reason in ("starting", "draining"):
        door.node.ready = reason
        with pytest.raises(InvalidStatus) as error:
            async with door.link():
                pass
        assert error.value.response.status_code == 503
        assert error.value.response.headers["retry-after"] == "1"
    door.node.ready = "store_away"
    async with door.link() as link:
        await greeted(link)


async def test_a_broken_connection_ends_the_session(door: Door) -> None:
    link = await door.link()
    await greeted(link)
    link.transport.abort()
    async with asyncio.timeout(5):
        while len(door.node.lobby):
            await asyncio.sleep(0.01)


async def test_nothing_holds_a_link_that_has_ended(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.transport.websocket.CLOSE_WITHIN", 600.0)
    for _ in range(5):
        async with door.link() as link:
            await greeted(link)
    async with asyncio.timeout(20):
        while gc.collect() or any(type(each) is BoundedWebSocket for each in gc.get_objects()):
            await asyncio.sleep(0.01)


async def test_large_answers_reach_a_peer_that_reads_slowly(door: Door) -> None:
    client = await door.node.client()
    params = payload(1_000_000)
    ids = [(await client.submit(1, wait=False, params=params))[0] for _ in range(8)]
    async with door.link() as link:
        await greeted(link)
        for number, task_id in enumerate(ids, 1):
            await link.send(Frame(request=number, get=pb.Get(ids=[task_id])).SerializeToString())
        got: set[bytes] = set()
        while len(got) < 8:
            frame = Frame.FromString(await asyncio.wait_for(link.recv(), 10))
            got.update(task.id for task in frame.tasks.tasks)
            await link.send(Frame(credit=frame.ByteSize()).SerializeToString())
            await asyncio.sleep(0.01)


async def test_leaving_closes_links_as_going_away(door: Door) -> None:
    async with door.link() as link:
        await greeted(link)
        await door.node.lobby.leave("restart")
        assert await end_of(link) == (Close.GOING_AWAY, "restart")


# --- life


async def test_a_port_in_use_is_told_with_its_address() -> None:
    taken = bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(RefusesToStart, match=f"127.0.0.1:{port}") as error:
        bind("127.0.0.1", port)
    assert error.value.code == "port_in_use"
    taken.close()


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
async def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    with pytest.raises(RefusesToStart) as error:
        bind(host, 0)
    assert error.value.code == "cannot_bind"


async def test_signals_stay_with_the_house(start_door: StartDoor) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    await start_door()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


async def test_stopping_twice_is_fine_and_frees_the_port(start_node: StartNode) -> None:
    node = await start_node()
    server = HttpServer(HttpApp(node.lobby, str, host="127.0.0.1"), "127.0.0.1", 0, max_frame=MAX_FRAME)
    await server.start()
    assert server.url == f"http://127.0.0.1:{server.port}"
    await server.stop()
    await server.stop()
    bind("127.0.0.1", server.port).close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


async def test_links_work_over_tls(start_door: StartDoor, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    door = await start_door(tls_cert=cert, tls_key=key)
    trust = ssl.create_default_context(cafile=str(cert))
    assert door.server.url.startswith("https://")
    async with ws.connect(f"wss://localhost:{door.server.port}/api/v1/link", ssl=trust, proxy=None) as link:
        assert (await greeted(link)).version == 1


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"])
async def test_a_tls_handshake_that_never_ends_is_cut_and_counted_out(
    start_door: StartDoor, certificate: tuple[Path, Path], sent: bytes
) -> None:
    cert, key = certificate
    gate = a_gate(handshake_timeout=0.1)
    door = await start_door(tls_cert=cert, tls_key=key, gate=gate)
    with contextlib.suppress(ConnectionError):
        await door.raw(sent)
    async with asyncio.timeout(5):
        while len(gate):
            await asyncio.sleep(0.01)
    trust = ssl.create_default_context(cafile=str(cert))
    async with ws.connect(f"wss://localhost:{door.server.port}/api/v1/link", ssl=trust, proxy=None) as link:
        await greeted(link)
        assert len(gate) == 1


async def test_bad_tls_files_refuse_the_start(
    start_node: StartNode, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    cert, key = certificate
    app = HttpApp((await start_node()).lobby, str, host="127.0.0.1")
    loose = tmp_path / "loose.pem"
    loose.write_bytes(key.read_bytes())
    loose.chmod(0o644)
    for pair in ((cert, None), (None, key), (cert, cert), (key, key), (cert, tmp_path / "nowhere"), (cert, loose)):
        server = HttpServer(app, "127.0.0.1", 0, max_frame=MAX_FRAME, tls_cert=pair[0], tls_key=pair[1])
        with pytest.raises(RefusesToStart) as error:
            await server.start()
        assert error.value.code == "bad_tls"
