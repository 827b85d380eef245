"""What people set for the whole node, a group or a method: pause, limits of concurrency, of rate, of depth.

A task that is held back by one of them stays ready, at its place in its lane, and spends no attempt. A limit of depth holds
nothing back: what is beyond it is not accepted.
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
    max_queued: int | None = None
    """Tasks of the group that have not ended; more are refused. For groups only: the node's is a setting."""

    @property
    def sets_nothing(self) -> bool:
        return not self.holds_back and self.max_queued is None

    @property
    def holds_back(self) -> bool:
        """Something that is accepted may have to wait because of it."""
        return self.paused or self.concurrency is not None or self.rate is not None or self.key_rate is not None
