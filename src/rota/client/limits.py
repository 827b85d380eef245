"""Limits as people say them, on their way to a node: `rate="10/s"`, `concurrency=4`, `max_queued=1000`, None for no limit."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TypedDict

from rota.client.said import Duration, microseconds
from rota.model.errors import InvalidInput
from rota.wire.v1 import house_pb2 as pb

SaidRate = str | float | tuple[int, Duration]
"""`10/s`, `100/m`, `5/30s`; a number: so many a second; or a pair: so many in so long."""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)?\s*([smhd])\s*")


class SaidLimits(TypedDict, total=False):
    """Limits of a scope. None: no limit from now on; what is not said stays."""

    concurrency: int | None
    """Tasks that run at once."""
    rate: SaidRate | None
    """Starts."""
    key_rate: SaidRate | None
    """Starts for each concurrency key."""
    max_queued: int | None
    """For a group: tasks that have not ended; more are refused as `queue_full`."""


def control_of(scope: str, name: str, limits: SaidLimits) -> pb.SetControl:
    """Raises InvalidInput for a limit that cannot be, and TypeError for one that there is not."""
    if unknown := limits.keys() - SaidLimits.__annotations__:
        raise TypeError(
            f"there is no limit {', '.join(sorted(unknown))}: say concurrency, rate, key_rate or max_queued"
        )
    return pb.SetControl(
        scope=scope,
        name=name,
        concurrency=_count(limits["concurrency"], "concurrency") if "concurrency" in limits else None,
        rate=_rate(limits["rate"], "rate") if "rate" in limits else None,
        key_rate=_rate(limits["key_rate"], "key_rate") if "key_rate" in limits else None,
        max_queued=_count(limits["max_queued"], "max_queued") if "max_queued" in limits else None,
    )


def _count(said: int | None, path: str) -> int:
    if said is not None and not 1 <= said < 2**31:
        raise InvalidInput.at(path, "out_of_range", f"{said} is not 1 or more; None: no limit")
    return said or 0


def _rate(said: SaidRate | None, path: str) -> pb.Rate:
    if said is None:
        return pb.Rate()
    count, period = _counted(said, path)
    if not (1 <= count < 2**31 and period > 0):
        raise InvalidInput.at(path, "out_of_range", f"{said!r}: a rate is 1 or more starts in a period; None: no limit")
    return pb.Rate(count=count, period=period)


def _counted(said: SaidRate, path: str) -> tuple[int, int]:
    """The count, and the period in microseconds."""
    if isinstance(said, str):
        read = _RATE.fullmatch(said)
        if read is None:
            raise InvalidInput.at(path, "invalid_rate", f"{said!r} is not a rate; write it as in 10/s, 100/m or 5/30s")
        return int(read[1]), round(float(read[2] or 1) * _UNITS[read[3]] * 1_000_000)
    if isinstance(said, tuple):
        return said[0], microseconds(path, said[1])
    if said >= 1 and said == int(said):
        return int(said), 1_000_000
    return 1, microseconds(path, timedelta(seconds=1 / said)) if said > 0 else 0
