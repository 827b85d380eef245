"""Who hears of what changes. Calls are cheap when nobody listens, never wait, and never fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rota.model.control import Control
from rota.model.task import Task
from rota.model.worker import WorkerRecord


class Herald(Protocol):
    """What the engine tells whoever watches: the console, `rota top`, programs."""

    @property
    def listening(self) -> bool:
        """Somebody listens, or has until a moment ago. While nobody does, nothing needs to be told."""
        ...

    def tasks(self, tasks: Sequence[Task]) -> None:
        """These tasks were accepted, or changed their state: records that go on changing. What is told of one is how it
        stands when it is told."""
        ...

    def removed(self, ids: Sequence[bytes]) -> None:
        """These tasks are gone from the store."""
        ...

    def worker(self, kind: str, worker: WorkerRecord) -> None:
        """`kind`: joined, left, drains, resumed."""
        ...

    def control(self, control: Control) -> None:
        """What is set for a scope changed."""
        ...

    def node(self, kind: str, detail: str = "") -> None:
        """`kind`: ready, draining, store_away, store_back."""
        ...


class NoHerald:
    """Nobody listens, ever."""

    listening = False

    def tasks(self, tasks: Sequence[Task]) -> None: ...

    def removed(self, ids: Sequence[bytes]) -> None: ...

    def worker(self, kind: str, worker: WorkerRecord) -> None: ...

    def control(self, control: Control) -> None: ...

    def node(self, kind: str, detail: str = "") -> None: ...
