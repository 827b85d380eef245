"""What the series asks of the engine."""

from __future__ import annotations

import contextlib

from rota.engine.engine import Engine
from rota.model.errors import RotaError
from rota.model.series import Point
from rota.model.task import State


class Sampler:
    """Makes points. While the store is away, depths stay as they were."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._depths: dict[State, int] = {}

    async def sample(self, at: int, step: int) -> Point:
        """How the engine did in a step that has just ended."""
        window, figures = self._engine.window(), self._engine.live_counts()
        with contextlib.suppress(RotaError):
            self._depths = (await self._engine.figures()).tasks
        depths = self._depths
        return Point(
            at,
            step,
            submitted=window.submitted,
            finished=window.finished,
            failed=window.failed,
            rescued=window.rescued,
            ready=depths.get(State.READY, 0),
            running=depths.get(State.RUNNING, 0),
            scheduled=depths.get(State.SCHEDULED, 0),
            waiting=depths.get(State.WAITING, 0),
            workers=figures.workers,
            wait_p50=window.waits.percentile(0.5),
            wait_p99=window.waits.percentile(0.99),
            run_p50=window.runs.percentile(0.5),
            run_p99=window.runs.percentile(0.99),
        )
