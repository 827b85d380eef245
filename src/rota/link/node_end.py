"""The node's end of a link: greeting, versions, who may send what, and when it is over. No I/O and no clock.

    opened ──Hello──▶ greeted ──Register──▶ greeted and registered          any ──LinkFault──▶ to be closed

A request that is wrong in itself is answered with a Failure, and the link goes on; ten such within a minute end it. What
breaks the protocol (a frame before Hello, a second Hello, a frame that only a node sends, a worker's frame before
Register) raises LinkFault, which the caller turns into a close. What is sent twice, late or out of turn but well-formed
is passed on: the engine's guards decide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rota.link.channel import CONTROL, MAX_FRAME, WINDOW, Channel
from rota.link.codes import Close, LinkFault
from rota.model.errors import Forbidden, InvalidInput, NotAuthenticated, Overloaded, RotaError
from rota.wire.codec_refusal import write_refusal
from rota.wire.v1.link_pb2 import Frame, Goodbye, Hello

VERSIONS = (1,)
HELLO_WITHIN = 5.0
"""Seconds in which the first frame must come."""
FAULTS_A_MINUTE = 10
MAX_PINGS = 100
"""Within one heartbeat; one is due in each."""
FROM_NODE = frozenset(
    {"welcome", "failure", "done", "submitted", "tasks", "ended", "outcomes", "logs", "stats", "workers", "methods"}
    | {"registered", "assign", "stop", "recall", "drain", "finished", "shut_down"}
    | {"explanation", "bulked", "batch", "groups", "controls", "control", "series", "tokens", "new_token", "token"}
    | {"audit_lines"}
)
AFTER_REGISTER = frozenset({"started", "finish", "release", "heartbeat", "report"})
FREE = frozenset({"hello", "ping", "goodbye"})
"""What anybody may send who was let in; every other frame is permitted by role."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a node tells in its Welcome. Durations in microseconds, but for those in seconds: `heartbeat`, `hello_within`."""

    node_id: str
    node_version: str
    heartbeat: float = 10.0
    window: int = WINDOW
    max_frame: int = MAX_FRAME
    max_batch: int = 1_000
    max_payload: int = 1024 * 1024
    lease_ttl: int = 30_000_000
    closed_lease_ttl: int = 5_000_000
    hello_within: float = HELLO_WITHIN


class Arrival(NamedTuple):
    """A frame that is to be dealt with. `size` goes to `dealt_with` when that is done; 0 where it does not weigh."""

    kind: str
    body: Any
    request: int
    size: int


class NodeEnd:
    """`permits` says which roles may send each kind of frame; `admit` which roles a token gives, none for a bad one."""

    def __init__(
        self,
        terms: Terms,
        permits: Mapping[str, frozenset[str]],
        admit: Callable[[str | None], frozenset[str]],
        wall: Callable[[], int],
        now: float,
        token: str | None = None,
        forbade: Callable[[str, RotaError], None] | None = None,
    ) -> None:
        """`token`: as it stood in the handshake, before any Hello. `now`: monotonic seconds, as everywhere. `forbade` is told
        of each frame that the roles did not permit."""
        self._terms, self._permits, self._admit, self._wall = terms, permits, admit, wall
        self._forbade = forbade
        self._channel = Channel(now, window=terms.window, max_frame=terms.max_frame, heartbeat=terms.heartbeat)
        self._opened_at = now
        self._token = token
        self._faults: deque[float] = deque(maxlen=FAULTS_A_MINUTE)
        self._pings, self._pings_since = 0, now
        self.roles: frozenset[str] = frozenset()
        self.greeted = False
        self.registered = False
        """A worker has said Register; whether it was let in is the engine's answer."""
        self.leaving: str | None = None
        """The reason in the other side's Goodbye, once it has come."""
        self.sdk = ""

    @property
    def backlog(self) -> int:
        """Bytes that wait for the other side's credit."""
        return self._channel.backlog

    def receive(self, data: bytes, now: float) -> Arrival | None:
        """One message in; what is to be done about it, if anything. Raises LinkFault."""
        frame = self._channel.receive(data, now)
        kind = frame.WhichOneof("body")
        if kind == "hello":
            self._greet(frame.hello)
        elif kind is not None and not self.greeted:
            raise LinkFault(Close.BAD_FRAME, f"a {kind} before Hello; Hello comes first")
        elif kind == "goodbye":
            self.leaving = frame.goodbye.reason
        elif kind is None:
            self._refuse_unknown(frame.request, now)
        elif kind == "ping":
            self._count_ping(now)
        else:
            size = 0 if kind in CONTROL else len(data)
            return self._arrived(Arrival(kind, getattr(frame, kind), frame.request, size), now)
        return None

    def send(self, frame: Frame) -> None:
        """Queues a frame. Raises LinkFault (TOO_BIG)."""
        self._channel.send(frame)

    def answer(self, request: int, frame: Frame, now: float) -> None:
        """Queues the answer to a request, if one is wanted. One that does not fit into a frame becomes a Failure."""
        if not request:
            return
        frame.request = request
        try:
            self._channel.send(frame)
        except LinkFault as fault:
            self.refuse(
                request, Overloaded(f"the answer is {fault.reason}; ask for less", code="answer_too_large"), now
            )

    def refuse(self, request: int, error: Exception, now: float) -> None:
        """Answers with a Failure, if an answer is wanted. Raises LinkFault (POLICY) at the tenth wrong one in a minute."""
        if request:
            frame = Frame(request=request)
            write_refusal(error, frame.failure)
            self._channel.send(frame)
        if isinstance(error, (InvalidInput, Forbidden)):
            self._count_fault(error, now)

    def dealt_with(self, size: int) -> None:
        if size:
            self._channel.dealt_with(size)

    def tick(self, now: float) -> None:
        """To be called about once a second. Raises LinkFault where nothing, or no Hello, was heard for too long."""
        if self.greeted:
            self._channel.tick(now)
        elif now - self._opened_at >= self._terms.hello_within:
            raise LinkFault(Close.SILENT, f"no Hello within {self._terms.hello_within:g} s")

    def paused(self, now: float) -> None:
        """This side did not read for a while: silence until now is not the other side's."""
        self._channel.last_heard = now

    def goodbye(self, reason: str) -> None:
        self._channel.send(Frame(goodbye=Goodbye(reason=reason)))

    def flush(self, now: float) -> list[bytes]:
        """The messages to write now."""
        return self._channel.flush(now)

    # --- inside

    def _greet(self, hello: Hello) -> None:
        if self.greeted:
            raise LinkFault(Close.BAD_FRAME, "a second Hello; there is one, and it comes first")
        spoken = set(hello.versions) & set(VERSIONS)
        if not spoken:
            raise LinkFault(
                Close.UNKNOWN_VERSION, f"this node speaks version {_listed(VERSIONS)}, not {_listed(hello.versions)}"
            )
        self.roles = self._roles(hello.token)
        self.greeted = True
        self.sdk = hello.sdk[:100]
        self._channel.open(hello.window)
        self._welcome(max(spoken))

    def _roles(self, token: str) -> frozenset[str]:
        try:
            roles = self._admit(self._token or token or None)
        except NotAuthenticated as error:
            raise LinkFault(Close.NOT_AUTHENTICATED, error.detail) from error
        except Forbidden as error:
            raise LinkFault(Close.FORBIDDEN, error.detail) from error
        except Overloaded as error:
            raise LinkFault(Close.POLICY, error.detail) from error
        if not roles:
            raise LinkFault(Close.FORBIDDEN, "the token has no role")
        return roles

    def _welcome(self, version: int) -> None:
        terms = self._terms
        frame = Frame()
        welcome = frame.welcome
        welcome.version = version
        welcome.node_id = terms.node_id
        welcome.node_version = terms.node_version
        welcome.heartbeat = int(terms.heartbeat * 1e6)
        welcome.window = terms.window
        welcome.max_frame = terms.max_frame
        welcome.max_batch = terms.max_batch
        welcome.max_payload = terms.max_payload
        welcome.lease_ttl = terms.lease_ttl
        welcome.closed_lease_ttl = terms.closed_lease_ttl
        welcome.now = self._wall()
        welcome.roles.extend(sorted(self.roles))
        self._channel.send(frame)

    def _arrived(self, arrival: Arrival, now: float) -> Arrival | None:
        kind = arrival.kind
        if kind in FROM_NODE:
            raise LinkFault(Close.BAD_FRAME, f"only a node sends {kind}")
        if self.roles.isdisjoint(self._permits.get(kind, frozenset())):
            self.dealt_with(arrival.size)
            error = self._forbidden(kind)
            if self._forbade is not None:
                self._forbade(kind, error)
            self.refuse(arrival.request, error, now)
            return None
        if kind == "register":
            self.registered = True
        elif kind in AFTER_REGISTER and not self.registered:
            raise LinkFault(Close.BAD_FRAME, f"a {kind} before Register")
        return arrival

    def _forbidden(self, kind: str) -> RotaError:
        needed = _listed(sorted(self._permits.get(kind, ())))
        return Forbidden(f"{kind} needs the role {needed}; this token has {_listed(sorted(self.roles))}")

    def _refuse_unknown(self, request: int, now: float) -> None:
        if request:
            self.refuse(request, InvalidInput("this node does not know such a request", code="unknown_request"), now)

    def _count_ping(self, now: float) -> None:
        if now - self._pings_since > self._terms.heartbeat:
            self._pings, self._pings_since = 0, now
        self._pings += 1
        if self._pings > MAX_PINGS:
            raise LinkFault(
                Close.POLICY, f"more than {MAX_PINGS} pings within a heartbeat of {self._terms.heartbeat:g} s"
            )

    def _count_fault(self, error: RotaError, now: float) -> None:
        self._faults.append(now)
        if len(self._faults) == FAULTS_A_MINUTE and now - self._faults[0] < 60.0:
            raise LinkFault(Close.POLICY, f"{FAULTS_A_MINUTE} wrong requests within a minute; the last: {error.detail}")


def _listed(items: Any) -> str:
    return " or ".join(map(str, items)) or "none"
