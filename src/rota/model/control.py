"""What people set for the whole node, a group or a method: pause, limits of concurrency, limits of rate.

A task that is held back by one of them stays ready, at its place in its lane, and spends no attempt.
"""

from __future__ import annotations

from enum import StrEnum

from rota.model.record import record


class Scope(StrEnum):
    NODE = "node"
    """Everything; its name is empty."""
    GROUP = "group"
    """The tasks of one group; an empty name: those without a group."""
    METHOD = "method"


@record
class Rate:
    """So many starts in each period (microseconds), evenly or in a burst of up to `count`."""

    count: int
    period: int


@record
class Control:
    """What is set for one scope. One that sets nothing is as good as none."""

    scope: Scope
    name: str = ""
    paused: bool = False
    note: str = ""
    """Why it is paused, for people."""
    concurrency: int | None = None
    """Tasks of the scope that run at once."""
    rate: Rate | None = None
    """Starts of the scope."""
    key_rate: Rate | None = None
    """Starts for each concurrency key in the scope."""
    changed_at: int = 0
    changed_by: str = ""
    """The name of the token; empty where none was asked for."""

    @property
    def sets_nothing(self) -> bool:
        return not self.paused and self.concurrency is None and self.rate is None and self.key_rate is None
