"""Every endpoint of the API. What is not in one of these lists, nobody can ask."""

from __future__ import annotations

from rota.transport.http import (
    access,
    controls,
    description,
    events,
    house,
    reading_tasks,
    stats,
    submitting,
    task_calls,
    task_logs,
)
from rota.transport.http.route import Route

ROUTES: list[Route] = [
    *submitting.ROUTES,
    *reading_tasks.ROUTES,
    *task_logs.ROUTES,
    *task_calls.ROUTES,
    *house.ROUTES,
    *controls.ROUTES,
    *events.ROUTES,
    *stats.ROUTES,
    *access.ROUTES,
    *description.routes_for(lambda: ROUTES),
]
