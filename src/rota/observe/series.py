"""How the node did over the last day: a point every ten seconds in memory, one a minute in the store.

After a restart the time before it is there by minutes. Points are kept packed, 120 bytes each.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import astuple, replace

from rota.contract.store import Store
from rota.life.duty import keep
from rota.model.errors import RotaError
from rota.model.series import Point

SECOND = 1_000_000
STEP, MINUTE, DAY = 10 * SECOND, 60 * SECOND, 24 * 3600 * SECOND
LONGEST_STEP = 3600 * SECOND
MOST_UNWRITTEN = 60
"""Minutes that wait for a store that is away; the oldest are left out of it then."""
_PACKED = struct.Struct("<15q")

Sample = Callable[[int, int], Awaitable[Point]]
"""Makes the point of a step that has just ended: (where it began, its length)."""


class Series:
    """`start` once the store is open, `stop` before it closes."""

    def __init__(self, store: Store, sample: Sample, told: Callable[[Point], None]) -> None:
        """`told`: called with each point as it is made."""
        self._store, self._sample, self._told = store, sample, told
        self._minutes: deque[bytes] = deque(maxlen=DAY // MINUTE)
        """From the store: what was before this start."""
        self._steps: deque[bytes] = deque(maxlen=DAY // STEP)
        self._minute: list[Point] = []
        self._unwritten: deque[Point] = deque(maxlen=MOST_UNWRITTEN)
        self._since = 0
        self._duty: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads what is kept of the day, and begins."""
        self._since = self._store.now()
        kept = await self._store.points(self._since - DAY)
        self._minutes.extend(_pack(point) for point in kept)
        self._duty = asyncio.get_running_loop().create_task(keep("the series", self._beat), name="series")

    async def stop(self) -> None:
        """Writes what is not written yet, if the store takes it. May be called twice."""
        if self._duty is None:
            return
        self._duty.cancel()
        await asyncio.gather(self._duty, return_exceptions=True)
        self._duty = None
        self._close_minute()
        await self._write()

    async def read(self, since: int, step: int) -> list[Point]:
        """`points`, as the doors ask for it."""
        return self.points(since, step)

    def points(self, since: int, step: int) -> list[Point]:
        """The points from an instant on, oldest first, in steps of `step` microseconds that begin at its multiples; 0: as kept.

        Counts are added up, depths are those at the end of a step, and of percentiles the highest is taken: over a longer
        step the true one is not above it. What is kept only by minutes is not cut finer. A step without points is left out.
        """
        everything = (_unpack(each) for each in (*self._minutes, *self._steps))
        return merge((point for point in everything if point.at + point.step > since), max(step, STEP))

    async def _beat(self) -> None:
        now = self._store.now()
        next_at = (max(now, self._since) // STEP + 1) * STEP
        await asyncio.sleep((next_at - now) / SECOND)
        began, self._since = self._since, next_at
        point = await self._sample(began, self._since - began)
        self._steps.append(_pack(point))
        self._minute.append(point)
        self._told(point)
        if self._since // MINUTE != began // MINUTE:
            self._close_minute()
            await self._write()

    def _close_minute(self) -> None:
        if self._minute:
            self._unwritten.append(_merged(self._minute))
            self._minute = []

    async def _write(self) -> None:
        points = list(self._unwritten)
        if not points:
            return
        try:
            await self._store.add_points(points, self._store.now() - DAY)
        except RotaError:
            return  # it is written with the next minute
        self._unwritten.clear()


def merge(points: Iterable[Point], step: int) -> list[Point]:
    """Points in order, put together by the multiples of `step` that they begin in."""
    merged: list[Point] = []
    together: list[Point] = []
    for point in points:
        if together and together[0].at // step != point.at // step:
            merged.append(_merged(together))
            together = []
        together.append(point)
    if together:
        merged.append(_merged(together))
    return merged


def _merged(points: Sequence[Point]) -> Point:
    """Of one or more in order, those that have gone on where the one before ended."""
    last = points[-1]
    return replace(
        last,
        at=points[0].at,
        step=last.at + last.step - points[0].at,
        submitted=sum(point.submitted for point in points),
        finished=sum(point.finished for point in points),
        failed=sum(point.failed for point in points),
        rescued=sum(point.rescued for point in points),
        wait_p50=max(point.wait_p50 for point in points),
        wait_p99=max(point.wait_p99 for point in points),
        run_p50=max(point.run_p50 for point in points),
        run_p99=max(point.run_p99 for point in points),
    )


def _pack(point: Point) -> bytes:
    return _PACKED.pack(*astuple(point))


def _unpack(packed: bytes) -> Point:
    return Point(*_PACKED.unpack(packed))
