"""Gathers what `why.explain` goes by, for one task: from memory what dispatch knows, from the store the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from rota.contract.store import Store
from rota.engine.limits import Limits
from rota.engine.roster import Roster, Seat
from rota.engine.store_watch import StoreWatch
from rota.engine.why import Absence, Hold, Server, Situation, explain
from rota.model.cause import Explanation
from rota.model.task import Lane, State, Task

MOST_NAMED = 100


class Reasons:
    """One per engine. Raises Unavailable where the store must be asked and does not answer."""

    def __init__(self, store: Store, roster: Roster, limits: Limits, watch: StoreWatch) -> None:
        self._store = store
        self._roster = roster
        self._limits = limits
        self._watch = watch

    async def explain(self, task: Task, unready: str, groups: frozenset[str] | None = None) -> Explanation:
        """`task`: its record. `unready`: why the node does not serve, if it does not. `groups`: whose workers may be told of;
        None: all."""
        return explain(task, await self._situation(task, unready or self._watch.away, groups))

    async def _situation(self, task: Task, unready: str, told: frozenset[str] | None) -> Situation:
        now = self._store.now()
        if task.state is State.RUNNING:
            return await self._held(task, now)
        if task.state is State.WAITING:
            return await self._waiting(task, now, unready)
        if task.state.ended:
            return Situation(now)
        lane = task.spec.lane
        seats = self._roster.eligible(lane)
        ready = task.state is State.READY
        return Situation(
            now,
            unready,
            [_server(seat) for seat in seats],
            None if seats else self._absence(lane, told),
            self._holds(task, now),
            self._key_holders(task) if ready else (),
            await self._store.place(lane, task.line, task.seq) if ready else 0,
        )

    async def _held(self, task: Task, now: int) -> Situation:
        seat = self._roster.seat(task.worker)
        named = seat.facts.id if seat is not None else await self._name(task.worker)
        held = self._roster.in_hand(task)
        if held is not None and task.started_at is None:
            task.started_at = held.started_at
        here = seat is not None and not seat.detached
        return Situation(now, holder=named if here else "", holder_named=named)

    async def _name(self, number: int | None) -> str:
        records = await self._store.workers([number]) if number is not None else []
        return records[0].facts.id if records else ""

    async def _waiting(self, task: Task, now: int, unready: str) -> Situation:
        parents = await self._store.parents(task.seq) if task.spec.after else []
        before = None
        if task.spec.order_key is not None:
            holders = await self._store.key_holders(task.spec.order_key)
            before = holders[0] if holders and holders[0] != task.id else None
        return Situation(now, unready, parents=parents, order_holder=before)

    def _holds(self, task: Task, now: int) -> list[Hold]:
        """The settings that let nothing of the task's lane start now, the widest scope first."""
        lane = task.spec.lane
        rule = self._limits.rule(lane)
        holds: list[Hold] = []
        for gate in rule.gates if rule is not None else ():
            control = gate.control
            full = control.concurrency is not None and len(gate.holders) >= control.concurrency
            spent = gate.bucket is not None and not gate.bucket.room(now)
            if control.paused or full or gate.learning or spent:
                next_at = gate.bucket.next_at(now) if spent and gate.bucket is not None else None
                holders = tuple(sorted(gate.holders)[:MOST_NAMED]) if full else ()
                holds.append(Hold(control, holders, full, gate.learning, next_at))
            bucket = gate.key_bucket(lane.key, now) if lane.key is not None else None
            if bucket is not None and not bucket.room(now):
                holds.append(Hold(replace(control, paused=False), next_at=bucket.next_at(now), by_key=True))
        return holds

    def _key_holders(self, task: Task) -> tuple[bytes, ...]:
        """Who takes up the task's key, where that leaves no room for the one that is first in its lane."""
        lane = task.spec.lane
        if lane.key is None:
            return ()
        holders = self._limits.key_holders(lane.key)
        if len(holders) < task.spec.concurrency_limit:
            return ()
        return tuple(sorted(holders)[:MOST_NAMED])

    def _absence(self, lane: Lane, told: frozenset[str] | None) -> Absence:
        seats = [seat for seat in self._roster if not seat.detached]
        offering = [seat for seat in seats if lane.method in seat.versions]
        groups: Counter[str] = Counter()
        for seat in offering:
            groups.update((sorted(seat.groups) or [""]) if told is None else sorted(seat.groups & told))
        heard = [seat for seat in offering if seat.reaches(lane.group)] or offering
        versions = {version for seat in heard for version in seat.versions[lane.method]}
        within = [seat for seat in offering if lane.group is None or lane.group in seat.groups]
        return Absence(
            dict(groups.most_common()),
            tuple(sorted(versions)),
            tuple(sorted({version for seat in within for version in seat.versions[lane.method]})),
            self._roster.offered(lane.method),
            any(seat.facts.id == lane.target and (told is None or seat.groups & told) for seat in seats),
        )


def _server(seat: Seat) -> Server:
    return Server(
        seat.facts.id,
        seat.facts.slots,
        seat.in_hand,
        seat.room,
        seat.draining or seat.stood_down,
        seat.overdue,
    )
