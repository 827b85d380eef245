"""Nodes for the tests of the doors."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from doors_kit import Node, StartNode

from rota.access.policy import Policy


@pytest.fixture
async def start_node() -> AsyncIterator[StartNode]:
    nodes: list[Node] = []

    async def start(policy: Policy | None = None, **terms: Any) -> Node:
        node = Node(policy, **terms)
        await node.start()
        nodes.append(node)
        return node

    yield start
    for node in nodes:
        await node.stop()


@pytest.fixture
async def node(start_node: StartNode) -> Node:
    return await start_node()
