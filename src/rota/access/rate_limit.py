"""How many requests a token, and an address, may make: so many a second, twice as many in a burst."""

from __future__ import annotations

from collections import OrderedDict

from rota.model.errors import Overloaded

MOST_KEYS = 10_000
"""Tokens and addresses that are remembered."""


class RateLimit:
    """`now` is monotonic seconds."""

    def __init__(self, a_second: float) -> None:
        self._rate, self._burst = a_second, 2 * a_second
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, key: str, now: float) -> None:
        """One request. Raises Overloaded (`too_many_requests`) with the time after which one will do."""
        spent, at = self._spent.get(key, (0.0, now))
        spent = max(0.0, spent - (now - at) * self._rate)
        if spent + 1 > self._burst:
            raise _later(self._rate, (spent + 1 - self._burst) / self._rate)
        self._spent[key] = (spent + 1, now)
        self._spent.move_to_end(key)
        if len(self._spent) > MOST_KEYS:
            self._spent.popitem(last=False)


def _later(rate: float, seconds: float) -> Overloaded:
    error = Overloaded(
        f"more than {rate:g} requests a second, which is what one token or one address may make (rate_limit)",
        code="too_many_requests",
    )
    error.retry_after = max(1, round(seconds * 1_000_000))
    return error
