"""The house: the only place that constructs. Everything below is given what it uses; drivers are chosen here, by URL."""

from rota.house.local import LocalNode, local_node
from rota.house.node import NodeInfo, serve_node
from rota.house.run import Node, run_node

__all__ = ["LocalNode", "Node", "NodeInfo", "local_node", "run_node", "serve_node"]
