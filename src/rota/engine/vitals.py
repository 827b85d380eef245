"""What an operator is woken for: how late things are, what is in hand, and whether the store answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from rota.contract.coordination import ReadyIndex
from rota.contract.store import Store
from rota.engine.caretaker import PAGE, Caretaker
from rota.engine.gauges import Gauges
from rota.engine.roster import Roster
from rota.model.errors import RotaError
from rota.model.task import PRIORITY_STEP, State, Task
from rota.telemetry.histogram import Histogram

WITHIN = 1.0
"""Seconds that the store has to answer: a metric that is asked for every few seconds does not wait for a sick disk."""
MOST_LANES = 10_000
"""Lanes that are looked at for their oldest task."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """Instants and durations are microseconds."""

    tasks: Mapping[State, int] = field(default_factory=dict)
    """By state; empty where the store did not answer."""
    store_up: bool = True
    """It answers, and its last write went well."""
    overdue: int = 0
    """How long the earliest due instant (a start, a lease, an expiry) is past; 0: nothing is late."""
    leases_overdue: int = 0
    """Leases that have lapsed and are not dealt with yet; counted up to a page."""
    oldest_ready: Mapping[str | None, int] = field(default_factory=dict)
    """By group: how long the task has been ready that comes next and has waited longest."""
    workers: int = 0
    draining: int = 0
    slots: int = 0
    running: int = 0
    leased: int = 0
    """In the hands of workers, running or given ahead."""
    caretaker_at: int = 0
    """When the caretaker's last round went well; 0: never yet."""
    commit_seconds: Histogram | None = None
    """Of the store, where it commits."""
    wait_seconds: Histogram | None = None
    run_seconds: Histogram | None = None
    """Of tasks: from ready to leased, from started to ended."""


async def take(store: Store, index: ReadyIndex, roster: Roster, caretaker: Caretaker, gauges: Gauges) -> Vitals:
    """From memory, but for what is due, which the store is asked."""
    now = store.now()
    tasks, overdue, leases = await _due(store, now)
    seats = [seat for seat in roster if not seat.detached]
    return Vitals(
        tasks,
        bool(tasks) and not store.trouble,
        overdue,
        leases,
        _oldest(islice(index.heads(), MOST_LANES), now),
        len(seats),
        sum(seat.draining or seat.stood_down for seat in seats),
        sum(seat.facts.slots for seat in seats),
        sum(len(seat.started) for seat in seats),
        sum(seat.in_hand for seat in seats),
        caretaker.last_success,
        store.commit_seconds,
        gauges.wait_seconds,
        gauges.run_seconds,
    )


async def _due(store: Store, now: int) -> tuple[Mapping[State, int], int, int]:
    try:
        async with asyncio.timeout(WITHIN):
            tasks, due = await store.counts(), await store.next_due()
            overdue = max(0, now - due) if due is not None else 0
            leases = len(await store.due(State.RUNNING, now, None, PAGE)) if overdue else 0
    except (RotaError, TimeoutError):
        return {}, 0, 0
    return tasks, overdue, leases


def _oldest(heads: Iterable[Task], now: int) -> dict[str | None, int]:
    oldest: dict[str | None, int] = {}
    for task in heads:
        ready_at = task.line + task.spec.priority * PRIORITY_STEP
        group = task.spec.lane.group
        oldest[group] = max(oldest.get(group, 0), now - ready_at)
    return oldest
