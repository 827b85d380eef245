"""Lines that a handler wrote, and how far it says it has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a task's log. `level` is the number of Python's logging (20 INFO, 40 ERROR …)."""

    attempt: int
    at: int
    level: int
    text: str
    number: int = 0
    """The store's ordinal among all lines; a reader asks for what comes after one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`share` is 0 … 1."""

    attempt: int
    at: int
    share: float
    note: str = ""
