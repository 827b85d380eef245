"""`POST /execute` and `POST /tasks` by the shortest way, for requests that are plain. Nothing is checked less; what is out of
the ordinary in a head is left to the router, untouched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from rota.access.grant import Grant
from rota.contract.store import Receipt
from rota.model.text import task_id_text
from rota.telemetry import request_id
from rota.transport import http_guards
from rota.transport.asgi import SAFE, WHOLE, Answer, Header, Receive, Scope
from rota.transport.hall import NOT_SERVING
from rota.transport.http.body import digested, read_body
from rota.transport.http.gathering import Gathering
from rota.transport.http.json_gate import Gates
from rota.transport.http.new_task import Execute, NewTask, NewTasks, submission_of
from rota.transport.http.route import CALLERS, JSON, MAX_BATCH_BODY, PREFIX, most_of_one
from rota.transport.http.submitting import accepted, marked, submit_one, submit_several, taken
from rota.transport.http.waiting import OneEnd
from rota.transport.lobby import Lobby
from rota.transport.verbs import Verbs

encode = msgspec.json.Encoder().encode
EXECUTE, TASKS = f"{PREFIX}/execute", f"{PREFIX}/tasks"
PLAIN = frozenset(
    {
        b"host",
        b"user-agent",
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"connection",
        b"content-type",
        b"content-length",
        b"authorization",
        b"x-request-id",
    }
)
"""Headers that ask for nothing special. With any other the router has the request."""
MOST_HOSTS = 64
_KIND = JSON.encode()
_HEAD = b"".join(b"%b: %b\r\n" % pair for pair in ((b"content-type", _KIND), *SAFE)) + b"content-length: %d\r\n"
_HEAD += b"x-request-id: %b\r\n"
_LOCATION = b"location: " + TASKS.encode() + b"/%b\r\n"


class Rendered(NamedTuple):
    """An answer as it goes over the wire: header lines, each with its end, and the body."""

    status: int
    lines: bytes
    body: bytes

    def answer(self) -> Answer:
        """The same with headers, for a server that wants them."""
        made = Answer(self.status, self.body, JSON)
        made.headers = [_header(line) for line in self.lines.split(b"\r\n")[:-1]]
        return made


class HotPath:
    """`guard`, `admit` and `readiness` are those of the router."""

    def __init__(
        self,
        lobby: Lobby,
        readiness: Callable[[], str],
        guard: Callable[[Scope], Answer | None],
        admit: Callable[[Scope], Grant],
    ) -> None:
        self._lobby, self._readiness, self._guard, self._admit = lobby, readiness, guard, admit
        self._most_of_one = most_of_one(lobby.engine.settings.max_payload)
        self._hosts: set[bytes] = set()
        self._gathering = Gathering(lobby.engine)
        self._execute, self._submit = Gates((Execute,)), Gates((NewTask, NewTasks))

    def way(self, scope: Scope) -> Callable[[Scope, Receive], Awaitable[Rendered]] | None:
        """How a request is served that is plain; None: by the router."""
        path = scope["path"]
        if scope["method"] != "POST" or (path != EXECUTE and path != TASKS) or scope["query_string"]:
            return None
        given: list[Header] = scope["headers"]
        said = dict(given)
        if len(said) != len(given) or not said.keys() <= PLAIN or said.get(b"content-type") != _KIND:
            return None
        if (
            b"content-length" not in said
            or WHOLE not in scope.get("extensions", ())
            or self._readiness() in NOT_SERVING
        ):
            return None
        if not self._is_our_name(said.get(b"host", b""), scope):
            return None
        return self.execute if path == EXECUTE else self.submit

    def _is_our_name(self, host: bytes, scope: Scope) -> bool:
        """Of such a head the guards look at nothing but the host."""
        if host in self._hosts:
            return True
        if self._guard(scope) is not None:
            return False
        if len(self._hosts) < MOST_HOSTS:
            self._hosts.add(host)
        return True

    async def execute(self, scope: Scope, receive: Receive) -> Rendered:
        grant = self._admitted(scope)
        wanted = await self._execute.take(await read_body(scope, receive, self._most_of_one))
        if not wanted.wait:
            return await self._one(grant, wanted, scope)
        verbs = self._verbs(grant, scope)
        waiter = OneEnd()
        receipt, wait = await submit_one(verbs, wanted, waiter=waiter), wanted.wait
        del wanted
        digested(scope)
        outcome = await waiter.within(wait, verbs, receive, self._lobby)
        return _located(receipt) if outcome is None else _rendered(200, encode(marked(outcome, receipt)))

    async def submit(self, scope: Scope, receive: Receive) -> Rendered:
        grant = self._admitted(scope)
        wanted = await self._submit.take(await read_body(scope, receive, MAX_BATCH_BODY))
        if isinstance(wanted, NewTasks):
            return _rendered(202, _several(await submit_several(self._verbs(grant, scope), wanted.tasks)))
        return await self._one(grant, wanted, scope)

    async def _one(self, grant: Grant, wanted: NewTask, scope: Scope) -> Rendered:
        """Verbs add nothing to a submit by somebody who sees every group."""
        if not grant.everywhere:
            return _located(await submit_one(self._verbs(grant, scope), wanted))
        return _located(taken(await self._gathering.submit(submission_of(wanted))))

    def _verbs(self, grant: Grant, scope: Scope) -> Verbs:
        return self._lobby.verbs(grant, "http", http_guards.source(scope))

    def _admitted(self, scope: Scope) -> Grant:
        grant = self._admit(scope)
        if grant.roles.isdisjoint(CALLERS):
            action = f"POST {scope['path'].removeprefix(PREFIX)}"
            self._lobby.verbs(grant, "http", http_guards.source(scope)).check_role(CALLERS, action)
        return grant


def _rendered(status: int, body: bytes) -> Rendered:
    return Rendered(status, _HEAD % (len(body), request_id.current().encode()), body)


def _located(receipt: Receipt) -> Rendered:
    task_id = task_id_text(receipt.task_id).encode()
    body = b"{%b}" % _one(receipt, task_id)
    head = _HEAD % (len(body), request_id.current().encode())
    return Rendered(202, head + _LOCATION % task_id, body)


def _several(receipts: Sequence[Receipt]) -> bytes:
    return b'{"tasks":[{%b}]}' % b"},{".join([_one(each, task_id_text(each.task_id).encode()) for each in receipts])


def _one(receipt: Receipt, task_id: bytes) -> bytes:
    """The fields of `Accepted`."""
    if not receipt.duplicate and not receipt.warning:
        return b'"id":"%b","duplicate":false,"warning":null' % task_id
    return encode(accepted(receipt))[1:-1]


def _header(line: bytes) -> Header:
    name, _, value = line.partition(b": ")
    return name, value
