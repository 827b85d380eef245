"""Ready tasks to workers with room: the least loaded first, in the order of the lines, many in one write.

Choosing is synchronous and takes the room at once; the claim is then written, and what the store grants is assigned.
So any number of rounds may be under way together, and share a commit, without giving one place twice.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Sequence

from rota.contract.coordination import ReadyIndex
from rota.contract.herald import Herald
from rota.contract.store import Store
from rota.engine.fronts import Crew, Front, Fronts
from rota.engine.gate import Rule
from rota.engine.gauges import Gauges
from rota.engine.limits import Limits
from rota.engine.roster import Roster, Seat
from rota.engine.settings import EngineSettings
from rota.engine.store_watch import StoreWatch
from rota.engine.timer import Timer
from rota.life.duty import Errands
from rota.life.failpoint import failpoint
from rota.model import lifecycle
from rota.model.errors import RotaError
from rota.model.retry import SECOND
from rota.model.task import Lane, Reason, State, Task

SUSPECT = frozenset({Reason.GIVEN_BACK, Reason.LEASE_LOST})
"""A task that comes from a lost worker is announced before it starts, so that one that kills workers is counted."""
RECALL_AFTER = 0.15
"""Seconds that un-started tasks may sit with a busy worker while another has a free slot."""
STORE_AWAY_PAUSE = 0.5
MOST_A_ROUND = 2_000

Pick = tuple[Seat, Task]
GiveBack = Callable[[Seat, Sequence[Task], Reason], Coroutine[None, None, None]]


class Dispatch:
    """Matches the lines with the roster whenever one of them changed."""

    undelivered: GiveBack
    """Takes back leased tasks whose worker was gone before it could be told. Set by the engine."""

    def __init__(
        self,
        store: Store,
        index: ReadyIndex,
        roster: Roster,
        timer: Timer,
        gauges: Gauges,
        herald: Herald,
        watch: StoreWatch,
        settings: EngineSettings,
    ) -> None:
        self._store = store
        self._index = index
        self._roster = roster
        self._timer = timer
        self._gauges = gauges
        self._herald = herald
        self._watch = watch
        self._settings = settings
        self._alarm = Timer(store.now, self.kick)
        self.limits = Limits(store.now, self._alarm.by)
        self._fronts = Fronts(index, roster, self.limits)
        self._rounds = Errands("dispatch")
        self._kicked = False
        self._refilling = False
        self._recall: asyncio.TimerHandle | None = None
        self._stopped = False

    def kick(self) -> None:
        """Something became ready, or somebody got room: look once this turn of the loop is over."""
        if not self._kicked and not self._stopped:
            self._kicked = True
            asyncio.get_running_loop().call_soon(self._look)

    def ready(self, tasks: Sequence[Task]) -> None:
        """Tasks that became ready, by the store's word; those that wait for their time instead are noted for it."""
        for task in tasks:
            if task.state is State.SCHEDULED and task.due_at is not None:
                self._timer.by(task.due_at)
        self._index.push(task for task in tasks if task.state is State.READY)
        self.kick()

    def express(self, tasks: Sequence[Task], now: int) -> list[Pick]:
        """Leases new records before they are kept, where nothing is ahead of them and a worker has room."""
        picks: list[Pick] = []
        by_lane: dict[Lane, list[Task]] = {}
        for task in tasks:
            spec = task.spec
            # What becomes of the others hangs on other tasks, which the store alone knows.
            if task.state is State.READY and not (spec.order_key or spec.after or spec.unique_mode == "replace"):
                by_lane.setdefault(spec.lane, []).append(task)
        for lane, fresh in by_lane.items():
            if self._index.empty(lane):
                fresh.sort(key=_line)
                rule = self.limits.rule(lane)
                if rule is not None or lane.key is not None:
                    picks += self._place_within(rule, lane, fresh)
                else:
                    picks += self._place(fresh, self._roster.eligible(lane))
        for seat, task in picks:
            lifecycle.claim(task, seat.number, now, self._settings.lease_ttl).onto(task)
        return picks

    def take_back(self, picks: Sequence[Pick]) -> None:
        """The express leases of a submit that was not kept are void."""
        for seat, task in picks:
            seat.drop(task.id)
        if picks:
            self._not_leased([task for _, task in picks])
            self.kick()

    def accepted(self, picks: Sequence[Pick], tasks: Sequence[Task], *, complete: bool) -> None:
        """A submit is kept: assigns what it leased, and lines up the rest."""
        if not complete:
            kept = {id(task) for task in tasks}
            void = [pick for pick in picks if id(pick[1]) not in kept]
            self.take_back(void)
            picks = [pick for pick in picks if id(pick[1]) in kept]
        if picks := [pick for pick in picks if _is_still_its(*pick)]:
            self._leased([task for _, task in picks])
            self._assign(picks, frozenset())
        if len(picks) < len(tasks):
            self.ready([task for task in tasks if task.state is not State.RUNNING])

    async def stop(self) -> None:
        """No new rounds; waits for those under way."""
        self._stopped = True
        self._alarm.cancel()
        if self._recall is not None:
            self._recall.cancel()
        await self._rounds.done()

    def _look(self) -> None:
        self._kicked = False
        if self._stopped:
            return
        picks = self._choose()
        if picks:
            self._rounds.run(self._claim(picks))
            if len(picks) >= MOST_A_ROUND:
                self.kick()
        elif self._must_refill():
            self._rounds.run(self._refill())
        self._watch_the_idle()

    def _choose(self) -> list[Pick]:
        self._fronts.learn()
        heads = [(*head, order, crew) for order, crew in enumerate(self._fronts) if (head := crew.head()) is not None]
        heapq.heapify(heads)
        picks: list[Pick] = []
        while heads and len(picks) < MOST_A_ROUND:
            _, _, order, crew = heapq.heappop(heads)
            if not (seats := crew.free()) or (front := crew.first()) is None:
                continue
            room = min(sum(seat.room for seat in seats), MOST_A_ROUND)
            if front.rule is None or (room := min(room, front.rule.room(self._store.now()))):
                picks += self._place_next(crew, front, seats, room, heads[0][:2] if heads else None)
            else:
                self._fronts.shut(crew, front)
            if (head := crew.head()) is not None:
                heapq.heappush(heads, (*head, order, crew))
        return picks

    def _place_next(
        self, crew: Crew, front: Front, seats: Sequence[Seat], room: int, other: tuple[int, int] | None
    ) -> list[Pick]:
        """Places up to `room` tasks of the front's first lane, as far as they come before those of the `other` crews."""
        lane = front.pop()
        nexts = [place for place in (crew.head(), other) if place is not None]
        until = min(nexts, default=None)
        taken = self._index.take(lane, room, until) if lane.key is None else self._take_keyed(front, lane, room, until)
        placed = self._place(taken, seats)
        if front.rule is not None or lane.key is not None:
            self.limits.enter(front.rule, [task for _, task in placed])
        self._fronts.put(lane)
        return placed

    def _take_keyed(self, front: Front, lane: Lane, room: int, until: tuple[int, int] | None) -> list[Task]:
        """Takes what the lane's concurrency key has room for; parks the lane where that is nothing."""
        first = self._index.first(lane)
        if first is None or lane.key is None:
            return []
        allowed = self.limits.key_room(front.rule, lane.key, first.spec.concurrency_limit)
        if not allowed:
            self.limits.park(front.rule, lane, first)
            return []
        taken = self._index.take(lane, min(room, allowed), until)
        fitting = self.limits.fitting(taken)
        if fitting < len(taken):
            self._index.push(taken[fitting:])
        return taken[:fitting]

    def _place_within(self, rule: Rule | None, lane: Lane, fresh: Sequence[Task]) -> list[Pick]:
        """Places as many of these new tasks of a lane as its limits leave room for."""
        allowed = rule.room(self._store.now()) if rule is not None else len(fresh)
        if lane.key is not None and allowed:
            if self.limits.waited_for(lane.key):
                return []
            allowed = min(allowed, self.limits.key_room(rule, lane.key, fresh[0].spec.concurrency_limit))
            allowed = self.limits.fitting(fresh[:allowed])
        placed = self._place(fresh[:allowed], self._roster.eligible(lane))
        self.limits.enter(rule, [task for _, task in placed])
        return placed

    def _leased(self, tasks: Sequence[Task]) -> None:
        if self.limits.active or self.limits.counting:
            self.limits.granted(tasks)

    def _not_leased(self, tasks: Sequence[Task]) -> None:
        if self.limits.active or self.limits.counting:
            self.limits.refused(tasks)

    def _place(self, tasks: Sequence[Task], eligible: Sequence[Seat]) -> list[Pick]:
        """Gives tasks, in order, each to the least loaded seat with room; takes that room."""
        seats = [seat for seat in eligible if seat.room > 0]
        if len(seats) == 1:
            seat = seats[0]
            given = [task for task in tasks[: seat.room] if task.id not in seat.held]
            seat.give(given)
            return [(seat, task) for task in given]
        picks: list[Pick] = []
        loads = [(seat.fullness, order, seat) for order, seat in enumerate(seats)]
        heapq.heapify(loads)
        for task in tasks:
            if not loads:
                break
            _, order, seat = loads[0]
            if task.id in seat.held:
                continue  # an older look at a task that the seat has by now
            seat.give((task,))
            picks.append((seat, task))
            if seat.room > 0:
                heapq.heapreplace(loads, (seat.fullness, order, seat))
            else:
                heapq.heappop(loads)
        return picks

    async def _claim(self, picks: list[Pick]) -> None:
        now = self._store.now()
        ttl = self._settings.lease_ttl
        claims = [lifecycle.claim(task, seat.number, now, ttl) for seat, task in picks]
        failpoint("dispatch.before_claim")
        try:
            applied = await self._store.apply(claims)
        except BaseException as error:
            self._watch.failed(error)
            await self._undo(picks)
            if not isinstance(error, RotaError):
                raise
            return
        failpoint("dispatch.after_claim")
        granted: list[Pick] = []
        refused: list[Task] = []
        suspects: set[int] = set()
        for pick, change in zip(picks, claims, strict=True):
            seat, task = pick
            if task.seq not in applied.accepted:
                seat.drop(task.id)
                refused.append(task)
                continue
            if task.reason in SUSPECT:
                suspects.add(task.seq)
            change.onto(task)
            granted.append(pick)
        if granted:
            self._leased([task for _, task in granted])
            self._assign(granted, frozenset(suspects))
            if self._herald.listening:
                self._herald.tasks([task for _, task in granted])
        if refused:
            self._not_leased(refused)
            self.kick()
        if self._must_refill():
            await self._refill()

    async def _undo(self, picks: Sequence[Pick]) -> None:
        """The store is away: the places are free again, the tasks back in line, and the next look is after a pause."""
        for seat, task in picks:
            seat.drop(task.id)
        self._not_leased([task for _, task in picks])
        self._index.push(task for _, task in picks)
        await asyncio.sleep(STORE_AWAY_PAUSE)
        self.kick()

    def _assign(self, picks: Sequence[Pick], suspects: frozenset[int]) -> None:
        by_seat: dict[Seat, list[Task]] = {}
        for seat, task in picks:
            by_seat.setdefault(seat, []).append(task)
        self._gauges.leased(picks)
        # A worker may be heard of and still not renew: the lapse of what it was given has an alarm of its own.
        self._timer.by(self._store.now() + self._settings.lease_ttl)
        for seat, tasks in by_seat.items():
            if seat.detached:
                self._rounds.run(self.undelivered(seat, tasks, Reason.GIVEN_BACK))
            else:
                seat.door.assign(tasks, suspects)

    def _must_refill(self) -> bool:
        return not self._refilling and self._index.lacking()

    async def _refill(self) -> None:
        self._refilling = True
        try:
            if await self._index.refill():
                self.kick()
        except RotaError:
            await asyncio.sleep(STORE_AWAY_PAUSE)
            self.kick()
        finally:
            self._refilling = False

    def _watch_the_idle(self) -> None:
        """Looks again a little later where tasks wait un-started with one worker while another has a free slot."""
        if self._recall is None and self._backlogged() is not None:
            self._recall = asyncio.get_running_loop().call_later(RECALL_AFTER, self._call_back)

    def _backlogged(self) -> tuple[Seat, int] | None:
        """The seat with most tasks beyond its slots, and how many a seat with free slots could run of them."""
        fullest = max(self._roster, key=lambda seat: seat.in_hand - seat.facts.slots, default=None)
        if fullest is None or fullest.in_hand <= fullest.facts.slots:
            return None
        lanes = {task.spec.lane for task in fullest.held.values() if task.id not in fullest.started}
        idle = sum(
            seat.idle_slots
            for seat in self._roster
            if seat is not fullest and any(seat in self._roster.eligible(lane) for lane in lanes)
        )
        count = min(idle, fullest.in_hand - fullest.facts.slots)
        return (fullest, count) if count > 0 else None

    def _call_back(self) -> None:
        self._recall = None
        if self._stopped or (found := self._backlogged()) is None:
            return
        seat, count = found
        now = self._store.now()
        if now - seat.recalled_at >= RECALL_AFTER * SECOND:
            seat.recalled_at = now
            seat.door.recall(count)
        self._watch_the_idle()


def _is_still_its(seat: Seat, task: Task) -> bool:
    """Whether the seat has the task by its first lease: its worker may have come anew before that was heard of, and the
    task been given back."""
    return task.state is State.RUNNING and task.attempt == 1 and seat.held.get(task.id) is task


def _line(task: Task) -> int:
    return task.line
