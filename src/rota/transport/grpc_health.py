"""grpc.health.v1: whether this node, or one of its services, can be called now. It says what /readyz says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from rota.model.errors import NotFound

NAME = "grpc.health.v1.Health"
EVERY = 1.0
"""Seconds between looks for those who watch."""


class Health:
    """`readiness` answers "" when the node is ready; `services` are those that may be asked about, "" for all."""

    def __init__(self, readiness: Callable[[], str], services: frozenset[str]) -> None:
        self._readiness, self._services = readiness, services | {""}

    async def check(self, _: object, request: HealthCheckRequest) -> HealthCheckResponse:
        """Raises NotFound (`unknown_service`)."""
        if request.service not in self._services:
            raise NotFound(f"this node has no service {request.service[:200]!r}", code="unknown_service")
        return self._now(request)

    async def watch(
        self, _: object, request: HealthCheckRequest, write: Callable[[HealthCheckResponse], Awaitable[None]]
    ) -> None:
        """Writes how it stands, and again at each change."""
        told: HealthCheckResponse | None = None
        while True:
            now = self._now(request)
            if now != told:
                await write(now)
                told = now
            await asyncio.sleep(EVERY)

    def _now(self, request: HealthCheckRequest) -> HealthCheckResponse:
        if request.service not in self._services:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        if self._readiness():
            return HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)
