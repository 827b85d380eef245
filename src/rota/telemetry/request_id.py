"""The id of the request under way. Every line that is logged meanwhile carries it, and so does the answer.

A door calls `begin` with what the caller said in X-Request-Id and `end` when it has answered. Work that the request
starts in the loop inherits the id.
"""

from __future__ import annotations

import random
import re
from contextvars import ContextVar, Token

LONGEST = 128
_FIT = re.compile(r"[\x21-\x7e]{1,128}")
_chance = random.Random()  # noqa: S311  an id is no secret, and the system's chance costs a call into it
_current: ContextVar[str] = ContextVar("rota_request_id", default="")


def begin(said: str | None = None) -> Token[str]:
    """From here on `current` is the id that was said, where that is 1 to 128 printable ASCII characters without blanks;
    else a new one. Answers what `end` wants to have."""
    return _current.set(said if said is not None and _FIT.fullmatch(said) else f"{_chance.getrandbits(64):016x}")


def current() -> str:
    """The id of the request that this code serves; empty outside of one."""
    return _current.get()


def end(token: Token[str]) -> None:
    """The request is over."""
    _current.reset(token)
