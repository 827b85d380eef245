"""Requests of a door, counted by route and class of status."""

from __future__ import annotations

from collections import Counter

from rota.telemetry.histogram import Histogram
from rota.telemetry.reading import Reading
from rota.telemetry.series import Names

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RequestCounts:
    """Lives in the door's loop. Counting is a look into two dictionaries and a bisect."""

    def __init__(self) -> None:
        self._routes = Names()
        self._counts: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, Histogram] = {}

    def count(self, route: str, status: int, seconds: float | None) -> None:
        """`route`: its template (`/api/v1/tasks/{id}`), never the path that was asked for; "" where no route was met.
        `seconds`: none for a stream, whose length says nothing of the node."""
        label = self._routes.label(route or "unknown")
        self._counts[label, status // 100] += 1
        if seconds is None:
            return
        times = self._seconds.get(label)
        if times is None:
            times = self._seconds[label] = Histogram(SECONDS)
        times.add(seconds)

    def readings(self) -> list[Reading]:
        """A counter by route and class (`2xx`), and a histogram by route."""
        counted = [
            Reading(
                "rota_http_requests_total",
                "HTTP requests that were answered.",
                count,
                (("route", route), ("status", f"{hundreds}xx")),
            )
            for (route, hundreds), count in self._counts.items()
        ]
        timed = [
            Reading("rota_http_request_seconds", "How long an answer took.", times, (("route", route),))
            for route, times in self._seconds.items()
        ]
        return counted + timed
