"""A group as people look at it: what waits and runs in it, who serves it, and what is set for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rota.model.control import Control
from rota.model.task import State


@dataclass(frozen=True, slots=True)
class GroupView:
    """How one group stands. Rates are tasks a second over the last ten seconds."""

    name: str | None
    """None: the tasks without a group, which every worker serves."""
    tasks: Mapping[State, int] = field(default_factory=dict)
    """Unended tasks by state; a state without any is not in it."""
    methods: Mapping[str, int] = field(default_factory=dict)
    """Ready tasks by method: the depth of its lines. Methods with unended tasks only."""
    workers: int = 0
    """Connected workers that serve the group, draining ones included."""
    slots: int = 0
    """Of those that do not drain."""
    busy: int = 0
    """Tasks of the group that are leased, started or not."""
    control: Control | None = None
    """What is set for the group itself; None: nothing."""
    submit_rate: float = 0.0
    finish_rate: float = 0.0
