"""How the engine reaches a worker, whatever the wire. Calls only queue what is to be sent; none of them waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rota.model.task import Task


class WorkerDoor(Protocol):
    """One worker's connection, as the engine sees it."""

    def assign(self, tasks: Sequence[Task], announce: frozenset[int]) -> None:
        """Gives leased tasks. Those whose `seq` is in `announce` must be reported as started before they start."""
        ...

    def cancel(self, refs: Sequence[tuple[bytes, int]], reason: str) -> None:
        """Asks to stop attempts: (task id, attempt)."""
        ...

    def recall(self, count: int) -> None:
        """Asks for up to `count` un-started tasks back; the worker answers with what it gives back, perhaps nothing."""
        ...

    def drain(self, reconnect_to: Sequence[str]) -> None:
        """Says that the node is going: take no more, reconnect elsewhere or later."""
        ...

    def shut_down(self, reason: str) -> None:
        """Asks the worker's process to end in an orderly way: finish what it runs, give back the rest, exit."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Ends the connection."""
        ...


class WaiterDoor(Protocol):
    """A client that waits for tasks."""

    def ended(self, tasks: Sequence[Task]) -> None:
        """Tells of tasks that ended, many at once."""
        ...
