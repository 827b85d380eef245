"""What is to be measured."""

from __future__ import annotations

from dataclasses import dataclass

ONE_BY_ONE = 300
"""Calls that follow one another: enough for a 99th percentile of a few milliseconds."""
SIDE_BY_SIDE, IN_FLIGHT = 3_200, 64
WARM_UP = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes are bytes."""

    tasks: int
    slots: int
    isolation: str
    """async, thread or process."""
    payload: int
    """Padding in the params of each task."""
    repeat: int
    durability: str | None
    """Of the node that is started; None where one runs already."""
    url: tuple[str, ...] = ()
    """Where a node runs already; empty: one is started."""
    token_file: str | None = None
    group: str = ""
    """Leads the tasks to the bench's own worker, on a node that others use too."""

    @property
    def one_by_one(self) -> int:
        return min(self.tasks, ONE_BY_ONE)

    @property
    def side_by_side(self) -> int:
        return min(self.tasks, SIDE_BY_SIDE)

    @property
    def warm_up(self) -> int:
        return min(self.tasks, WARM_UP)

    @property
    def all_tasks(self) -> int:
        """How many are submitted in the whole run: one for the first start, the warm-up, and each round."""
        return 1 + self.warm_up + self.repeat * (self.tasks + self.side_by_side + 2 * self.one_by_one)
