"""Instants, durations and sizes as people read them. Instants are shown in the local zone, with its offset."""

from __future__ import annotations

from datetime import UTC, datetime

from rota.model.errors import InvalidInput

_NONE = "–"


def instant(microseconds: int | None) -> str:
    """`2026-11-21 14:32:05 +08:00`; a dash for none."""
    if not microseconds:
        return _NONE
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC).astimezone()
    offset = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def clock_time(microseconds: int) -> str:
    """`14:32:05.123`, for lines of a log."""
    moment = datetime.fromtimestamp(microseconds / 1e6, UTC).astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def span(microseconds: int | None) -> str:
    """Two units at most: `830 µs`, `12.3 ms`, `4.20 s`, `3 min 5 s`, `2 d 4 h`."""
    if microseconds is None:
        return _NONE
    if microseconds < 1_000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1e3:.1f} ms"
    if microseconds < 60_000_000:
        return f"{microseconds / 1e6:.2f} s"
    seconds = microseconds // 1_000_000
    for unit, length, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= length:
            rest = seconds % length // part
            return f"{seconds // length} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


def between(start: int | None, end: int | None) -> str:
    """How long from one instant to another; a dash where one of them is not known."""
    return span(max(end - start, 0)) if start and end else _NONE


def size(count: float) -> str:
    """`512 B`, `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def number(count: int) -> str:
    """`1,234,567`."""
    return f"{count:,}"


def read_instant(text: str, path: str) -> int:
    """Microseconds of an ISO 8601 instant; without an offset it is local time. Raises InvalidInput."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput.at(
            path, "bad_instant", f"{text!r} is no instant; write 2026-12-24T18:00 (local) or 2026-12-24T18:00+01:00"
        ) from None
    return round(moment.timestamp() * 1_000_000)
