"""What a worker's frames ask, for one link: Register first, then reports about what it holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rota.access.grant import Grant
from rota.engine.engine import Engine
from rota.engine.sessions import WorkerSession
from rota.link.codes import Close, LinkFault
from rota.model.errors import Conflict, InvalidInput
from rota.model.method import Method
from rota.model.report import Held
from rota.model.worker import Facts
from rota.transport.doors import LinkWorkerDoor
from rota.transport.hall import Hall
from rota.wire.codec import check_id, read_held, read_refs, read_reports, write_refs
from rota.wire.codec_view import read_lines, read_progress
from rota.wire.codec_worker import read_facts, read_load, read_methods
from rota.wire.v1 import link_pb2 as pb

KEY_BYTES = (16, 64)
MAX_REASON = 200


class WorkerDesk:
    """`refused` is called when a Register was not granted, so that another may come."""

    def __init__(
        self, lobby: Hall, door: LinkWorkerDoor, grant: Callable[[], Grant | None], refused: Callable[[], None]
    ) -> None:
        """`grant`: what the link was let in with."""
        self._lobby, self._door, self._grant, self._refused = lobby, door, grant, refused
        self._engine: Engine = lobby.engine
        self._session: WorkerSession | None = None
        self._identity = ("", b"")
        self._gone: tuple[bool, str] | None = None
        self._beat_at = -math.inf
        self.registering = False
        """Nothing else of this link begins meanwhile."""

    def take(self) -> list[pb.Frame]:
        """What the engine says to the worker; nothing before it has been told that it is registered."""
        return [] if self.registering else self._door.take()

    async def register(self, body: pb.Register) -> pb.Frame:
        """Raises LinkFault where the link must end: the id is another's, or this link is another worker's."""
        try:
            facts, methods, held = read_facts(body.facts), read_methods(body.methods), read_held(body.held, "held")
            grant = self._grant()
            if grant is not None:
                grant.check_worker(facts.groups)
            confined = grant is not None and not grant.everywhere
            lost = await self._enter(facts, methods, held, _key(body), body.draining, confined)
        except Conflict as error:
            raise LinkFault(Close.WORKER_ID_TAKEN, error.detail) from error
        finally:
            if self._session is None:
                self._refused()
        frame = pb.Frame()
        frame.registered.SetInParent()
        write_refs(lost, frame.registered.lost.add)
        return frame

    async def _enter(
        self,
        facts: Facts,
        methods: Sequence[Method],
        held: Sequence[Held],
        key: bytes,
        draining: bool,
        confined: bool,
    ) -> list[tuple[bytes, int]]:
        if self._session is not None:
            if self._identity != (facts.id, key):
                raise LinkFault(Close.BAD_FRAME, f"this link is the worker {self._identity[0]!r}'s; open another")
            await self._session.reregister(facts, methods, draining)
            return []
        session, lost = await self._engine.connect(facts, methods, held, key, draining, self._door, confined)
        self._session, self._identity = session, (facts.id, key)
        if self._gone is not None:
            self._lobby.errand(session.closed(*self._gone))
        return lost

    def left(self, drained: bool, reason: str) -> None:
        """The link is over. If a Register is under way, the engine is told when it has ended."""
        self._gone = (drained, reason[:MAX_REASON])
        if self._session is not None:
            self._lobby.errand(self._session.closed(*self._gone))

    def started(self, body: pb.Started) -> None:
        self._let_in().started(read_held(body.tasks))

    async def finish(self, body: pb.Finish) -> pb.Frame:
        refused = await self._let_in().finished(read_reports(body.results))
        frame = pb.Frame()
        frame.finished.SetInParent()
        for refusal in refused:
            frame.finished.refused.add(index=refusal.index, code=refusal.code, detail=refusal.detail)
        return frame

    async def release(self, body: pb.Release) -> pb.Frame:
        await self._let_in().released(read_refs(body.tasks), body.reason)
        return pb.Frame(done=pb.Done())

    def heartbeat(self, body: pb.Heartbeat, now: float) -> None:
        """Passed on ten times a heartbeat at most; and not before the Register is answered, when nothing is to be renewed."""
        if self._session is not None and now - self._beat_at >= self._lobby.terms.heartbeat / 10:
            self._beat_at = now
            self._session.heartbeat(read_load(body.load))

    def report(self, body: pb.Report) -> None:
        session = self._let_in()
        for place, entry in enumerate(body.entries):
            task_id = check_id(entry.id, f"entries[{place}].id")
            progress = read_progress(entry.progress, entry.attempt) if entry.HasField("progress") else None
            session.report(task_id, entry.attempt, read_lines(entry.lines, entry.attempt), progress)

    def _let_in(self) -> WorkerSession:
        if self._session is None:
            raise Conflict("this worker is not registered: its Register was refused", code="not_registered")
        return self._session


def _key(body: pb.Register) -> bytes:
    least, most = KEY_BYTES
    if not least <= len(body.session_key) <= most:
        raise InvalidInput.at("session_key", "invalid_key", f"a session key is {least} to {most} random bytes")
    return body.session_key
