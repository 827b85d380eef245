"""How many refusals of one caller the audit log takes, so that nobody who may do nothing can wash out what others did.

Each caller has room for many at once, and gets it back slowly. What was left out is counted, and told with the next line.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

MOST_REFUSALS = 500
SECONDS_A_REFUSAL = 10.0
"""After which a caller has room for one more."""
MOST_CALLERS = 10_000
_logger = logging.getLogger("rota.audit")


@dataclass(slots=True)
class _Caller:
    spent: float
    at: float
    left_out: int = 0


class Refusals:
    """`now` is monotonic seconds. A caller is known by the kid of its token and where it comes from."""

    def __init__(self) -> None:
        self._callers: OrderedDict[tuple[str, str], _Caller] = OrderedDict()

    def __len__(self) -> int:
        return len(self._callers)

    def take(self, kid: str, source: str, who: str, now: float) -> int | None:
        """None: the refusal is left out. Else it is written, and this is how many were left out before it."""
        caller = self._callers.setdefault((kid, source), _Caller(0.0, now))
        self._callers.move_to_end((kid, source))
        if len(self._callers) > MOST_CALLERS:
            self._callers.popitem(last=False)
        caller.spent = max(0.0, caller.spent - (now - caller.at) / SECONDS_A_REFUSAL)
        caller.at = now
        if caller.spent + 1 > MOST_REFUSALS:
            if not caller.left_out:
                _logger.warning("%s (%s) is refused over and over: the audit log leaves most of it out", who, kid)
            caller.left_out += 1
            return None
        caller.spent += 1
        left_out, caller.left_out = caller.left_out, 0
        return left_out
