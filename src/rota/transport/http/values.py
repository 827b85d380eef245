"""How instants, durations and ids are written in JSON, and how they are read.

Instants are RFC 3339 in UTC with microseconds, `2026-11-21T20:00:00.000000Z`; durations are seconds, as numbers; ids are
UUIDs as text. Within, all of them are whole microseconds and 16 bytes.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from rota.model.errors import InvalidInput
from rota.model.text import EPOCH, instant_text

SECOND = 1_000_000
YEAR = 366 * 24 * 3600
_MICROSECOND = timedelta(microseconds=1)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_INSTANT_IN_WORDS = "an instant with its zone, as in 2026-11-21T20:00:00Z (RFC 3339)"

Instant = Annotated[
    str,
    Meta(extra={"expected": _INSTANT_IN_WORDS}, extra_json_schema={"format": "date-time", "maxLength": 64}),
]
Id = Annotated[
    str,
    Meta(extra={"expected": "the id of a task, a UUID"}, extra_json_schema={"format": "uuid", "maxLength": 64}),
]


def instant_or_none(microseconds: int | None) -> str | None:
    return None if microseconds is None else instant_text(microseconds)


def read_instant(text: str, path: str) -> int:
    """Microseconds since the epoch. Raises InvalidInput (`invalid_instant`)."""
    if _INSTANT.fullmatch(text) is None:
        raise InvalidInput.at(path, "invalid_instant", f"must be {_INSTANT_IN_WORDS}, not {text[:40]!r}")
    try:
        said = datetime.fromisoformat(text.upper().replace(" ", "T"))
        return (said - EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise InvalidInput.at(path, "invalid_instant", f"{text[:40]!r} is no time of any clock or calendar") from None


def seconds(microseconds: int) -> float:
    """As JSON has it; exact to the microsecond for any duration that is kept."""
    return microseconds / SECOND


def seconds_or_none(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / SECOND


def microseconds(said: float) -> int:
    return round(said * SECOND)


def read_id(text: str) -> bytes:
    """Of an address. Raises InvalidInput (`invalid_id`, a 400)."""
    if _ID.fullmatch(text) is None:
        raise InvalidInput.at(
            "id", "invalid_id", f"{text[:50]!r} is not the id of a task; ids are UUIDs, as a submit answers them"
        )
    return UUID(text).bytes


def read_body_id(text: str, path: str) -> bytes:
    """The same of a field in a body, where it is a value as any other."""
    if _ID.fullmatch(text) is None:
        raise InvalidInput.at(path, "invalid_value", f"must be the id of a task, a UUID, not {text[:50]!r}")
    return UUID(text).bytes
