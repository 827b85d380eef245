"""When a failed try is followed by another, and how long after.

Back-off is exponential with bounded jitter; the formula and the "full/equal jitter" vocabulary follow Marc Brooker,
"Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). Here the jitter only ever shortens the wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SECOND = 1_000_000
"""Instants and durations in the model are whole microseconds; instants count from 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a task is tried again. `retries=N` means N + 1 tries."""

    retries: int = 0
    delay: int = SECOND
    """The wait before the second try, in microseconds."""
    backoff: float = 2.0
    """Each further wait is this many times the one before; 1.0 keeps it fixed."""
    max_delay: int = 3600 * SECOND
    jitter: float = 0.1
    """The share of the wait, 0 … 1, that chance may take away."""
    retry_on: tuple[str, ...] = ()
    """Names of exception classes that are retried; empty means every exception. Base classes match too."""
    give_up_on: tuple[str, ...] = ()
    """Names of exception classes that are final, whatever `retry_on` says."""

    def allows(self, failures: int, error_types: tuple[str, ...]) -> bool:
        """Whether a task that failed `failures` times, last with an exception of these classes, is tried again."""
        return failures <= self.retries and self._retries_the(error_types)

    def wait(self, failures: int, chance: Callable[[], float]) -> int:
        """Microseconds to wait after the `failures`-th failure. `chance` gives a float in [0, 1)."""
        try:
            full = min(float(self.max_delay), self.delay * self.backoff ** (failures - 1))
        except OverflowError:
            full = float(self.max_delay if self.delay else 0)
        return int(full * (1.0 - self.jitter * chance()))

    def _retries_the(self, error_types: tuple[str, ...]) -> bool:
        if _any_named(self.give_up_on, error_types):
            return False
        return not self.retry_on or not error_types or _any_named(self.retry_on, error_types)


def _any_named(wanted: tuple[str, ...], error_types: tuple[str, ...]) -> bool:
    """A class is named by its bare or its qualified name: `ConnectionError` or `requests.exceptions.Timeout`."""
    return any(name == w or name.rpartition(".")[2] == w for w in wanted for name in error_types)


NO_RETRY = RetryPolicy()
