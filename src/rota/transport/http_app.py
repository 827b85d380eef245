"""The HTTP door: the link, health, metrics, and a page to look at. Every route says in one table who may ask."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

from rota.access.grant import Grant
from rota.access.roles import Role
from rota.model.errors import RotaError
from rota.telemetry import request_id
from rota.telemetry.prometheus import CONTENT_TYPE
from rota.transport import http_guards
from rota.transport.asgi import FRUITFUL, Answer, Receive, Scope, Send, header, json_answer, problem, problem_of
from rota.transport.figures import Metrics
from rota.transport.hall import NOT_SERVING
from rota.transport.http.api import Api
from rota.transport.http.live import serve_live
from rota.transport.http.route import PREFIX
from rota.transport.http.routes import ROUTES
from rota.transport.lobby import Lobby
from rota.transport.status_page import status_page
from rota.transport.verbs import Verbs
from rota.transport.websocket import serve_link

_BELOW = f"{PREFIX}/"
LINK_PATH = f"{PREFIX}/link"
LIVE_PATH = f"{PREFIX}/live"
WEBSOCKETS = (LINK_PATH, LIVE_PATH)
_READERS = frozenset({Role.VIEWER, Role.CLIENT, Role.OPERATOR, Role.ADMIN})
_EVERYBODY: frozenset[str] = frozenset()
_logger = logging.getLogger("rota.transport")


class Route(NamedTuple):
    answer: Callable[[Scope], Awaitable[Answer]]
    roles: frozenset[str]
    """Who may ask; `_EVERYBODY` is open."""
    open_on_loopback: bool = False


class HttpApp:
    """`readiness` answers "" when the node is ready, else why not: starting, draining, store_away.

    `metrics`: what /metrics tells; where it is not given, what the lobby knows.
    """

    def __init__(
        self,
        lobby: Lobby,
        readiness: Callable[[], str],
        *,
        host: str,
        behind_proxy: bool = False,
        names: http_guards.Names | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._lobby, self._readiness = lobby, readiness
        self._private = http_guards.is_loopback(host) and not behind_proxy
        self._behind_proxy = behind_proxy
        self._names = names or http_guards.own_names(host, behind_proxy=behind_proxy)
        self._metrics = metrics or Metrics(lobby)
        self.api = Api(ROUTES, lobby, readiness, self._guarded, self._admit, self._metrics.requests)
        self.routes = {
            "/": Route(self._page, _READERS),
            "/livez": Route(self._livez, _EVERYBODY),
            "/readyz": Route(self._readyz, _EVERYBODY),
            "/metrics": Route(self._figures, _READERS, open_on_loopback=True),
            **dict.fromkeys(WEBSOCKETS, Route(self._not_a_websocket, _EVERYBODY)),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            before = request_id.begin(header(scope, b"x-request-id"))  # one id for all that comes over the link
            try:
                await self._link(scope, receive, send)
            finally:
                request_id.end(before)
        elif scope["path"].startswith(_BELOW) and scope["path"] not in WEBSOCKETS:
            await self.api(scope, receive, send)
        else:
            await self._plainly(scope, send)

    # --- links

    async def _link(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if (refusal := self._refusal(scope)) is not None:
            await refusal.send(scope, send)
            return
        token, source, shown = http_guards.presented(scope), self._source(scope), http_guards.certificate(scope)
        if scope["path"] == LIVE_PATH:
            await serve_live(scope, receive, send, self._lobby, token, source, shown)
            return
        await serve_link(scope, receive, send, lambda carrier: self._lobby.open(carrier, token, source, shown))

    def _refusal(self, scope: Scope) -> Answer | None:
        if scope["path"] not in WEBSOCKETS:
            return _not_found(scope)
        return self._guarded(scope) or self._not_serving() or self._bad_token(scope)

    def _not_serving(self) -> Answer | None:
        reason = self._readiness()
        if reason not in NOT_SERVING:
            return None
        return problem(503, reason, f"this node is {reason}; come again, or go to another", [(b"retry-after", b"1")])

    def _bad_token(self, scope: Scope) -> Answer | None:
        """Without a token the Hello has to bring one."""
        if http_guards.presented(scope) is None:
            return None
        try:
            self._admit(scope)
        except RotaError as error:
            return problem_of(error)
        return None

    def _guarded(self, scope: Scope) -> Answer | None:
        return http_guards.check_request(scope, self._names)

    def _admit(self, scope: Scope) -> Grant:
        """Who asks. Raises NotAuthenticated, Forbidden, Overloaded."""
        said = http_guards.presented(scope)
        return self._lobby.policy.admit(said, self._source(scope), http_guards.certificate(scope))

    def _source(self, scope: Scope) -> str:
        """Whom failed log-ins count for. A proxy's address is everybody's, and so nobody's."""
        return "" if self._behind_proxy else http_guards.source(scope)

    # --- requests

    async def _plainly(self, scope: Scope, send: Send) -> None:
        """Health, metrics, and the page."""
        began, before = time.perf_counter(), request_id.begin(header(scope, b"x-request-id"))
        try:
            answer = await self._answer(scope)
            answer.headers.append((b"x-request-id", request_id.current().encode()))
            if answer.status < HTTPStatus.BAD_REQUEST:
                scope.get("extensions", {}).get(FRUITFUL, _nothing)()
            await answer.send(scope, send)
        finally:
            request_id.end(before)
        known = scope["path"] if scope["path"] in self.routes else ""
        self._metrics.requests.count(known, answer.status, time.perf_counter() - began)

    async def _answer(self, scope: Scope) -> Answer:
        try:
            return self._guarded(scope) or await self._routed(scope)
        except RotaError as error:
            return problem_of(error, prompt=scope["path"] == "/")
        except Exception:
            _logger.exception("a request failed inside the node")
            return problem(500, "internal", "the node failed at this; its log says why")

    async def _routed(self, scope: Scope) -> Answer:
        route = self.routes.get(scope["path"])
        if route is None:
            return _not_found(scope)
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "method_not_allowed", "this address is only read", [(b"allow", b"GET, HEAD")])
        if route.roles and not (route.open_on_loopback and self._private):
            verbs = self._verbs(scope)
            verbs.check_role(route.roles, f"GET {scope['path']}")
            if route.open_on_loopback:
                verbs.check_everywhere("the metrics are those of the whole node")
        return await route.answer(scope)

    def _verbs(self, scope: Scope) -> Verbs:
        return self._lobby.verbs(self._admit(scope), "http", http_guards.source(scope))

    async def _livez(self, _: Scope) -> Answer:
        return json_answer({"alive": True})

    async def _readyz(self, _: Scope) -> Answer:
        reason = self._readiness()
        return json_answer({"ready": False, "reason": reason}, 503) if reason else json_answer({"ready": True})

    async def _figures(self, _: Scope) -> Answer:
        return Answer(200, await self._metrics.text(), CONTENT_TYPE)

    async def _page(self, scope: Scope) -> Answer:
        return await status_page(scope, self._lobby, self._verbs(scope))

    async def _not_a_websocket(self, _: Scope) -> Answer:
        return problem(426, "websocket_needed", "links are WebSockets", [(b"upgrade", b"websocket")])


def _nothing() -> None:
    """A server of another kind does not count connections."""


def _not_found(scope: Scope) -> Answer:
    return problem(404, "page_not_found", f"nothing is at {scope['path'][:100]}")
