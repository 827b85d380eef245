"""What child processes may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_memory`: bytes, 0 for none. `max_tasks`: tasks after which a child is replaced, 0 for never. `targets`: where
    children find tasks, as `module:name`; without any, by the module and name of each function."""

    max_memory: int = 0
    max_tasks: int = 0
    targets: tuple[str, ...] = ()


NO_LIMITS = Limits()
