"""How many unended tasks those groups have that may have only so many.

Counted are groups with a limit and no others, so a node without such limits pays for one look at an empty dictionary a batch.
The count is learned from the file when a limit is set and when the store opens, and moves in the transaction that moves
the tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from rota.model.change import Finish, Move
from rota.model.task import Task
from rota.storage.intake import Depth
from rota.storage.statements import ledger, places

Depths = dict[str, Depth]
"""By group; the empty name: the tasks without one."""


def depths_in(connection: Connection) -> Depths:
    """As the file says."""
    limits: dict[str, int] = dict(ledger.DEPTH_LIMITS.rows(connection))
    if not limits:
        return {}
    queued: dict[str, int] = dict(places.GROUP_DEPTHS.rows(connection))
    return {group: Depth(limit, queued.get(group, 0)) for group, limit in limits.items()}


class MovingDepths:
    """The depths as a transaction sees them: those of the book, and what it has changed of them."""

    def __init__(self, connection: Connection, kept: Depths) -> None:
        self._connection, self._kept = connection, kept
        self.changed: dict[str, Depth | None] = {}
        """None: the group has no limit any more."""

    @property
    def counted(self) -> bool:
        """Some group has a limit."""
        return bool(self._kept or self.changed)

    def of(self, group: str | None) -> Depth | None:
        name = group or ""
        return self.changed[name] if name in self.changed else self._kept.get(name)

    def limit(self, group: str, limit: int | None) -> None:
        known = self.of(group)
        if limit is None:
            if known is not None:
                self.changed[group] = None
            return
        queued = known.queued if known is not None else self._look(group)
        self.changed[group] = Depth(limit, queued)

    def _look(self, group: str) -> int:
        queued: int | None = places.GROUP_DEPTH.rows(self._connection, of_group=group)[0][0]
        return queued or 0

    def has_room_for(self, tasks: Iterable[Task]) -> bool:
        """For all of them, as if none had been there before."""
        if not self.counted:
            return True
        room: dict[str, int] = {}
        for task in tasks:
            name = task.spec.lane.group or ""
            if name not in room:
                depth = self.of(name)
                room[name] = depth.room if depth is not None else 2**62
            room[name] -= 1
        return all(left >= 0 for left in room.values())

    def entered(self, tasks: Iterable[Task]) -> None:
        """These were accepted."""
        if self.counted:
            for task in tasks:
                if not task.state.ended:
                    self._add(task.spec.lane.group, 1)

    def finished(self, finishes: Iterable[Finish]) -> None:
        if self.counted:
            for finish in finishes:
                self._add(finish.group, -1)

    def moved(self, moves: Sequence[Move]) -> None:
        if self.counted:
            for move in moves:
                if move.ends:
                    self._add(move.group, -1)
                elif move.revives:
                    self._add(move.group, 1)

    def _add(self, group: str | None, number: int) -> None:
        depth = self.of(group)
        if depth is not None:
            self.changed[group or ""] = Depth(depth.limit, depth.queued + number)

    def settle(self) -> None:
        """The transaction is committed: the book says the same from now on."""
        for group, depth in self.changed.items():
            if depth is None:
                self._kept.pop(group, None)
            else:
                self._kept[group] = depth
