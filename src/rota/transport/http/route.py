"""What an endpoint is, what its handler is given, and what it answers.

Each file of endpoints exports a list `ROUTES`; `routes.py` puts them together. Nothing can be asked that is not in there,
and nothing is in there without roles. The description of the API (`openapi.py`) is made from the same table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rota.access.roles import Role
from rota.transport.asgi import SAFE, Header, Receive, Scope, Send
from rota.transport.lobby import Lobby
from rota.transport.verbs import Verbs

PREFIX = "/api/v1"
ROOM_AROUND = 64 * 1024
"""For what stands around the params of a task."""
MAX_TASK_BODY = 1024 * 1024 + ROOM_AROUND
"""One task, with a mebibyte of params; more where the node takes larger ones."""
MAX_BATCH_BODY = 16 * 1024 * 1024
JSON = "application/json"


def most_of_one(max_payload: int) -> int:
    """The largest body of one task."""
    return max(MAX_TASK_BODY, max_payload + ROOM_AROUND)


_MASTERS = frozenset({Role.OPERATOR, Role.ADMIN})
ADMINS: frozenset[str] = frozenset({Role.ADMIN})
OPERATORS: frozenset[str] = _MASTERS
CALLERS: frozenset[str] = _MASTERS | {Role.CLIENT}
READERS: frozenset[str] = CALLERS | {Role.VIEWER}


class Request:
    """One request that was let in, with what its route asked for read and checked."""

    __slots__ = ("body", "id", "lobby", "path", "query", "receive", "route", "scope", "send", "verbs")

    def __init__(
        self, route: Route, path: Mapping[str, str], scope: Scope, receive: Receive, send: Send, lobby: Lobby
    ) -> None:
        self.route, self.path = route, path
        self.scope, self.receive, self.send = scope, receive, send
        self.lobby = lobby
        self.verbs: Verbs
        self.query: Any = None
        """An instance of the route's `query`."""
        self.body: Any = None
        """An instance of the route's `body`, or of one of them."""
        self.id = ""
        """As `telemetry.request_id` has it."""


class Reply:
    """A whole answer. `value`: a Struct, a list or a mapping to be written as JSON; bytes stay as they are."""

    __slots__ = ("headers", "media_type", "safe", "status", "value")

    def __init__(
        self,
        value: Any = None,
        status: int = 200,
        headers: tuple[Header, ...] = (),
        media_type: str = JSON,
        safe: tuple[Header, ...] = SAFE,
    ) -> None:
        self.value, self.status, self.headers, self.media_type, self.safe = value, status, headers, media_type, safe


Handler = Callable[[Request], Awaitable[Reply | None]]
"""None: it has answered by itself through `request.send`, as streams do."""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. The template is below PREFIX; a part in braces is a name or an id, percent-decoded once."""

    method: str
    template: str
    roles: frozenset[str]
    """Who may ask: one of these is enough. Never empty."""
    handle: Handler
    summary: str
    tag: str
    answers: Mapping[int, Any]
    """What it answers when all is well, by status: a type that msgspec can describe, several in a tuple, or None for an
    empty body."""
    errors: tuple[int, ...] = ()
    """Statuses of its own refusals; what any request may be refused with is added by the description."""
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | tuple[type[msgspec.Struct], ...] | None = None
    """Of several, the last is meant where its first field is in the body, else the first."""
    body_needed: bool = True
    max_body: int = MAX_TASK_BODY
    about: str = ""
    """What the summary leaves open, Markdown."""
    media_types: tuple[str, ...] = (JSON,)
    """Of the good answers."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers of its own, with what each is for."""
    examples: tuple[Mapping[str, Any], ...] = ()
    """Bodies that it takes."""

    def __post_init__(self) -> None:
        if not self.roles:
            raise ValueError(f"{self.method} {self.template} says no roles")

    @property
    def path(self) -> str:
        """The whole template, as it is counted and shown."""
        return PREFIX + self.template
