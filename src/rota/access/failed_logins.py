"""Back-off for those who try tokens: ten wrong ones within a minute, and the source waits until the minute is over.

Only wrong tokens count, and none that is refused meanwhile. A token that was let in from the same source before still
is, so that one worker with a bad token does not lock out its neighbours. What is remembered is bounded.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque

from rota.model.errors import Overloaded

MOST = 10
WITHIN = 60.0
"""Seconds."""
MOST_SOURCES = 10_000
_logger = logging.getLogger("rota.access")


class FailedLogins:
    """`now` is monotonic seconds; a token is known by its digest."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._welcome: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def check(self, source: str, digest: bytes, now: float) -> None:
        """Raises Overloaded (`too_many_logins`) with the time that is left."""
        failures = self._failures.get(source)
        if failures is None or len(failures) < MOST or (source, digest) in self._welcome:
            return
        left = failures[0] + WITHIN - now
        if left > 0:
            raise _wait(left)

    def failed(self, source: str, now: float) -> None:
        """A wrong token came from there."""
        failures = self._failures.setdefault(source, deque(maxlen=MOST))
        failures.append(now)
        self._failures.move_to_end(source)
        if len(self._failures) > MOST_SOURCES:
            self._failures.popitem(last=False)
        if len(failures) == MOST and now - failures[0] < WITHIN:
            _logger.warning("%d wrong tokens within a minute from %s: it has to wait", MOST, source or "a caller")

    def succeeded(self, source: str, digest: bytes) -> None:
        """A good one did."""
        self._welcome[source, digest] = None
        self._welcome.move_to_end((source, digest))
        if len(self._welcome) > MOST_SOURCES:
            self._welcome.popitem(last=False)


def _wait(seconds: float) -> Overloaded:
    error = Overloaded(
        f"{MOST} wrong tokens came from this address within a minute; come again in {seconds:.0f} s with a valid one",
        code="too_many_logins",
    )
    error.retry_after = max(1, round(seconds * 1_000_000))
    return error
