"""What nodes and rooms tell each other without the truth: hints that may be lost and can be rebuilt from the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from rota.model.task import Lane, Task


class ReadyIndex(Protocol):
    """The lines of ready tasks. A hint: what it gives may be gone already, and the store's guard decides.

    It may forget what it was told as long as `take` finds it again in the store.
    """

    def push(self, tasks: Iterable[Task]) -> None:
        """Tells of tasks that became ready."""
        ...

    def head(self, lane: Lane) -> tuple[int, int] | None:
        """The (line, seq) of the first task that `take` would give now; none if it would give none."""
        ...

    def first(self, lane: Lane) -> Task | None:
        """The record that `head` is the place of."""
        ...

    def heads(self) -> Iterable[Task]:
        """The first task of each lane, where it is known without asking anybody."""
        ...

    def empty(self, lane: Lane) -> bool:
        """Nothing of the lane is ready, as far as this node can know without asking anybody."""
        ...

    def lanes(self) -> Iterable[Lane]:
        """The lanes that have, or may have, ready tasks."""
        ...

    def stirred(self) -> Iterable[Lane]:
        """The lanes whose head a push or a refill may have changed since this was last asked, each once."""
        ...

    def take(self, lane: Lane, limit: int, until: tuple[int, int] | None = None) -> list[Task]:
        """Removes and gives up to `limit` tasks in order; with `until`, only those before that place."""
        ...

    def lacking(self) -> bool:
        """`refill` has something to read."""
        ...

    async def relearn(self) -> None:
        """Forgets what it was told, and learns from the store which lanes have ready tasks: something may have become ready
        that nobody told of. Raises Unavailable."""
        ...

    async def refill(self) -> bool:
        """Reads from the store what the lines lack. True if a line got tasks; called when the bell rings."""
        ...
