"""Every route of every door, asked without a token, with each role, and about what is in another group.

The matrix is made from the doors' own tables: what is added there is in it, and what has no sample here fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from processes import house
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rota.access.made_token import make_token
from rota.access.roles import ALL_ROLES, Role
from rota.link.node_end import FREE, FROM_NODE
from rota.transport.grpc_health import Health
from rota.transport.grpc_methods import _ASKED as ASKED
from rota.transport.grpc_methods import Link, One, methods
from rota.transport.http.routes import ROUTES
from rota.transport.permits import PERMITS
from rota.wire.v1 import house_pb2
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

RPCS = methods(Health(lambda: "", frozenset()), None)
READERS = frozenset({Role.VIEWER, Role.CLIENT, Role.OPERATOR, Role.ADMIN})
FRAMES = sorted(PERMITS.keys() - FROM_NODE - FREE)
BODIES: dict[str, Any] = {
    "POST /tasks": {"method": "add"},
    "POST /execute": {"method": "add"},
    "POST /tasks/cancel": {"filter": {"method": "nobody"}},
    "POST /tasks/retry": {"filter": {"method": "nobody"}},
    "POST /tasks/delete": {"filter": {"method": "nobody"}},
    "PATCH /node/limits": {"concurrency": None},
    "PATCH /groups/{name}/limits": {"concurrency": None},
    "PATCH /methods/{name}/limits": {"concurrency": None},
    "POST /tokens": {"name": "made", "roles": ["viewer"]},
}
NOBODY = {"id": str(uuid.uuid4()), "name": "nobody", "kid": "nobody"}


@dataclass
class Stand:
    """A node in another process, with a token of each role, and what it needs to be asked."""

    port: int
    grpc_address: str
    tokens: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, token: str | None = None, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """The status and, of an answer that is not a stream, the JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = dict(headers)
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None or method in ("POST", "PATCH"):
            sent["Content-Type"] = "application/json"
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            if "json" not in (answer.getheader("content-type") or ""):
                return answer.status, {}
            return answer.status, json.loads(answer.read() or b"null") or {}


def path_of(template: str, names: dict[str, str]) -> str:
    return "/api/v1" + re.sub(r"{(\w+)}", lambda found: names[found[1]], template)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder: Path = tmp_path_factory.mktemp("roles")
    tokens = {role: make_token(role, [role], now=0)[1] for role in sorted(ALL_ROLES)}
    file = folder / "tokens"
    file.touch(0o600)
    file.write_text("\n".join(f"{role} {token}" for role, token in tokens.items()))
    with house(folder) as made:
        ready = json.loads(made.start_node("--grpc", "on", "--token-file", str(file)).line())
        yield Stand(made.port, ready["grpc_address"], tokens)


# --- HTTP


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_row_19_and_20_every_endpoint_asks_for_a_token_and_for_the_right_role(stand: Stand, route: Any) -> None:
    body = BODIES.get(f"{route.method} {route.template}")
    assert body is not None or route.body is None or not route.body_needed, "a body for the matrix"
    path = path_of(route.template, NOBODY)
    status, told = stand.ask(route.method, path, body=body)
    assert (status, told["code"]) == (401, "not_authenticated")
    for role, token in stand.tokens.items():
        status, told = stand.ask(route.method, path, token, body)
        if role in route.roles:
            assert status not in (401, 403), (role, told)
        else:
            assert (status, told["code"]) == (403, "forbidden"), role
            assert all(needed in told["detail"] for needed in route.roles), "it names the roles that would do"


def test_row_19_what_is_no_valid_token_is_refused_in_the_same_words(stand: Stand) -> None:
    good = stand.tokens["admin"]
    said = []
    for header in ("", "Bearer", "Bearer ", f"Bearer {good}x", f"bearer {good[:-1]}", f"Token {good}", good, "Basic !"):
        status, told = stand.ask("GET", "/api/v1/tasks", Authorization=header)
        assert status == 401, header
        said.append({key: value for key, value in told.items() if key != "request_id"})
    status, told = stand.ask("GET", "/api/v1/tasks")
    said.append({key: value for key, value in told.items() if key != "request_id"})
    assert all(each == said[0] for each in said)


def test_A19_health_is_open_and_bare_and_the_page_is_not(stand: Stand) -> None:
    assert stand.ask("GET", "/livez") == (200, {"alive": True})
    assert stand.ask("GET", "/readyz") == (200, {"ready": True})
    assert stand.ask("GET", "/")[0] == 401
    assert stand.ask("GET", "/", stand.tokens["worker"])[0] == 403
    assert stand.ask("GET", "/", stand.tokens["viewer"])[0] == 200


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/nothing", "/api/v1/tasks/", "/api/v2/tasks", "/API/v1/tasks"])
def test_A3_what_is_not_in_the_table_nobody_is_answered(stand: Stand, path: str) -> None:
    assert stand.ask("GET", path)[0] in (401, 404)
    assert stand.ask("GET", path, stand.tokens["worker"])[0] in (403, 404)


@pytest.mark.parametrize("name", ["token", "access_token", "Authorization", "api_key"])
@pytest.mark.parametrize("path", ["/api/v1/tasks", "/", "/livez", "/api/v1/link", "/api/v1/nothing"])
def test_row_40_a_token_in_an_address_is_refused_everywhere(stand: Stand, path: str, name: str) -> None:
    status, told = stand.ask("GET", f"{path}?{name}={stand.tokens['admin']}")
    assert (status, told["code"]) == (400, "token_in_query")
    assert stand.tokens["admin"] not in json.dumps(told)


CHANGES = [route for route in ROUTES if route.method != "GET"]


@pytest.mark.parametrize("route", CHANGES, ids=lambda route: f"{route.method} {route.template}")
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[::1"},
    ],
    ids=str,
)
def test_row_36_no_page_of_another_site_changes_anything(stand: Stand, route: Any, headers: dict[str, str]) -> None:
    body = BODIES.get(f"{route.method} {route.template}")
    path = path_of(route.template, NOBODY)
    status, told = stand.ask(route.method, path, stand.tokens["admin"], body, **headers)
    assert (status, told["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_row_12_what_a_form_can_send_is_not_taken(stand: Stand, kind: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=10)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {stand.tokens['client']}", "Content-Type": kind}
        connection.request("POST", "/api/v1/tasks", b'{"method":"add"}', headers)
        assert connection.getresponse().status == 415


def test_A7_no_other_site_may_read_an_answer(stand: Stand) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=10)
    with contextlib.closing(connection):
        for method in ("GET", "OPTIONS"):
            connection.request(
                method,
                "/api/v1/tasks",
                headers={
                    "Authorization": f"Bearer {stand.tokens['viewer']}",
                    "Origin": "https://evil.example",
                    "Access-Control-Request-Method": "POST",
                },
            )
            answer = connection.getresponse()
            answer.read()
            said = {name.lower() for name, _ in answer.getheaders()}
            assert not any(name.startswith("access-control") for name in said)
            assert {"x-content-type-options", "referrer-policy", "content-security-policy"} <= said


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "a/?x=", "169.254.169.254", "127.0.0.1@evil"]
)
@pytest.mark.parametrize("path", ["/", "/livez", "/metrics", "/api/v1/tasks", "/api/v1/openapi.json"])
def test_row_15_a_foreign_host_is_refused_everywhere(stand: Stand, path: str, host: str) -> None:
    assert stand.ask("GET", path, stand.tokens["admin"], Host=host)[0] in (400, 421)


@pytest.mark.parametrize("method", ["TRACE", "PUT", "CONNECT", "PROPFIND"])
def test_row_18_methods_that_nobody_serves_are_not_taken(stand: Stand, method: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=10)
    with contextlib.closing(connection):
        path = "/api/v1/tasks"
        connection.request(method, path, headers={"Authorization": f"Bearer {stand.tokens['admin']}"})
        answer = connection.getresponse()
        assert answer.status in (400, 404, 405, 501)
        if answer.status == 405:
            assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


def test_row_18_a_method_is_not_overridden_by_a_header(stand: Stand) -> None:
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        path = f"/api/v1/tasks/{NOBODY['id']}"
        assert stand.ask("GET", path, stand.tokens["viewer"], **{name: "DELETE"})[1]["code"] == "task_not_found"


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: +3\r\n\r\nabc",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "X: a\nContent-Length: 3\r\n\r\nabc",
        "X : a\r\n\r\n",
    ],
)
def test_row_16_what_two_parsers_would_read_differently_is_refused(stand: Stand, head: str) -> None:
    with socket.create_connection(("127.0.0.1", stand.port), 5) as plain:
        plain.sendall(f"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n{head}".encode())
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = b""
        with contextlib.suppress(OSError):
            while chunk := plain.recv(65_536):
                said += chunk
    assert said.startswith(b"HTTP/1.1 400"), said
    assert said.count(b"HTTP/1.1") == 1, "what follows is not answered"


# --- gRPC


@pytest.fixture
async def channel(stand: Stand) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(stand.grpc_address) as made:
        yield made


async def outcome(channel: grpc.aio.Channel, path: str, token: str | None) -> tuple[grpc.StatusCode | None, str]:
    """How a call with an empty message ends; None for one that goes on."""
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    message = Frame(hello=pb.Hello(versions=[1])).SerializeToString() if isinstance(RPCS[path], Link) else b""
    call = channel.unary_stream(path)(message, metadata=metadata)
    try:
        async with asyncio.timeout(5):
            data = await call.read()
            if data is not grpc.aio.EOF and not isinstance(RPCS[path], One):
                return None, ""
            return await call.code(), await call.details()
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    finally:
        call.cancel()


@pytest.mark.parametrize("path", RPCS)
async def test_row_54_every_call_asks_for_a_token_and_for_the_right_role(
    stand: Stand, channel: grpc.aio.Channel, path: str
) -> None:
    roles = RPCS[path].roles
    code, _ = await outcome(channel, path, None)
    assert (code is grpc.StatusCode.UNAUTHENTICATED) == bool(roles)
    for role, token in stand.tokens.items():
        code, details = await outcome(channel, path, token)
        if not roles or role in roles:
            assert code not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED), (role, details)
        else:
            assert code is grpc.StatusCode.PERMISSION_DENIED, role
            assert all(needed in details for needed in roles)


# --- the link, and the live events


def link(stand: Stand, path: str = "/api/v1/link", token: str | None = None, **headers: str) -> connect:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return connect(f"ws://127.0.0.1:{stand.port}{path}", additional_headers=headers, compression=None)


async def until_closed(spoken: ClientConnection) -> list[str | bytes]:
    """What still came."""
    said: list[str | bytes] = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            said.append(await spoken.recv())
    return said


async def answer_to(stand: Stand, kind: str, token: str) -> str:
    """The code with which a frame without content is refused; empty where it is not, or the link ends for another reason."""
    async with link(stand) as spoken, asyncio.timeout(5):
        await spoken.send(Frame(hello=pb.Hello(versions=[1], window=1 << 20, token=token)).SerializeToString())
        frame = Frame(request=5)
        getattr(frame, kind).SetInParent()
        await spoken.send(frame.SerializeToString())
        with contextlib.suppress(ConnectionClosed):
            while (said := Frame.FromString(bytes(await spoken.recv(decode=False)))).request != 5:
                pass
            return said.failure.code
    return "" if spoken.close_code == 4400 else f"closed with {spoken.close_code}"


@pytest.mark.parametrize("kind", FRAMES)
async def test_A8_every_frame_asks_for_the_right_role(stand: Stand, kind: str) -> None:
    for role, token in stand.tokens.items():
        assert (await answer_to(stand, kind, token) == "forbidden") == (role not in PERMITS[kind]), role


@pytest.mark.parametrize("token", ["", "wrong-token-of-thirty-two-characters"])
async def test_row_41_nothing_is_asked_over_a_link_before_its_token(stand: Stand, token: str) -> None:
    async with link(stand) as spoken, asyncio.timeout(5):
        await spoken.send(Frame(hello=pb.Hello(versions=[1], token=token)).SerializeToString())
        with pytest.raises(ConnectionClosed) as error:
            await spoken.recv()
    assert error.value.rcvd is not None
    assert error.value.rcvd.code == 4401
    async with link(stand) as spoken, asyncio.timeout(5):
        await spoken.send(Frame(request=1, read_stats=pb.ReadStats()).SerializeToString())
        with pytest.raises(ConnectionClosed) as error:
            await spoken.recv()
    assert error.value.rcvd is not None
    assert error.value.rcvd.code == 4400


@pytest.mark.parametrize("path", ["/api/v1/link", "/api/v1/live"])
async def test_row_39_and_40_handshakes_of_foreign_pages_and_with_tokens_in_the_address_are_refused(
    stand: Stand, path: str
) -> None:
    token = stand.tokens["viewer"]
    for status, where, headers in (
        (403, path, {"Origin": "https://evil.example"}),
        (403, path, {"Origin": "null"}),
        (403, path, {"Sec-Fetch-Site": "cross-site"}),
        (403, path, {"Sec-Fetch-Site": "same-site"}),
        (400, path, {"Host": "evil.example"}),  # a second one
        (400, f"{path}?token={token}", {}),
        (401, path, {"Authorization": "Bearer wrong"}),
    ):
        with pytest.raises(InvalidStatus) as error:
            async with link(stand, where, **{"Authorization": f"Bearer {token}", **headers}):
                pass
        assert error.value.response.status_code == status, headers


async def test_A8_live_events_are_for_those_who_may_read(stand: Stand) -> None:
    for role, token in stand.tokens.items():
        if role in READERS:
            async with link(stand, "/api/v1/live", token) as spoken, asyncio.timeout(5):
                assert json.loads(await spoken.recv())["type"] == "welcome"
        else:
            with pytest.raises(InvalidStatus) as error:
                async with link(stand, "/api/v1/live", token):
                    pass
            assert error.value.response.status_code == 403
    async with link(stand, "/api/v1/live") as spoken, asyncio.timeout(10):
        await spoken.send(json.dumps({"type": "subscribe"}))
        said = await until_closed(spoken)
        assert not any(json.loads(each)["type"] == "welcome" for each in said)


# --- row 21: what is in another group


@dataclass
class Bound:
    """Tokens that are bound to the group `own`, and objects within and without."""

    stand: Stand
    tokens: dict[str, str]
    own: dict[str, str]
    foreign: dict[str, str]


@pytest.fixture(scope="module")
def bound(stand: Stand) -> Bound:
    root = stand.tokens["admin"]

    def made(path: str, body: Any) -> dict[str, Any]:
        status, told = stand.ask("POST", path, root, body)
        assert status in (200, 201, 202), told
        return told

    tokens = {
        role: made("/api/v1/tokens", {"name": f"own-{role}", "roles": [role], "groups": ["own"]})["token"]
        for role in sorted(ALL_ROLES)
    }
    places = {}
    for group in ("own", "foreign"):
        task = made("/api/v1/tasks", {"method": "add", "group": group, "batch": f"batch-{group}"})
        token = made("/api/v1/tokens", {"name": f"in-{group}", "roles": ["viewer"], "groups": [group]})
        places[group] = {"id": task["id"], "name": group, "kid": token["kid"], "batch": f"batch-{group}"}
    return Bound(stand, tokens, places["own"], places["foreign"])


def objects_of(route: Any, names: dict[str, str]) -> dict[str, str]:
    return {**names, "name": names["batch"]} if route.template.startswith("/batches") else names


ON_OBJECTS = [
    route
    for route in ROUTES
    if "{" in route.template and not route.template.startswith(("/methods", "/workers", "/groups"))
]


@pytest.mark.parametrize("route", ON_OBJECTS, ids=lambda route: f"{route.method} {route.template}")
def test_row_21_what_is_in_another_group_cannot_be_told_from_what_is_not_there(bound: Bound, route: Any) -> None:
    body = BODIES.get(f"{route.method} {route.template}")
    nobody = {**NOBODY, "batch": "nobody"}
    for role in sorted(route.roles):
        said = []
        for names in (bound.foreign, nobody):
            status, told = bound.stand.ask(
                route.method, path_of(route.template, objects_of(route, names)), bound.tokens[role], body
            )
            detail = told["detail"]
            for name in objects_of(route, names).values():
                detail = detail.replace(name, "…")
            said.append((status, told["code"], detail))
        assert said[0][0] == 404
        assert said[0] == said[1], role
    if route.method == "GET":
        path = path_of(route.template, objects_of(route, bound.own))
        assert bound.stand.ask("GET", f"{path}?timeout=0" if path.endswith("/wait") else path, bound.tokens["viewer"])[
            0
        ] in (200, 202)


def test_row_21_lists_hold_what_is_in_the_tokens_groups(bound: Bound) -> None:
    ask = bound.stand.ask
    _, tasks = ask("GET", "/api/v1/tasks", bound.tokens["viewer"])
    assert {task["id"] for task in tasks["tasks"]} == {bound.own["id"]}
    _, groups = ask("GET", "/api/v1/groups", bound.tokens["viewer"])
    assert [group["name"] for group in groups["groups"]] == ["own"]
    assert ask("GET", "/api/v1/groups/foreign", bound.tokens["viewer"])[0] == 404
    _, tokens = ask("GET", "/api/v1/tokens", bound.tokens["admin"])
    assert {tuple(token["groups"] or ()) for token in tokens["tokens"]} == {("own",)}
    assert ask("GET", "/api/v1/audit", bound.tokens["admin"])[0] == 403
    assert ask("GET", "/api/v1/workers", bound.tokens["viewer"])[1]["workers"] == []


def test_row_21_what_is_written_outside_the_groups_is_forbidden(bound: Bound) -> None:
    ask = bound.stand.ask
    for method, path, role, body in (
        ("POST", "/api/v1/tasks", "client", {"method": "add", "group": "foreign"}),
        ("POST", "/api/v1/groups/foreign/pause", "operator", {}),
        ("POST", "/api/v1/groups/foreign/resume", "operator", None),
        ("PATCH", "/api/v1/groups/foreign/limits", "operator", {"concurrency": 1}),
        ("POST", "/api/v1/methods/add/pause", "operator", {}),
        ("POST", "/api/v1/node/pause", "operator", {}),
        ("POST", "/api/v1/tokens", "admin", {"name": "wide", "roles": ["admin"]}),
    ):
        status, told = ask(method, path, bound.tokens[role], body)
        assert (status, told["code"]) == (403, "forbidden"), path
    assert ask("POST", "/api/v1/groups/own/pause", bound.tokens["operator"], {})[0] == 200
    assert ask("POST", "/api/v1/groups/own/resume", bound.tokens["operator"])[0] == 200


async def test_row_21_and_48_events_of_another_group_are_not_told(bound: Bound) -> None:
    async with link(bound.stand, "/api/v1/live", bound.tokens["viewer"]) as spoken, asyncio.timeout(10):
        assert json.loads(await spoken.recv())["type"] == "welcome"
        await spoken.send(json.dumps({"type": "subscribe", "topics": ["task"]}))
        heard = ""
        for group in ("foreign", "own"):
            told = await asyncio.to_thread(
                bound.stand.ask,
                "POST",
                "/api/v1/tasks",
                bound.stand.tokens["admin"],
                {"method": "add", "group": group},
            )
            last = told[1]["id"]
        while last not in heard:
            heard += str(await spoken.recv())
        assert "foreign" not in heard


@pytest.mark.parametrize(
    ("groups", "code"),
    [([], "forbidden"), (["foreign"], "forbidden"), (["own", "foreign"], "forbidden"), (["own"], "")],
)
async def test_row_62_a_worker_registers_for_groups_within_its_token(
    bound: Bound, groups: list[str], code: str
) -> None:
    async with link(bound.stand) as spoken, asyncio.timeout(5):
        hello = pb.Hello(versions=[1], window=1 << 20, token=bound.tokens["worker"])
        await spoken.send(Frame(hello=hello).SerializeToString())
        facts = pb.WorkerFacts(id=uuid.uuid4().hex, slots=1, groups=groups)
        register = pb.Register(facts=facts, methods=[pb.Method(name="add")], session_key=b"k" * 16)
        await spoken.send(Frame(request=5, register=register).SerializeToString())
        while (said := Frame.FromString(bytes(await spoken.recv(decode=False)))).request != 5:
            pass
        assert said.failure.code == code


async def test_row_62_a_worker_with_groups_is_given_no_task_without_one(bound: Bound) -> None:
    """A task without a group is everybody's, but for a worker whose token is bound."""
    ask, root = bound.stand.ask, bound.stand.tokens["admin"]
    loose = ask("POST", "/api/v1/tasks", root, {"method": "only-here"})[1]["id"]
    own = ask("POST", "/api/v1/tasks", root, {"method": "only-here", "group": "own"})[1]["id"]
    async with link(bound.stand) as spoken, asyncio.timeout(10):
        hello = pb.Hello(versions=[1], window=1 << 20, token=bound.tokens["worker"])
        await spoken.send(Frame(hello=hello).SerializeToString())
        facts = pb.WorkerFacts(id=uuid.uuid4().hex, slots=10, groups=["own"])
        register = pb.Register(facts=facts, methods=[pb.Method(name="only-here")], session_key=b"k" * 16)
        await spoken.send(Frame(request=5, register=register).SerializeToString())
        given: list[str] = []
        while not given:
            frame = Frame.FromString(bytes(await spoken.recv(decode=False)))
            given += [str(uuid.UUID(bytes=task.id)) for task in frame.assign.tasks]
        assert given == [own]
        assert ask("GET", f"/api/v1/tasks/{loose}", root)[1]["state"] == "ready"


def about_a_task(path: str, task_id: bytes) -> Message | None:
    """A message that asks about one task; None where the call takes none."""
    message = RPCS[path].takes()
    fields = {field.name for field in message.DESCRIPTOR.fields}
    if "ids" in fields:
        message.ids.append(task_id)
    elif "id" in fields and path != "/rota.v1.Tasks/Execute":
        message.id = task_id
    else:
        return None
    return message


ON_IDS = [path for path, rpc in RPCS.items() if not isinstance(rpc, Link) and about_a_task(path, b"x" * 16) is not None]


@pytest.mark.parametrize("path", ON_IDS)
async def test_row_21_over_grpc_a_task_of_another_group_cannot_be_told_from_none(
    bound: Bound, channel: grpc.aio.Channel, path: str
) -> None:
    said = []
    for task_id in (uuid.UUID(bound.foreign["id"]).bytes, uuid.uuid4().bytes):
        message = about_a_task(path, task_id)
        assert message is not None
        metadata = [("authorization", f"Bearer {bound.tokens['operator']}")]
        call = channel.unary_stream(path)(message.SerializeToString(), metadata=metadata, timeout=5)
        data = b""
        with contextlib.suppress(grpc.aio.AioRpcError):
            while (part := await call.read()) is not grpc.aio.EOF:
                data += part
        text = str(uuid.UUID(bytes=task_id))
        hidden = data.replace(task_id, b"ID").replace(text.encode(), b"ID")
        said.append((await call.code(), (await call.details() or "").replace(text, "ID"), hidden))
    assert said[0] == said[1]
    assert bound.stand.ask("GET", f"/api/v1/tasks/{bound.foreign['id']}", bound.stand.tokens["admin"])[0] == 200


# --- row 43, and the audit log over every door


async def test_row_43_whatever_a_token_has_opened_ends_within_five_seconds_of_its_end(stand: Stand) -> None:
    ask, root = stand.ask, stand.tokens["admin"]
    made = ask("POST", "/api/v1/tokens", root, {"name": "leaves", "roles": ["client", "worker"]})[1]
    task = ask("POST", "/api/v1/tasks", root, {"method": "nobody-runs"})[1]["id"]
    token = made["token"]
    metadata = [("authorization", f"Bearer {token}")]
    async with (
        link(stand, token=token) as first,
        link(stand, "/api/v1/live", token) as live,
        grpc.aio.insecure_channel(stand.grpc_address) as channel,
    ):
        await first.send(Frame(hello=pb.Hello(versions=[1])).SerializeToString())
        await first.recv()
        await live.recv()
        over_grpc = channel.stream_stream("/rota.v1.Workers/Link")(metadata=metadata)
        await over_grpc.write(Frame(hello=pb.Hello(versions=[1])).SerializeToString())
        await over_grpc.read()
        wait = channel.unary_stream("/rota.v1.Tasks/Wait", request_serializer=lambda m: m.SerializeToString())(
            pb.Wait(ids=[uuid.UUID(task).bytes]), metadata=metadata
        )
        reading = asyncio.create_task(wait.read())
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
        writer.write(
            f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        assert b"200" in await reader.readline()
        await asyncio.sleep(0.5)
        assert not reading.done()
        status, _ = await asyncio.to_thread(ask, "DELETE", f"/api/v1/tokens/{made['kid']}", root)
        assert status == 200
        async with asyncio.timeout(5):
            for spoken in (first, live):
                await until_closed(spoken)
                assert spoken.close_code == 4401
            assert await over_grpc.code() is grpc.StatusCode.UNAUTHENTICATED
            assert await wait.code() is grpc.StatusCode.UNAUTHENTICATED
            await reader.read()
            with contextlib.suppress(grpc.aio.AioRpcError):
                await reading
        writer.close()
    assert ask("GET", "/api/v1/tasks", token)[0] == 401


def newest(stand: Stand) -> int:
    lines = stand.ask("GET", "/api/v1/audit?limit=1", stand.tokens["admin"])[1]["lines"]
    return lines[0]["number"] if lines else 0


NOT_AUDITED = {"POST /tasks", "POST /execute"}


@pytest.mark.parametrize("route", CHANGES, ids=lambda route: f"{route.method} {route.template}")
@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_A14_each_changing_endpoint_writes_one_line_also_where_it_is_refused(
    stand: Stand, route: Any, role: str
) -> None:
    name = f"{route.method} {route.template}"
    body = {"name": uuid.uuid4().hex, "roles": ["viewer"]} if name == "POST /tokens" else BODIES.get(name)
    before = newest(stand)
    status, _ = stand.ask(route.method, path_of(route.template, NOBODY), stand.tokens[role], body)
    lines = [
        line
        for line in stand.ask("GET", "/api/v1/audit?limit=10", stand.tokens["admin"])[1]["lines"]
        if line["number"] > before
    ]
    if name in NOT_AUDITED and role == "admin":
        assert lines == []
        return
    assert len(lines) == 1, (status, lines)
    (line,) = lines
    assert (line["who"], line["door"], line["source"]) == (f"{role} token", "http", "127.0.0.1")
    assert line["request_id"]
    assert (line["outcome"] == "ok") == (status < 400)


# What changes something: neither open to viewers, nor a read of admins, nor a worker's own, nor a submit.
CHANGING_FRAMES = [
    kind
    for kind in FRAMES
    if not PERMITS[kind] & {Role.VIEWER, Role.WORKER} and kind not in ("submit", "list_tokens", "read_audit")
]
MESSAGES: dict[str, tuple[Message, str]] = {
    "cancel": (pb.Cancel(ids=[b"x" * 16]), "task.cancel"),
    "retry": (pb.Retry(ids=[b"x" * 16]), "task.retry"),
    "delete": (house_pb2.Delete(ids=[b"x" * 16] * 3), "task.delete"),
    "bulk": (house_pb2.Bulk(action="cancel", filter={"method": "nobody"}), "task.bulk_cancel"),
    "set_control": (house_pb2.SetControl(scope="group", name="nobody", paused=False), "group.resume"),
    "worker_command": (house_pb2.WorkerCommand(worker="nobody", command="drain"), "worker.drain"),
    "create_token": (house_pb2.CreateToken(name="over-the-wire", roles=["viewer"]), "token.create"),
    "rotate_token": (house_pb2.RotateToken(kid="nobody"), "token.rotate"),
    "revoke_token": (house_pb2.RevokeToken(kid="nobody"), "token.revoke"),
}
CHANGING_CALLS = {path: kind for path, (_, kind, _) in ASKED.items() if kind in CHANGING_FRAMES}


def since(stand: Stand, number: int) -> list[dict[str, Any]]:
    lines = stand.ask("GET", "/api/v1/audit?limit=10", stand.tokens["admin"])[1]["lines"]
    return [line for line in lines if line["number"] > number]


@pytest.mark.parametrize("path", CHANGING_CALLS)
@pytest.mark.parametrize("role", ["admin", "viewer"])
async def test_A14_each_changing_call_writes_one_line_also_where_it_is_refused(
    stand: Stand, channel: grpc.aio.Channel, path: str, role: str
) -> None:
    message, action = MESSAGES[CHANGING_CALLS[path]]
    before = newest(stand)
    call = channel.unary_unary(path)(
        message.SerializeToString(), metadata=[("authorization", f"Bearer {stand.tokens[role]}")], timeout=5
    )
    code = await call.code()
    (line,) = since(stand, before)
    assert (line["who"], line["door"], line["source"]) == (f"{role} token", "grpc", "127.0.0.1")
    assert line["action"] == (action if role == "admin" else path)
    assert (code is grpc.StatusCode.PERMISSION_DENIED) == (line["outcome"] == "forbidden") == (role == "viewer")


@pytest.mark.parametrize("kind", CHANGING_FRAMES)
@pytest.mark.parametrize("role", ["admin", "viewer"])
async def test_A14_each_changing_frame_writes_one_line_also_where_it_is_refused(
    stand: Stand, kind: str, role: str
) -> None:
    message, action = MESSAGES[kind]
    before = newest(stand)
    async with link(stand) as spoken, asyncio.timeout(5):
        hello = pb.Hello(versions=[1], window=1 << 20, token=stand.tokens[role])
        await spoken.send(Frame(hello=hello).SerializeToString())
        frame = Frame(request=5)
        getattr(frame, kind).CopyFrom(message)
        await spoken.send(frame.SerializeToString())
        while Frame.FromString(bytes(await spoken.recv(decode=False))).request != 5:
            pass
    (line,) = since(stand, before)
    assert (line["who"], line["door"]) == (f"{role} token", "link")
    assert line["action"] == (action if role == "admin" else kind)
    assert (line["outcome"] == "forbidden") == (role == "viewer")


@pytest.mark.parametrize("kind", ["list_tokens", "read_audit", "list_groups", "read_stats"])
async def test_A14_a_look_writes_no_line(stand: Stand, kind: str) -> None:
    before = newest(stand)
    assert await answer_to(stand, kind, stand.tokens["admin"]) == ""
    assert since(stand, before) == []
