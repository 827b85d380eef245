"""Groups as people look at them, put together from what the store counts and who is connected; a page of them at a time.

What a page costs goes by the page, by the workers that are connected and by what is set, and not by how many groups there
are. A name that is empty stands for the tasks without a group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rota.contract.store import GroupCounts, Store
from rota.engine.gauges import Gauges
from rota.engine.limits import Limits
from rota.engine.roster import Roster, Seat
from rota.model.control import Scope
from rota.model.group import GroupView
from rota.model.task import State


class Groups:
    """One per engine."""

    def __init__(self, store: Store, roster: Roster, limits: Limits, gauges: Gauges) -> None:
        self._store, self._roster, self._limits, self._gauges = store, roster, limits, gauges

    async def page(self, after: str | None, limit: int, only: Collection[str] | None) -> list[GroupView]:
        """See `Engine.groups`."""
        return await (self._of_all(after, limit) if only is None else self._of_these(only, after, limit))

    async def _of_all(self, after: str | None, limit: int) -> list[GroupView]:
        counts = await self._store.group_counts(after, limit)
        # A full page of groups with tasks ends with the last of them, whoever else is there.
        last = max(counts, default="") if len(counts) >= limit else None
        others = set(self._controlled()).union(*{seat.groups for seat in self._seats()})
        names = {*counts, *(name for name in others if name > (after or "") and (last is None or name < last))}
        if after is None:
            names.add("")
        return self._views(sorted(names)[:limit], counts)

    async def _of_these(self, only: Collection[str], after: str | None, limit: int) -> list[GroupView]:
        """Those of them that are there; asked for by portions, for there may be more names than a page has."""
        names = sorted(name for name in only if after is None or name > after)
        views: list[GroupView] = []
        while names and len(views) < limit:
            portion, names = names[:limit], names[limit:]
            counts = await self._store.group_counts(names=portion)
            wanted = frozenset(portion)
            there = (wanted & {""}).union(counts, *(wanted & seat.groups for seat in self._seats()))
            there |= {name for name in portion if self._limits.control(Scope.GROUP, name) is not None}
            views += self._views(sorted(there)[: limit - len(views)], counts)
        return views

    def _controlled(self) -> Iterable[str]:
        return (control.name for control in self._limits.controls() if control.scope is Scope.GROUP)

    def _seats(self) -> list[Seat]:
        return [seat for seat in self._roster if not seat.detached]

    def _views(self, names: Collection[str], counts: GroupCounts) -> list[GroupView]:
        workers, slots = self._serving(frozenset(names))
        now = self._store.now()
        return [self._view(name, counts.get(name, {}), workers[name], slots[name], now) for name in names]

    def _serving(self, names: frozenset[str]) -> tuple[dict[str, int], dict[str, int]]:
        """By group: the workers that serve it, and their slots."""
        workers, slots = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        for seat in self._seats():
            more = 0 if seat.draining or seat.stood_down else seat.facts.slots
            for name in names & seat.groups:
                workers[name] += 1
                slots[name] += more
            if not seat.confined and "" in workers:
                workers[""] += 1
                slots[""] += more
        return workers, slots

    def _view(self, name: str, methods: dict[str, dict[State, int]], workers: int, slots: int, now: int) -> GroupView:
        group = name or None
        tasks: dict[State, int] = {}
        for states in methods.values():
            for state, count in states.items():
                tasks[state] = tasks.get(state, 0) + count
        return GroupView(
            group,
            dict(sorted(tasks.items())),
            {method: methods[method].get(State.READY, 0) for method in sorted(methods)},
            workers,
            slots,
            tasks.get(State.RUNNING, 0),
            self._limits.control(Scope.GROUP, name),
            self._gauges.group_submits.value(group, now),
            self._gauges.group_finishes.value(group, now),
        )
