"""gRPC doors for tests."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from doors_kit import StartNode
from grpc_kit import Client, Door, StartDoor

from rota.access.policy import Policy
from rota.transport.gate import Limits
from rota.transport.grpc_door import GrpcDoor
from rota.transport.grpc_server import GrpcServer


@pytest.fixture
async def start_door(start_node: StartNode) -> AsyncIterator[StartDoor]:
    doors: list[Door] = []

    async def start(
        policy: Policy | None = None,
        reflection: bool = True,
        tls: dict[str, Any] | None = None,
        limits: Limits | None = None,
        **terms: Any,
    ) -> Door:
        node = await start_node(policy, **terms)
        door = GrpcDoor(node.lobby, lambda: node.ready, reflection=reflection)
        server = GrpcServer(door, "127.0.0.1", 0, limits=limits, **(tls or {}))
        await server.start()
        doors.append(Door(node, server, door))
        return doors[-1]

    yield start
    for door in doors:
        await door.close()


@pytest.fixture
async def door(start_door: StartDoor) -> Door:
    return await start_door()


@pytest.fixture
def client(door: Door) -> Client:
    return door.client()
