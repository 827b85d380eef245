"""REST: a request is let in, its route found, what it carries read and checked, its handler called, and the answer sent.

Deny by default: who may ask is checked before anything that was sent is looked at. All refusals have one shape.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

import msgspec

from rota.access.grant import Grant
from rota.model.errors import NotFound, RotaError, Unavailable
from rota.telemetry import request_id
from rota.telemetry.requests import RequestCounts
from rota.transport import http_guards
from rota.transport.asgi import FRUITFUL, SAFE, WHOLE, Answer, Receive, Scope, Send, header, problem, problem_of
from rota.transport.hall import NOT_SERVING
from rota.transport.http.address import Methods, Table, parts_of
from rota.transport.http.body import READ, Gone, check_kind, has_body, read_body
from rota.transport.http.hot import HotPath, Rendered, encode
from rota.transport.http.json_gate import Gates
from rota.transport.http.query import read_query
from rota.transport.http.route import MAX_TASK_BODY, PREFIX, Reply, Request, Route, most_of_one
from rota.transport.lobby import Lobby

_SAFE = frozenset(name for name, _ in SAFE)
_PAGE = f"{PREFIX}/docs"
"""Browsers ask their user for the token, as a password."""
_NONE: dict[str, Callable[..., object]] = {}
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_logger = logging.getLogger("rota.transport")


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """What a route takes that takes no body."""


class Api:
    """Everything below PREFIX but the links.

    `guard`: what refuses a request whoever asks, or None; `admit`: what the caller may do, or the error that refuses it.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        lobby: Lobby,
        readiness: Callable[[], str],
        guard: Callable[[Scope], Answer | None],
        admit: Callable[[Scope], Grant],
        counts: RequestCounts,
    ) -> None:
        self._lobby, self._readiness, self._guard, self._admit = lobby, readiness, guard, admit
        self._counts = counts
        self._most_of_one = most_of_one(lobby.engine.settings.max_payload)
        self._table = Table(routes)
        self._gates: dict[tuple[type[msgspec.Struct], ...], Gates] = {}
        self._hot = HotPath(lobby, readiness, guard, admit)

    @property
    def routes(self) -> list[Route]:
        return self._table.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        before = request_id.begin(header(scope, b"x-request-id"))
        seen = _Seen(scope)
        try:
            answer = await self._answer(scope, receive, send, seen)
            if answer is not None:
                await _send(answer, scope, send)
                seen.status = answer.status
        except Gone:
            seen.status = 499
        finally:
            self._counts.count(seen.route, seen.status, None if seen.streamed else time.perf_counter() - began)
            request_id.end(before)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, seen: _Seen) -> Answer | Rendered | None:
        """None: the handler has answered by itself."""
        try:
            if (way := self._hot.way(scope)) is not None:
                seen.route = scope["path"]
                return await way(scope, receive)
            return await self._routed(scope, receive, send, seen)
        except RotaError as error:
            return problem_of(error, prompt=scope["path"] == _PAGE, closes=seen.unread)
        except Gone:
            raise
        except Exception:
            _logger.exception("a request failed inside the node")
            return problem(500, "internal", "the node failed at this; its log says why")

    async def _routed(self, scope: Scope, receive: Receive, send: Send, seen: _Seen) -> Answer | None:
        method: str = scope["method"]
        if (refusal := self._guard(scope)) is not None:
            return refusal
        grant = self._admit(scope)
        found = self._table.find(parts_of(scope))
        if found is None:
            raise NotFound(f"nothing is at {scope['path'][:100]}", code="page_not_found")
        methods, path = found
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            return _allowed(method, methods, closes=seen.unread)
        seen.route = route.path
        verbs = self._lobby.verbs(grant, "http", http_guards.source(scope))
        verbs.check_role(route.roles, f"{route.method} {route.template}")
        self._check_serving()
        request = Request(route, path, scope, receive, send, self._lobby)
        request.id = request_id.current()
        request.verbs = verbs
        if route.query is not None:
            request.query = read_query(scope["query_string"], route.query)
        elif scope["query_string"]:
            read_query(scope["query_string"], _Nothing)
        await self._read_into(request)
        reply = await route.handle(request)
        if reply is None:
            seen.status, seen.streamed = 200, True
            return None
        return _written(reply)

    def _check_serving(self) -> None:
        reason = self._readiness()
        if reason in NOT_SERVING:
            raise Unavailable(f"this node is {reason}; come again, or go to another", code=reason)

    async def _read_into(self, request: Request) -> None:
        """Nothing is read of a body that nobody wants: the server throws it away."""
        route = request.route
        if route.method not in _UNSAFE:
            return
        shapes = route.body if isinstance(route.body, tuple) else (route.body or _Nothing,)
        if not has_body(request.scope) and (route.body is None or not route.body_needed):
            request.body = shapes[0]()
            return
        check_kind(request.scope)
        most = route.max_body if route.max_body != MAX_TASK_BODY else self._most_of_one
        body = await read_body(request.scope, request.receive, most)
        gates = self._gates.get(shapes)
        if gates is None:
            gates = self._gates[shapes] = Gates(shapes)
        request.body = await gates.take(body)


async def _send(answer: Answer | Rendered, scope: Scope, send: Send) -> None:
    """In one write where the server can."""
    extensions = scope.get("extensions", _NONE)
    if answer.status < 400:
        extensions.get(FRUITFUL, _nothing)()
    whole = extensions.get(WHOLE)
    if isinstance(answer, Rendered):
        if whole is not None and whole(answer.status, answer.lines, answer.body, False):
            return
        answer = answer.answer()
    else:
        answer.headers.append((b"x-request-id", request_id.current().encode()))
        if whole is not None and scope["method"] != "HEAD":
            closes = (b"connection", b"close") in answer.headers
            lines = b"".join([b"%b: %b\r\n" % pair for pair in answer.headers if pair[0] != b"connection"])
            if whole(answer.status, lines, answer.body, closes):
                return
    await answer.send(scope, send)


class _Seen:
    """What is known of a request so far."""

    __slots__ = ("route", "scope", "status", "streamed")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.route = ""
        self.status = 500
        self.streamed = False

    @property
    def unread(self) -> bool:
        """It has a body, of which not all has come: what comes on must not be taken for another request."""
        return has_body(self.scope) and not self.scope.get(READ, False)


def _written(reply: Reply) -> Answer:
    value = reply.value
    body = value if isinstance(value, bytes) else b"" if value is None else encode(value)
    answer = Answer(reply.status, body, reply.media_type, reply.headers, reply.safe)
    return _without_body(answer) if reply.status == 204 else answer


def _allowed(method: str, methods: Methods, *, closes: bool) -> Answer:
    said = sorted({*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())})
    allow = [(b"allow", ", ".join(said).encode())]
    if method == "OPTIONS":
        return _without_body(Answer(204, b"", "", allow))
    return problem(405, "method_not_allowed", f"this address takes {', '.join(said)}", allow, closes=closes)


def _without_body(answer: Answer) -> Answer:
    """A 204 says nothing of a body, since it has none."""
    answer.headers = [
        (name, value) for name, value in answer.headers if not name.startswith(b"content-") or name in _SAFE
    ]
    return answer


def _nothing() -> None:
    """A server of another kind does not count connections."""
