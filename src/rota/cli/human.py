"""Instants, durations and sizes as people read them. Instants are shown in the local zone, with its offset."""

from __future__ import annotations

from datetime import UTC, datetime

from rota.life.clock import SystemClock
from rota.model.errors import InvalidInput

_NONE = "–"


def now() -> datetime:
    """This machine's clock."""
    return datetime.fromtimestamp(SystemClock().now() / 1e6, UTC)


def instant(moment: datetime | None) -> str:
    """`2026-11-21 14:32:05 +08:00`; a dash for none."""
    if moment is None:
        return _NONE
    local = moment.astimezone()
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def clock_time(moment: datetime | None) -> str:
    """`14:32:05.123`, for lines of a log."""
    if moment is None:
        return _NONE
    local = moment.astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def span(seconds: float | None) -> str:
    """Two units at most: `830 µs`, `12.3 ms`, `4.20 s`, `3 min 5 s`, `2 d 4 h`."""
    if seconds is None:
        return _NONE
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    whole = int(seconds)
    for unit, length, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def between(start: datetime | None, end: datetime | None) -> str:
    """How long from one instant to another; a dash where one of them is not known."""
    return span(max((end - start).total_seconds(), 0.0)) if start and end else _NONE


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


def read_instant(text: str, path: str) -> datetime:
    """An ISO 8601 instant, with its zone; without an offset it is local time. Raises InvalidInput."""
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise InvalidInput.at(
            path, "bad_instant", f"{text!r} is no instant; write 2026-12-24T18:00 (local) or 2026-12-24T18:00+01:00"
        ) from None
