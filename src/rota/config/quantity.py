"""Durations and sizes as people write them: `30`, `30s`, `5m`, `1h30m`, `24h`, `30d`; `4096`, `64KiB`, `10MB`.

Durations are whole microseconds everywhere else, sizes are bytes. A bare number is seconds, or bytes. What cannot be read
raises ValueError with a sentence that shows the form.
"""

from __future__ import annotations

import re

SECOND = 1_000_000
_DURATION_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
}
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_NUMBER = r"\d{1,15}(?:\.\d{1,6})?"
_DURATION = re.compile(rf"(?:{_NUMBER}\s*(?:us|ms|s|m|h|d|w)\s*)+", re.ASCII)
_DURATION_PART = re.compile(rf"({_NUMBER})\s*(us|ms|s|m|h|d|w)", re.ASCII)
_SIZE = re.compile(rf"({_NUMBER})\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_LONGEST = 100 * 365 * 86_400 * SECOND


def read_duration(text: str) -> int:
    """Microseconds."""
    text = text.strip()
    if re.fullmatch(_NUMBER, text, re.ASCII):
        text += "s"
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; write 30 (seconds), 500ms, 30s, 5m, 1h30m, 24h or 30d")
    total = sum(round(float(number) * _DURATION_UNITS[unit]) for number, unit in _DURATION_PART.findall(text))
    if total > _LONGEST:
        raise ValueError(f"{text!r} is longer than 100 years")
    return total


def show_duration(microseconds: int) -> str:
    """The shortest exact form that `read_duration` reads back: `1m30s`, `24h`, `30d`."""
    if microseconds == 0:
        return "0s"
    if microseconds % (86_400 * SECOND) == 0 and microseconds > 86_400 * SECOND:
        return f"{microseconds // (86_400 * SECOND)}d"
    parts: list[str] = []
    rest = microseconds
    for unit in ("h", "m", "s", "ms", "us"):
        count, rest = divmod(rest, _DURATION_UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def read_size(text: str) -> int:
    """Bytes."""
    match = _SIZE.fullmatch(text.strip())
    unit = _SIZE_UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(f"{text!r} is no size; write 4096 (bytes), 64KiB, 1MiB, 10MB or 2GiB")
    return round(float(match[1]) * unit)


def show_size(count: int) -> str:
    """The shortest exact form that `read_size` reads back: `1MiB`, `1500`."""
    for name in ("GiB", "MiB", "KiB"):
        unit = _SIZE_UNITS[name.lower()]
        if count >= unit and count % unit == 0:
            return f"{count // unit}{name}"
    return str(count)
