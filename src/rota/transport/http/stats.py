"""How the node stands, and how it did over the last day."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import Meta, Struct

from rota.model.series import Point
from rota.model.task import State
from rota.model.text import instant_text
from rota.transport.http.route import READERS, Reply, Request, Route
from rota.transport.http.values import Instant, microseconds, read_instant, seconds

DAY = 24 * 3600


class Stats(Struct, frozen=True):
    """Counts of events are since the node's start; rates are tasks a second over the last ten."""

    node_id: str
    version: str
    mode: str
    store: str
    durability: str
    now: Instant
    started_at: Instant
    tasks: Annotated[dict[str, int], Meta(description="Tasks in the store, by state.")]
    unended: int
    workers: int
    clients: Annotated[int, Meta(description="Links that are not a worker's.")]
    submitted: int
    finished: Annotated[int, Meta(description="Ended, failed ones included.")]
    failed: int
    rescued: int
    submit_rate: float
    finish_rate: float
    pid: int
    memory_bytes: int


class SeriesQuery(Struct, forbid_unknown_fields=True, frozen=True):
    since: Annotated[Instant, Meta(description="From this instant on; a day ago where it is not said.")] | None = None
    step: Annotated[float, Meta(ge=1, le=DAY, description="Seconds that a point stands for; at least 10.")] = 60.0


class PointView(Struct, frozen=True):
    """One step. Spans are seconds, percentiles over the tasks of the step; 0 where there were none."""

    at: Annotated[Instant, Meta(description="The instant the step began.")]
    step: float
    submitted: int
    finished: int
    failed: int
    rescued: int
    ready: Annotated[int, Meta(description="Tasks by state at the end of the step.")]
    running: int
    scheduled: int
    waiting: int
    workers: int
    wait_p50: Annotated[float, Meta(description="From ready to leased.")]
    wait_p99: float
    run_p50: Annotated[float, Meta(description="From started to ended.")]
    run_p99: float


class Series(Struct, frozen=True):
    """Oldest first. Kept for a day."""

    points: list[PointView]


async def read_stats(request: Request) -> Reply:
    figures, lobby = await request.verbs.figures(), request.lobby
    facts = lobby.facts
    return Reply(
        Stats(
            facts.node_id,
            facts.version,
            facts.mode,
            facts.store,
            facts.durability,
            instant_text(figures.now),
            instant_text(figures.started_at),
            {state.name.lower(): figures.tasks.get(state, 0) for state in State},
            figures.unended,
            figures.workers,
            lobby.clients,
            figures.submitted,
            figures.finished,
            figures.failed,
            figures.rescued,
            figures.submit_rate,
            figures.finish_rate,
            os.getpid(),
            lobby.memory_bytes,
        )
    )


async def read_series(request: Request) -> Reply:
    asked: SeriesQuery = request.query
    if asked.since is None:
        since = request.lobby.engine.live_counts().now - microseconds(DAY)
    else:
        since = read_instant(asked.since, "since")
    points = await request.verbs.series(since, microseconds(asked.step))
    return Reply(Series([_point(point) for point in points]))


def _point(point: Point) -> PointView:
    return PointView(
        instant_text(point.at),
        seconds(point.step),
        point.submitted,
        point.finished,
        point.failed,
        point.rescued,
        point.ready,
        point.running,
        point.scheduled,
        point.waiting,
        point.workers,
        seconds(point.wait_p50),
        seconds(point.wait_p99),
        seconds(point.run_p50),
        seconds(point.run_p99),
    )


ROUTES = [
    Route("GET", "/stats", READERS, read_stats, "How the node stands", "node", {200: Stats}),
    Route(
        "GET",
        "/stats/series",
        READERS,
        read_series,
        "How the node did over the last day",
        "node",
        {200: Series},
        (403, 422),
        query=SeriesQuery,
    ),
]
