"""The worker's end of a link: what it holds, what it has reported, and how long its leases are good for. No I/O, no clock.

Frames and facts go in, frames and attempts come out; `now` is monotonic seconds. It outlives any one connection: what is
held and every outcome that no node has confirmed is told again by `register` after a reconnection. A frame that is
doubled, late or about an attempt that is not held changes nothing.

Leases. A heartbeat that was answered renews them, counted from when it was sent, for the share of the time to live that a
node leaves at least. One that was not answered renews nothing: the link may be open only to one side. While
the link is down a lease holds no longer than `closed_lease_ttl` after the last send, as the node will count it. `lapsed`
then gives up what is not finished.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from rota.model.failure import Failure
from rota.model.method import Method
from rota.model.report import Verdict
from rota.model.worker import Facts, Load
from rota.wire.codec import write_error
from rota.wire.codec_options import write_method
from rota.wire.codec_worker import write_facts, write_load
from rota.wire.v1 import link_pb2 as pb

MARGIN = 0.5
"""Seconds by which this side distrusts its leases before the node does: a handler takes a while to stop."""
RENEWED = 0.75
"""A node may leave a lease alone of which more than this share is left."""
MAX_IN_FLIGHT = 8
"""Finish frames that may wait for their answer; what is reported meanwhile goes out together, later."""
FRAME_BYTES = 1024 * 1024
"""About so many bytes of results go into one frame."""
SPOOL_BYTES, SPOOL_COUNT = 64 * 1024 * 1024, 10_000
"""Unconfirmed outcomes beyond which no further task should be started."""
AWAY = frozenset(
    {
        "unavailable",
        "store_unavailable",
        "overloaded",
        "starting",
        "store_full",
        "outcome_unknown",
        "draining",
        "not_registered",
    }
)
"""Refusals of a whole Finish after which it is sent again."""
RETRY_AFTER = 1.0
LOST_BEATS = 3
"""Heartbeats without an answer that are remembered, in case that the node answers them after all."""


class Attempt:
    """One attempt in hand, and its outcome once there is one."""

    __slots__ = (
        "assignment",
        "attempt",
        "declared",
        "failure",
        "id",
        "ran",
        "result",
        "retry_after",
        "started_at",
        "verdict",
    )

    def __init__(self, assignment: pb.Assignment) -> None:
        self.assignment = assignment
        self.id = assignment.id
        self.attempt = assignment.attempt
        self.started_at = 0
        """Microseconds by the worker's wall clock; 0: it has not started."""
        self.declared = False
        """The node has been told of the start."""
        self.verdict: Verdict | None = None
        self.result = b""
        self.failure: Failure | None = None
        self.ran = 0
        self.retry_after: int | None = None


A = TypeVar("A", bound=Attempt)


class Refusal(NamedTuple):
    """An outcome that the node did not keep."""

    attempt: Attempt
    code: str
    detail: str


class WorkerEnd(Generic[A]):
    """`make` makes the worker's own kind of Attempt from an assignment."""

    def __init__(self, make: Callable[[pb.Assignment], A]) -> None:
        self._make = make
        self.held: dict[bytes, Attempt] = {}
        """By task: un-started, running, or ended and not yet confirmed."""
        self.registered = False
        self.draining = False
        self.max_batch, self.max_payload = 1_000, 1024 * 1024
        self.lease_ttl, self.closed_lease_ttl = 30.0, 5.0
        self._requests = 0
        self._waiting: deque[Attempt] = deque()
        self._in_flight: dict[int, list[Attempt]] = {}
        self._spooled_bytes = 0
        self._not_before = 0.0
        self._registers: dict[int, float] = {}
        self._beats: dict[int, float] = {}
        self._lease_until = float("inf")

    # ---------------------------------------------------------------- the link comes and goes

    def up(self, welcome: pb.Welcome, now: float) -> None:
        """A new link: nothing is reported over it before `is_registered`."""
        self.registered = False
        self._beats.clear()
        self._registers.clear()
        self._not_before = 0.0
        self.max_batch = welcome.max_batch or self.max_batch
        self.max_payload = welcome.max_payload or self.max_payload
        self.lease_ttl = welcome.lease_ttl / 1e6 or self.lease_ttl
        self.closed_lease_ttl = welcome.closed_lease_ttl / 1e6 or self.closed_lease_ttl
        self._lease_until = min(self._lease_until, now + self._good_for)

    def down(self, last_sent: float) -> None:
        """The link is lost: what was not confirmed waits to be told again, in its order."""
        self.registered = False
        for sent in reversed(self._in_flight.values()):
            self._waiting.extendleft(reversed(sent))
        self._in_flight.clear()
        self._beats.clear()
        self._lease_until = min(self._lease_until, last_sent + _short_of(self.closed_lease_ttl))

    def register(self, facts: Facts, methods: Sequence[Method], session_key: bytes, now: float) -> pb.Frame:
        """With everything in hand, the first time over a link; again when methods are added, or to drain."""
        frame = pb.Frame(request=self._next_request())
        self._registers[frame.request] = now
        register = frame.register
        write_facts(facts, register.facts)
        for method in methods:
            write_method(method, register.methods.add())
        held = {(attempt.id, attempt.attempt): attempt for attempt in (*self.held.values(), *self._unconfirmed())}
        for attempt in held.values():
            register.held.add(id=attempt.id, attempt=attempt.attempt, started_at=attempt.started_at)
        register.session_key = session_key
        register.draining = self.draining
        return frame

    def is_registered(self, request: int, registered: pb.Registered) -> list[Attempt]:
        """The answer to `register`: leases are good again. Gives what is no longer this worker's and not finished."""
        sent = self._registers.pop(request, None)
        if sent is None:
            return []
        if not self.registered:
            self._lease_until = sent + self._good_for
        self.registered = True
        lost = {(ref.id, ref.attempt) for ref in registered.lost}
        if not lost:
            return []
        gone = [a for a in self.held.values() if (a.id, a.attempt) in lost]
        for attempt in gone:
            self.drop(attempt)
        for attempt in [a for a in self._waiting if (a.id, a.attempt) in lost]:
            self._waiting.remove(attempt)
            self._forget(attempt)
        return [attempt for attempt in gone if attempt.verdict is None]

    # ---------------------------------------------------------------- leases

    def heartbeat(self, load: Load, now: float) -> pb.Frame:
        """Renews every lease from `now`, once it is answered."""
        frame = pb.Frame(request=self._next_request())
        write_load(load, frame.heartbeat.load)
        self._beats[frame.request] = now
        while len(self._beats) > LOST_BEATS:
            del self._beats[next(iter(self._beats))]
        return frame

    def done(self, request: int) -> None:
        """A plain answer. To a heartbeat: the node had it, so that leases hold from when it was sent."""
        sent = self._beats.pop(request, None)
        if sent is not None:
            self._lease_until = max(self._lease_until, sent + self._good_for)

    @property
    def lease_until(self) -> float:
        """When the leases are no longer to be trusted."""
        return self._lease_until

    def lapsed(self, now: float) -> list[Attempt]:
        """The unfinished attempts, if the leases have run out: they are given up, and must be stopped."""
        if now < self._lease_until:
            return []
        unfinished = [attempt for attempt in self.held.values() if attempt.verdict is None]
        for attempt in unfinished:
            self.drop(attempt)
        return unfinished

    # ---------------------------------------------------------------- attempts

    def assigned(self, assign: pb.Assign) -> tuple[list[A], list[Attempt]]:
        """New attempts in order, and held ones that a newer attempt of their task shows to be lost."""
        new: list[A] = []
        stale: list[Attempt] = []
        held = self.held
        for assignment in assign.tasks:
            attempt = self._make(assignment)
            before = held.get(attempt.id)
            if before is not None:
                if before.attempt >= attempt.attempt:
                    continue
                if before.verdict is None:
                    stale.append(before)
            held[attempt.id] = attempt
            new.append(attempt)
        return new, stale

    def find(self, refs: Iterable[pb.Ref]) -> list[Attempt]:
        """The unfinished attempts among these."""
        found = ((self.held.get(ref.id), ref.attempt) for ref in refs)
        return [a for a, number in found if a is not None and a.attempt == number and a.verdict is None]

    def drop(self, attempt: Attempt) -> None:
        """It is no longer this worker's."""
        if self.held.get(attempt.id) is attempt:
            del self.held[attempt.id]

    def declare(self, attempts: Iterable[Attempt], now: int) -> pb.Frame:
        """Tells of starts; `now` (microseconds, wall clock) for those that are just about to."""
        frame = pb.Frame()
        add = frame.started.tasks.add
        for attempt in attempts:
            attempt.declared = True
            add(id=attempt.id, attempt=attempt.attempt, started_at=attempt.started_at or now)
        return frame

    def release(self, attempts: Sequence[Attempt], reason: str) -> pb.Frame:
        """Gives attempts back. If the link is lost before the answer, `register` without them says the same."""
        frame = pb.Frame(request=self._next_request())
        frame.release.reason = reason
        for attempt in attempts:
            self.drop(attempt)
            frame.release.tasks.add(id=attempt.id, attempt=attempt.attempt)
        return frame

    # ---------------------------------------------------------------- outcomes

    def give_up(self, attempt: Attempt, verdict: Verdict, failure: Failure | None) -> None:
        """Takes an outcome without the handler's: a stand-in is reported, and the attempt is no longer held."""
        stand_in = Attempt(attempt.assignment)
        stand_in.started_at, stand_in.declared = attempt.started_at, attempt.declared
        stand_in.verdict, stand_in.failure = verdict, failure
        if self.held.get(attempt.id) is attempt:
            self.held[attempt.id] = stand_in
            self.finish(stand_in)

    def finish(self, attempt: Attempt) -> None:
        """Takes the outcome of a held attempt; `outcomes` sends it. That of one that was dropped is not told."""
        if self.held.get(attempt.id) is attempt:
            self._waiting.append(attempt)
            self._spooled_bytes += len(attempt.result)

    def outcomes(self, now: float) -> pb.Frame | None:
        """The next frame of outcomes, or None: nothing waits, or enough is under way."""
        waiting = self._waiting
        if not waiting or not self.registered or len(self._in_flight) >= MAX_IN_FLIGHT or now < self._not_before:
            return None
        frame = pb.Frame(request=self._next_request())
        add = frame.finish.results.add
        sent: list[Attempt] = []
        room = FRAME_BYTES
        while waiting and len(sent) < self.max_batch and room > 0:
            attempt = waiting.popleft()
            room -= len(attempt.result)
            write_outcome(attempt, add)
            sent.append(attempt)
            if attempt.failure is not None:
                room -= len(attempt.failure.message) + len(attempt.failure.traceback)
            if waiting and len(waiting[0].result) > room:
                break
        self._in_flight[frame.request] = sent
        return frame

    def confirmed(self, request: int, finished: pb.Finished) -> list[Refusal]:
        """The answer to `outcomes`: kept, but for those refused, which are not told again."""
        sent = self._in_flight.pop(request, None)
        if sent is None:
            return []
        for attempt in sent:
            self._forget(attempt)
        return [Refusal(sent[r.index], r.code, r.detail) for r in finished.refused if r.index < len(sent)]

    def was_register(self, request: int) -> bool:
        """A Failure with this number refuses the registration."""
        return self._registers.pop(request, None) is not None

    def failed(self, request: int, failure: pb.Failure, now: float) -> list[Attempt]:
        """A whole request was refused. Outcomes wait to be sent again where the node only is away; else they are given,
        and told as failures, once."""
        self._beats.pop(request, None)
        sent = self._in_flight.pop(request, None)
        if sent is None:
            return []
        if failure.code in AWAY:
            self._waiting.extendleft(reversed(sent))
            self._not_before = now + (failure.retry_after / 1e6 or RETRY_AFTER)
            return []
        return [attempt for attempt in sent if self._refused_for_good(attempt, failure)]

    @property
    def unconfirmed(self) -> int:
        """Outcomes that no node has confirmed."""
        return len(self._waiting) + sum(map(len, self._in_flight.values()))

    @property
    def resumes_at(self) -> float | None:
        """When outcomes that a node could not take may be sent again."""
        return self._not_before if self._waiting and self.registered and self._not_before else None

    @property
    def spool_full(self) -> bool:
        return self._spooled_bytes > SPOOL_BYTES or len(self._waiting) > SPOOL_COUNT

    # --- inside

    def _unconfirmed(self) -> list[Attempt]:
        return [*(a for sent in self._in_flight.values() for a in sent), *self._waiting]

    def _forget(self, attempt: Attempt) -> None:
        self._spooled_bytes -= len(attempt.result)
        self.drop(attempt)

    def _refused_for_good(self, attempt: Attempt, failure: pb.Failure) -> bool:
        self._spooled_bytes -= len(attempt.result)
        if attempt.failure is not None and attempt.failure.error_type == "OutcomeRefused":
            self.drop(attempt)
            return False
        attempt.verdict, attempt.result, attempt.retry_after = Verdict.RAISED, b"", None
        attempt.failure = Failure(("OutcomeRefused",), failure.detail)
        self._waiting.append(attempt)
        return True

    @property
    def _good_for(self) -> float:
        return _short_of(self.lease_ttl * RENEWED)

    def _next_request(self) -> int:
        self._requests += 1
        return self._requests


def _short_of(ttl: float) -> float:
    return ttl - min(MARGIN, ttl * 0.2)


def write_outcome(attempt: Attempt, add: Callable[..., pb.Result]) -> None:
    """An attempt with its verdict, as a Result."""
    result = add(
        id=attempt.id,
        attempt=attempt.attempt,
        verdict=attempt.verdict,
        result=attempt.result,
        started_at=attempt.started_at,
        ran=attempt.ran,
        retry_after=attempt.retry_after,
    )
    if attempt.failure is not None:
        write_error(attempt.failure, result.error)
