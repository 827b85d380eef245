"""A run as a context sees it, without a link."""

from __future__ import annotations

from typing import Any

from rota.worker.context import Context


class FakeSource:
    def __init__(self, **more: Any) -> None:
        self.id, self.attempt, self.started_at = b"\0" * 16, 1, 0
        self.method, self.version, self.group = "m", 1, None
        self.failures = self.retries = self.created_at = self.fire_at = self.timeout = 0
        self.labels: dict[str, str] = {}
        self.cancelled = False
        self.logged = 0
        self.progress: Any = None
        self.marks: list[tuple[float, str]] = []
        self.lines: list[tuple[int, str]] = []
        self.context = Context(self)
        self.__dict__.update(more)

    def mark(self, share: float, note: str) -> None:
        self.marks.append((share, note))

    def write(self, level: int, text: str) -> None:
        self.lines.append((level, text))
