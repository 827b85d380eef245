"""The HTTP door: the link, health, metrics, and a page to look at. Every route says in one table who may ask."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

from rota.access.roles import Role
from rota.model.errors import Forbidden, NotAuthenticated, Overloaded, RotaError
from rota.telemetry.prometheus import CONTENT_TYPE, Exporter
from rota.transport import http_guards
from rota.transport.asgi import FRUITFUL, Answer, Receive, Scope, Send, json_answer, problem, problem_of
from rota.transport.figures import readings
from rota.transport.gate import Gate
from rota.transport.hall import NOT_SERVING
from rota.transport.lobby import Lobby
from rota.transport.status_page import status_page
from rota.transport.websocket import serve_link

LINK_PATH = "/api/v1/link"
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

    `gate`: the one before the door, for /metrics.
    """

    def __init__(
        self,
        lobby: Lobby,
        readiness: Callable[[], str],
        *,
        host: str,
        behind_proxy: bool = False,
        gate: Gate | None = None,
    ) -> None:
        self._lobby, self._readiness = lobby, readiness
        self._private = http_guards.is_loopback(host) and not behind_proxy
        self._behind_proxy = behind_proxy
        self._names = http_guards.own_names(host) if self._private else None
        self._exporter = Exporter(lambda: readings(lobby, gate))
        self.routes = {
            "/": Route(self._page, _READERS),
            "/livez": Route(self._livez, _EVERYBODY),
            "/readyz": Route(self._readyz, _EVERYBODY),
            "/metrics": Route(self._metrics, _READERS, open_on_loopback=True),
            LINK_PATH: Route(self._not_a_websocket, _EVERYBODY),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._link(scope, receive, send)
        else:
            answer = await self._answer(scope)
            if answer.status < HTTPStatus.BAD_REQUEST:
                scope.get("extensions", {}).get(FRUITFUL, _nothing)()
            await answer.send(scope, send)

    # --- links

    async def _link(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if (refusal := self._refusal(scope)) is not None:
            await refusal.send(scope, send)
            return
        token, source = http_guards.presented(scope), self._source(scope)
        await serve_link(scope, receive, send, lambda carrier: self._lobby.open(carrier, token, source))

    def _refusal(self, scope: Scope) -> Answer | None:
        if scope["path"] != LINK_PATH:
            return _not_found(scope)
        return (
            http_guards.check_host(scope, self._names)
            or http_guards.check_origin(scope)
            or http_guards.check_query(scope)
            or self._not_serving()
            or self._bad_token(scope)
        )

    def _not_serving(self) -> Answer | None:
        reason = self._readiness()
        if reason not in NOT_SERVING:
            return None
        return problem(503, reason, f"this node is {reason}; come again, or go to another", [(b"retry-after", b"1")])

    def _bad_token(self, scope: Scope) -> Answer | None:
        """Without a token the Hello has to bring one."""
        if (token := http_guards.presented(scope)) is None:
            return None
        try:
            self._lobby.policy.roles(token, self._source(scope))
        except (NotAuthenticated, Overloaded) as error:
            return problem_of(error)
        return None

    def _source(self, scope: Scope) -> str:
        """Whom failed log-ins count for. A proxy's address is everybody's, and so nobody's."""
        return "" if self._behind_proxy else http_guards.source(scope)

    # --- requests

    async def _answer(self, scope: Scope) -> Answer:
        try:
            return http_guards.check_host(scope, self._names) or await self._routed(scope)
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
            self._check_roles(scope, route.roles)
        return await route.answer(scope)

    def _check_roles(self, scope: Scope, needed: frozenset[str]) -> None:
        if self._lobby.policy.roles(http_guards.presented(scope), self._source(scope)).isdisjoint(needed):
            raise Forbidden(f"this needs one of the roles {', '.join(sorted(needed))}")

    async def _livez(self, _: Scope) -> Answer:
        return json_answer({"alive": True})

    async def _readyz(self, _: Scope) -> Answer:
        reason = self._readiness()
        return json_answer({"ready": False, "reason": reason}, 503) if reason else json_answer({"ready": True})

    async def _metrics(self, _: Scope) -> Answer:
        return Answer(200, self._exporter.text(), CONTENT_TYPE)

    async def _page(self, scope: Scope) -> Answer:
        return await status_page(scope, self._lobby)

    async def _not_a_websocket(self, _: Scope) -> Answer:
        return problem(426, "websocket_needed", "links are WebSockets", [(b"upgrade", b"websocket")])


def _nothing() -> None:
    """A server of another kind does not count connections."""


def _not_found(scope: Scope) -> Answer:
    return problem(404, "page_not_found", f"nothing is at {scope['path'][:100]}")
