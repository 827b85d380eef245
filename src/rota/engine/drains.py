"""What people ask of workers: take nothing more, take tasks again, end."""

from __future__ import annotations

from rota.contract.herald import Herald
from rota.engine.dispatch import Dispatch
from rota.engine.roster import Roster, Seat
from rota.model.errors import NotFound
from rota.model.worker import WorkerRecord

MOST_REMEMBERED = 10_000


class Drains:
    """Who was asked to take nothing more; a worker that connects again is still meant, while this node lives."""

    def __init__(self, roster: Roster, dispatch: Dispatch, herald: Herald) -> None:
        self._roster = roster
        self._dispatch = dispatch
        self._herald = herald
        self._asked: dict[str, None] = {}

    def holds(self, worker_id: str) -> bool:
        return worker_id in self._asked

    def drain(self, number: int) -> WorkerRecord:
        """It is given nothing more, and asked for what it has not started. Raises NotFound (`worker_not_found`)."""
        seat = self._seat(number)
        if len(self._asked) >= MOST_REMEMBERED:
            del self._asked[next(iter(self._asked))]
        self._asked[seat.facts.id] = None
        news = not seat.stood_down
        seat.stood_down = True
        if waiting := seat.unstarted():
            seat.door.recall(len(waiting))
        record = seat.record()
        if news:
            self._herald.worker("drains", record)
        return record

    def resume(self, number: int) -> WorkerRecord:
        """It is given tasks again. Raises NotFound (`worker_not_found`)."""
        seat = self._seat(number)
        self._asked.pop(seat.facts.id, None)
        news, seat.stood_down = seat.stood_down, False
        record = seat.record()
        if news:
            self._herald.worker("resumed", record)
            self._dispatch.kick()
        return record

    def shut_down(self, number: int, reason: str) -> WorkerRecord:
        """It is given nothing more, and asked to end in an orderly way. Raises NotFound (`worker_not_found`)."""
        self.drain(number)
        seat = self._seat(number)
        seat.door.shut_down(reason)
        return seat.record()

    def _seat(self, number: int) -> Seat:
        seat = self._roster.seat(number)
        if seat is None or seat.detached:
            raise NotFound("no such worker is connected: it has gone, or never was here", code="worker_not_found")
        return seat
