"""The one stream of everything that changes: tasks, workers, what is set for groups, the node.

Changes are gathered for a tenth of a second; then how each task stands by now is told, encoded once for all readers. While
nobody listens nothing is kept and nothing encoded. Readers read from one ring, each at its own pace: one that is slower than the
ring forgets is told how much it has missed, and nobody waits for anybody.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence

from rota.model.control import Control
from rota.model.errors import Overloaded
from rota.model.series import Point
from rota.model.task import Task
from rota.model.text import instant_text
from rota.model.worker import WorkerRecord
from rota.observe import event_views as views
from rota.observe.event import RESET, Event, Filter
from rota.observe.event_forms import Form, place, place_of
from rota.observe.event_reader import Reader
from rota.observe.event_ring import Ring
from rota.observe.gathered import Gathered

WINDOW = 0.1
"""Seconds for which changes are gathered."""
SHARE = 9
"""A round is followed by a pause of so many times its length: events never take more than a tenth of the loop."""
MOST_READERS = 200
MOST_OF_ONE = 100
"""Readers of one token, so that none can keep all others out."""
DEAF_AFTER = 60.0
"""Seconds after the last reader has left for which events are kept, so that it can come again."""
MOST_SHARED = 2 * 1024 * 1024
"""Bytes of a round that are kept encoded, for readers who want the same."""


class Events:
    """Implements `contract.herald.Herald`. Belongs to the running loop; `close` once."""

    def __init__(
        self, now: Callable[[], int], worker_name: Callable[[int], str], *, deaf_after: float = DEAF_AFTER
    ) -> None:
        """`now`: the store's clock; `worker_name`: a worker's id by its number, "" where it is not known offhand."""
        self._now, self._worker_name, self._deaf_after = now, worker_name, deaf_after
        self._epoch = secrets.token_hex(4)
        self.seq = 0
        """The number of the last event."""
        self._ring = Ring()
        self._shared: dict[tuple[Filter, Form, int], tuple[bytes, int]] = {}
        self._shared_bytes = 0
        self._round_from = 0
        self._readers: dict[Reader, str] = {}
        self._gathered = Gathered()
        self._timer: asyncio.TimerHandle | None = None
        self._deaf: asyncio.TimerHandle | None = None
        self._round_took = 0.0
        self._closed = False
        self.listening = False

    @property
    def readers(self) -> int:
        """How many listen."""
        return len(self._readers)

    @property
    def place(self) -> str:
        """Where whoever starts to listen now is."""
        return place(self._epoch, self.seq)

    # --- what is told

    def tasks(self, tasks: Sequence[Task]) -> None:
        if self.listening:
            self._gathered.tasks({task.id: task for task in tasks})
            self._soon()

    def removed(self, ids: Sequence[bytes]) -> None:
        if self.listening:
            self._gathered.tasks(dict.fromkeys(ids))
            self._soon()

    def worker(self, kind: str, worker: WorkerRecord) -> None:
        view, groups, now = views.view_worker(worker), worker.facts.groups, instant_text(self._now())
        self._tell(lambda seq: _event("worker", groups, views.WorkerEvent(seq, now, kind, view)))

    def control(self, control: Control) -> None:
        now, groups = self._now(), views.control_groups(control)
        self._tell(lambda seq: _event("group", groups, views.control_event(seq, now, control)))

    def node(self, kind: str, detail: str = "") -> None:
        now = instant_text(self._now())
        self._tell(lambda seq: _event("node", None, views.NodeEvent(seq, now, kind, detail)))

    def stats(self, point: Point) -> None:
        """A point of the series. It is about every group, and so for those who see them all."""
        self._tell(lambda seq: _event("stats", (), views.stats_event(seq, point)))

    # --- who listens

    def join(self, wants: Filter, form: Form, last: str = "", who: str = "") -> Reader:
        """One more listens, from now on, or from where it was (`last`, as an earlier event said it). `who`: its token's kid.

        Raises Overloaded (`too_many_readers`).
        """
        if who and sum(other == who for other in self._readers.values()) >= MOST_OF_ONE:
            raise Overloaded(
                f"{MOST_OF_ONE} readers with this token listen to this node's events already; close one",
                code="too_many_readers",
            )
        if len(self._readers) >= MOST_READERS:
            raise Overloaded(
                f"{MOST_READERS} readers listen to this node's events already; close one, or come again later",
                code="too_many_readers",
            )
        reader = Reader(self, form, wants)
        self._readers[reader] = who
        self.listening = True
        if self._deaf is not None:
            self._deaf.cancel()
            self._deaf = None
        if self._closed:
            reader.end("the node stops")
        elif last:
            self.resume(reader, last)
        return reader

    def resume(self, reader: Reader, last: str) -> None:
        """The reader goes on behind `last`, or is told to read anew where what came since then is forgotten."""
        found = place_of(last)
        known = found is not None and found[0] == self._epoch and self._ring.floor <= found[1] <= self.seq
        reader.begin_after(found[1] if found is not None and known else None)

    def left(self, reader: Reader) -> None:
        """A reader listens no more."""
        self._readers.pop(reader, None)
        if not self._readers and self.listening and self._deaf is None:
            self._deaf = asyncio.get_running_loop().call_later(self._deaf_after, self._grow_deaf)

    # --- readers ask

    def read(self, after: int, wants: Filter, form: Form) -> tuple[bytes, int]:
        """Up to a chunk of what comes after a number, and the place behind it. What was forgotten is told as missed."""
        if after < self._ring.floor:
            view = views.BehindEvent(self.seq, self.seq - after)
            return self._alone(form, "behind", view), self.seq
        key = (wants, form, after)
        if (made := self._shared.get(key)) is not None:
            return made
        events, behind = self._ring.read(after, wants)
        made = (form.chunk(self._epoch, events) if events else b"", behind)
        if after >= self._round_from and self._shared_bytes < MOST_SHARED:
            self._shared[key] = made
            self._shared_bytes += len(made[0])
        return made

    def beat(self, form: Form) -> bytes:
        """A sign of life, with the place up to which everything was told."""
        return form.beat(self._epoch, self.seq)

    def reset(self, form: Form) -> bytes:
        """What a reader is told that cannot go on where it was."""
        view = views.ResetEvent(self.seq, "what came since then is not kept; read anew what you show")
        return self._alone(form, RESET, view)

    def close(self) -> None:
        """Tells what is left, and ends every reader. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for timer in (self._timer, self._deaf):
            if timer is not None:
                timer.cancel()
        if self.listening:
            self._round()
        self.listening = False
        for reader in self._readers:
            reader.end_soon("the node stops")

    # --- within

    def _tell(self, make: Callable[[int], Event]) -> None:
        if self.listening:
            self._gathered.other(make)
            self._soon()

    def _soon(self) -> None:
        if self._timer is None and not self._closed:
            pause = max(WINDOW, SHARE * self._round_took)
            self._timer = asyncio.get_running_loop().call_later(pause, self._round)

    def _round(self) -> None:
        self._timer = None
        begun = time.perf_counter()
        self._round_from = self.seq
        gathered, self._gathered = self._gathered, Gathered()
        events = gathered.events(self.seq, self._now(), self._worker_name)
        self.seq += len(events)
        self._shared.clear()
        self._shared_bytes = 0
        self._ring.add(events)
        for reader in self._readers:
            reader.wake()
        self._round_took = time.perf_counter() - begun

    def _alone(self, form: Form, name: str, view: views.ResetEvent | views.BehindEvent) -> bytes:
        """An event for one reader."""
        return form.chunk(self._epoch, [Event(view.seq, name, "", None, None, views.encode(view))])

    def _grow_deaf(self) -> None:
        """Nobody has come again. From now on changes go untold, so whoever comes later cannot go on from a place."""
        self._deaf = None
        self.listening = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._gathered = Gathered()
        self.seq += 1
        self._ring.clear(self.seq)
        self._shared.clear()


def _event(
    topic: str,
    groups: tuple[str, ...] | None,
    view: views.WorkerEvent | views.ControlEvent | views.NodeEvent | views.StatsEvent,
) -> Event:
    return Event(view.seq, topic, topic, groups, None, views.encode(view))
