"""Instants, durations and sizes as people read them. Instants are shown in the local zone, with its offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rota.config.quantity import read_duration
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


def short_instant(moment: datetime | None) -> str:
    """For a terminal: `14:32:05` today, `11-21 14:32` in this year, else `2025-11-21`; in local time."""
    if moment is None:
        return _NONE
    local, today = moment.astimezone(), now().astimezone()
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%m-%d %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d}"


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


def several(count: int, noun: str) -> str:
    """`1 task`, `1,234 tasks`."""
    return f"{number(count)} {noun}" + ("" if count == 1 else "s")


def utc(moment: datetime | None) -> str | None:
    """As JSON has it: `2026-11-21T06:32:05.000000Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_when(text: str, path: str) -> datetime:
    """An instant, or a duration: so long ago. Raises InvalidInput."""
    try:
        return read_instant(text, path)
    except InvalidInput:
        pass
    try:
        return now() - timedelta(microseconds=read_duration(text))
    except (ValueError, OverflowError):
        words = f"{text!r} is no instant; write 1h (ago), 2026-12-24T18:00 (local) or 2026-12-24T18:00+01:00"
        raise InvalidInput.at(path, "bad_instant", words) from None


def read_instant(text: str, path: str) -> datetime:
    """An ISO 8601 instant, with its zone; without an offset it is local time. Raises InvalidInput."""
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise InvalidInput.at(
            path, "bad_instant", f"{text!r} is no instant; write 2026-12-24T18:00 (local) or 2026-12-24T18:00+01:00"
        ) from None
