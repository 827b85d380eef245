"""Groups as people look at them, put together from what the store counts and who is connected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rota.engine.gauges import Gauges
from rota.engine.limits import Limits
from rota.engine.roster import Roster
from rota.model.control import Scope
from rota.model.group import GroupView
from rota.model.task import Lane, State


def survey(
    lanes: Mapping[Lane, Mapping[State, int]],
    roster: Roster,
    limits: Limits,
    gauges: Gauges,
    now: int,
    only: frozenset[str] | None = None,
) -> list[GroupView]:
    """Every group that has unended tasks, connected workers, or something set for it; None first, then by name. `only`: of
    these alone, at the price of these."""
    tasks: defaultdict[str | None, dict[State, int]] = defaultdict(dict)
    depths: defaultdict[str | None, dict[str, int]] = defaultdict(dict)
    for lane, counts in lanes.items():
        if only is not None and lane.group not in only:
            continue
        here, ready = tasks[lane.group], depths[lane.group]
        for state, count in counts.items():
            here[state] = here.get(state, 0) + count
        ready[lane.method] = ready.get(lane.method, 0) + counts.get(State.READY, 0)
    seats = [seat for seat in roster if not seat.detached]
    names: set[str | None] = {None, *tasks}
    names.update(group for seat in seats for group in seat.groups)
    names.update(control.name or None for control in limits.controls() if control.scope is Scope.GROUP)
    if only is not None:
        names &= only
    views: list[GroupView] = []
    for name in sorted(names, key=lambda name: name or ""):
        serving = [seat for seat in seats if name in seat.groups or (name is None and not seat.confined)]
        views.append(
            GroupView(
                name,
                {state: count for state, count in sorted(tasks[name].items()) if count},
                dict(sorted(depths[name].items())),
                len(serving),
                sum(seat.facts.slots for seat in serving if not (seat.draining or seat.stood_down)),
                tasks[name].get(State.RUNNING, 0),
                limits.control(Scope.GROUP, name or ""),
                gauges.group_submits.value(name, now),
                gauges.group_finishes.value(name, now),
            )
        )
    return views
