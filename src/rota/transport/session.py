"""One link of a client or worker, as the node has it: frames in, calls of the engine, answers out.

Requests of one link run side by side, up to `AT_ONCE`; they begin in the order they came, and nothing begins while a
worker's Register is under way, so that Register, Started, Finish and Release reach the engine in order. What arrives
beyond that waits, bounded by the credit the link gave. A frame is dealt with when its work is done (after the commit).
Everything written in one turn of the loop leaves together. When the other side does not read, no further request is
begun, ended tasks are kept as ids only, and after `STALLED_AFTER` seconds the link is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from rota.access.grant import Grant
from rota.engine.engine import Engine
from rota.link.carrier import Carrier
from rota.link.codes import Close, LinkFault
from rota.link.node_end import Arrival, NodeEnd
from rota.model.errors import RotaError
from rota.transport.doors import LinkWaiterDoor, LinkWorkerDoor
from rota.transport.hall import Hall
from rota.transport.outflow import Outflow
from rota.transport.permits import PERMITS
from rota.transport.requests import CALLS
from rota.transport.task_requests import unwait
from rota.transport.verbs import Verbs
from rota.transport.worker_desk import WorkerDesk
from rota.wire.v1.link_pb2 import Done, Frame

AT_ONCE = 64
"""Requests of one link that are under way at a time."""
MAX_PENDING = 20_000
"""Requests that wait to begin. The link's credit bounds their bytes; this bounds the small ones."""
_PARK_SIZE = 500
_logger = logging.getLogger("rota.transport")


class NodeSession:
    """Implements `link.carrier.Receiver` and what handlers see, `Caller`. Lives in the running loop."""

    def __init__(
        self,
        lobby: Hall,
        carrier: Carrier,
        token: str | None = None,
        source: str = "",
        certificate: frozenset[str] | None = None,
    ) -> None:
        """`token`: as it stood in the handshake; the Hello may bring one too. `source`: whom a bad one counts for.
        `certificate`: the URIs in the certificate that the other side has proved to have."""
        self._loop = asyncio.get_running_loop()
        self._carrier = carrier
        self.lobby = lobby
        self.engine: Engine = lobby.engine
        self.grant: Grant | None = None
        self.verbs: Verbs
        admit = partial(self._admit, source, certificate)
        self._end = NodeEnd(lobby.terms, PERMITS, admit, self._wall, self._loop.time(), token, self._forbade)
        self._out = Outflow(self._end, carrier)
        self.waiter = LinkWaiterDoor(self.ring, lambda: self._out.congested)
        self.worker = WorkerDesk(lobby, LinkWorkerDoor(self.ring, self.close), lambda: self.grant, self._not_registered)
        self._at_once: dict[str, Callable[[Any], None]] = {
            "started": self.worker.started,
            "report": self.worker.report,
            "unwait": partial(unwait, self),
        }
        self._reports: dict[str, Callable[[Any], Awaitable[Frame]]] = {
            "register": self.worker.register,
            "finish": self.worker.finish,
            "release": self.worker.release,
        }
        self.over = False
        self._winding_down = False
        self.under_way: set[asyncio.Task[None]] = set()
        self._follows: set[asyncio.Task[None]] = set()
        self._pending: deque[Arrival] = deque()
        self._rung = False
        lobby.enter(self)

    # --- the carrier calls

    def message(self, data: bytes) -> None:
        if self.over:
            return
        try:
            arrival = self._end.receive(data, self._loop.time())
            if arrival is not None:
                self._take(arrival)
        except LinkFault as fault:
            self.close(fault.code, fault.reason)
        self.ring()

    def closed(self, code: int, reason: str) -> None:
        self.over = True
        self.lobby.left(self)
        self._pending.clear()
        self._out.ended()
        for follow in self._follows:
            follow.cancel()
        self.engine.unwait(self.waiter)
        self.worker.left(self._end.leaving is not None, self._end.leaving or reason or f"the link closed ({code})")

    # --- the lobby, the handlers and the doors call

    @property
    def is_client(self) -> bool:
        return self._end.greeted and not self._end.registered

    def tick(self) -> None:
        now = self._loop.time()
        try:
            self._out.tick(now)
            self._end.tick(now)
            self._out.write((), now)
        except LinkFault as fault:
            self.close(fault.code, fault.reason)
        if self._pending or self.waiter.parked:
            self.ring()

    def wind_down(self) -> None:
        """Begins no further request; the client asks elsewhere, or again."""
        self._winding_down = True

    def close(self, code: int, reason: str) -> None:
        """Says goodbye where that is in order, sends what is ready, and ends. `closed` follows."""
        if self.over:
            return
        self.over = True
        if code in (Close.NORMAL, Close.GOING_AWAY):
            self._end.goodbye(reason)
        with contextlib.suppress(LinkFault):
            self._out.write(self._said(), self._loop.time())
        self._carrier.close(code, reason)

    def ring(self) -> None:
        """Something is to be written: at the end of this turn of the loop."""
        if not self._rung:
            self._rung = True
            self._loop.call_soon(self._turn)

    def send(self, request: int, frame: Frame) -> None:
        self._end.answer(request, frame, self._loop.time())
        self.ring()

    async def room(self) -> None:
        await self._out.room()

    def follow(self, task: asyncio.Task[None]) -> None:
        self._follows.add(task)
        task.add_done_callback(self._follows.discard)

    @property
    def follows(self) -> int:
        return len(self._follows)

    # --- inside

    def _admit(self, source: str, certificate: frozenset[str] | None, token: str | None) -> frozenset[str]:
        self.grant = grant = self.lobby.policy.admit(token, source, certificate)
        self.verbs = self.lobby.verbs(grant, "link", source)
        return grant.roles

    def _forbade(self, kind: str, error: RotaError) -> None:
        self.verbs.record.refused(kind, "", self.verbs.grant, error)

    def _wall(self) -> int:
        return self.engine.live_counts().now

    def _not_registered(self) -> None:
        self._end.registered = False

    def _take(self, arrival: Arrival) -> None:
        if arrival.kind == "heartbeat":
            self.worker.heartbeat(arrival.body, self._loop.time())
            self.send(arrival.request, Frame(done={}))
            return
        if len(self._pending) >= MAX_PENDING:
            raise LinkFault(Close.FLOW, f"{MAX_PENDING} requests wait to begin; wait for answers")
        self._pending.append(arrival)
        self._begin()

    def _begin(self) -> None:
        try:
            while self._pending and self._may_begin():
                arrival = self._pending.popleft()
                if arrival.kind in self._at_once:
                    self._do_now(arrival)
                else:
                    self._start(arrival)
        except LinkFault as fault:
            self.close(fault.code, fault.reason)

    def _may_begin(self) -> bool:
        busy = self._winding_down or self.worker.registering or len(self.under_way) >= AT_ONCE
        return not (busy or self.over or self._out.congested)

    def _do_now(self, arrival: Arrival) -> None:
        try:
            self._at_once[arrival.kind](arrival.body)
        except Exception as error:
            self._refuse(arrival, error)
        else:
            self._end.answer(arrival.request, Frame(done=Done()), self._loop.time())
        finally:
            self._end.dealt_with(arrival.size)

    def _start(self, arrival: Arrival) -> None:
        if arrival.kind == "register":
            self.worker.registering = True
        self._track(self._loop.create_task(self._do(arrival)))

    def _track(self, task: asyncio.Task[None]) -> None:
        self.under_way.add(task)
        task.add_done_callback(self._done)

    async def _do(self, arrival: Arrival) -> None:
        try:
            frame = await self._call(arrival)
            if frame is not None:
                self._end.answer(arrival.request, frame, self._loop.time())
        except LinkFault as fault:
            self.close(fault.code, fault.reason)
        except Exception as error:
            self._refuse_or_close(arrival, error)
        finally:
            self._end.dealt_with(arrival.size)
            if arrival.kind == "register":
                self.worker.registering = False
            self.ring()

    async def _call(self, arrival: Arrival) -> Frame | None:
        if arrival.kind in self._reports:
            return await self._reports[arrival.kind](arrival.body)
        return await CALLS[arrival.kind](self, arrival.body, arrival.request)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.under_way.discard(task)
        if self.over:
            self.engine.unwait(self.waiter)
        else:
            self._begin()

    def _refuse_or_close(self, arrival: Arrival, error: Exception) -> None:
        try:
            self._refuse(arrival, error)
        except LinkFault as fault:
            self.close(fault.code, fault.reason)

    def _refuse(self, arrival: Arrival, error: Exception) -> None:
        if isinstance(error, LinkFault):
            raise error
        if not isinstance(error, RotaError):
            _logger.error("a %s failed inside the node", arrival.kind, exc_info=error)
        self._end.refuse(arrival.request, error, self._loop.time())

    def _turn(self) -> None:
        self._rung = False
        if self.over:
            return
        try:
            self._out.write(self._said(), self._loop.time())
        except LinkFault as fault:
            _logger.error("a frame for the other side of a link does not fit: %s", fault.reason)
            self.close(fault.code, fault.reason)
            return
        if not self._out.congested:
            self._begin()
            self._unpark()

    def _said(self) -> list[Frame]:
        return [*self.worker.take(), *self.waiter.take()]

    def _unpark(self) -> None:
        """Asks anew for ended tasks of which only the ids were kept."""
        if not self.waiter.parked or len(self.under_way) >= AT_ONCE:
            return
        ids, self.waiter.parked = self.waiter.parked[:_PARK_SIZE], self.waiter.parked[_PARK_SIZE:]
        self._track(self._loop.create_task(self._wait_anew(ids)))

    async def _wait_anew(self, ids: list[bytes]) -> None:
        try:
            self.waiter.unknown(await self.verbs.wait(ids, self.waiter))
        except RotaError:
            self.waiter.parked = ids + self.waiter.parked
