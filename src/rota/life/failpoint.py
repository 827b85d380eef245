"""Named points around every commit and hand-over, where a test can stop, delay or break the process.

Off unless `ROTA_FAILPOINTS` names some: `name=action[@n]`, separated by commas; `@n` acts at the n-th pass only.
Actions: `crash` (exit at once with 137, as kill -9 leaves it), `error` (raise), `sleep:MILLISECONDS` (block the thread).
A passage that is off costs one look into an empty dictionary.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_armed: dict[str, Callable[[], None]] = {}


class FailpointError(Exception):
    """Raised by a failpoint with the action `error`."""


def failpoint(name: str) -> None:
    """A point that a test can arm."""
    if _armed and (act := _armed.get(name)) is not None:
        act()


def arm(name: str, act: Callable[[], None]) -> None:
    """From now on each pass of the point calls `act`."""
    _armed[name] = act


def disarm(name: str | None = None) -> None:
    """Makes one point, or all, silent again."""
    if name is None:
        _armed.clear()
    else:
        _armed.pop(name, None)


def arm_from(text: str) -> None:
    """Arms the points that a setting names, as the module's text says. Raises ValueError for one it cannot read."""
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, action = part.partition("=")
        if not equals:
            raise ValueError(f"failpoint {part!r}: write name=action, as in store.commit=crash")
        arm(name, _Countdown(name, action))


class _Countdown:
    def __init__(self, name: str, action: str) -> None:
        self._name = name
        self._action, _, at = action.partition("@")
        self._at = int(at) if at else None
        self._passes = 0

    def __call__(self) -> None:
        self._passes += 1
        if self._at is not None and self._passes != self._at:
            return
        if self._action == "crash":
            os._exit(137)
        if self._action == "error":
            raise FailpointError(self._name)
        if self._action.startswith("sleep:"):
            time.sleep(int(self._action[6:]) / 1000)


if text := os.environ.get("ROTA_FAILPOINTS"):
    arm_from(text)
