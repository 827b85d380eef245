"""A node as a whole program."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from rota.config.node import NodeSettings
from rota.config.resolve import resolve
from rota.config.sections import settings_in
from rota.config.tracing import trace_where_set
from rota.house.node import NodeInfo, serve_node
from rota.life.collector import collect_seldom
from rota.life.loop import new_loop
from rota.model.errors import Fault, InvalidInput
from rota.telemetry.logs import log_to_stderr

if TYPE_CHECKING:
    from rota.house.handlers import Offers

SWITCH_INTERVAL = 0.0001
"""Seconds. The store's writer gets the interpreter back so soon from a busy event loop; Python's own 5 ms would be added
to each commit."""


def run_node(settings: NodeSettings, on_ready: Callable[[NodeInfo], None], apps: list[Offers] | None = None) -> int:
    """Runs a node until TERM or INT; answers the exit code. Raises RefusesToStart."""
    log_to_stderr(settings.log_level, settings.log_format)
    trace_where_set(settings.otel, "rota-node")
    sys.setswitchinterval(SWITCH_INTERVAL)

    def ready(info: NodeInfo) -> None:
        if not apps:
            collect_seldom(asyncio.get_running_loop())
        on_ready(info)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(serve_node(settings, ready, apps or []))


class Node:
    """A node for programs: `Node(data="…").run()`.

    Any setting of `rota node` can be given by its name and in its form (`lease_ttl="10s"`, `http_port=9000`); what is not
    given comes from ROTA_* variables, the configuration file, and the defaults, as on the command line. Raises
    InvalidInput that names every setting that is unknown or wrong.
    """

    def __init__(self, *, apps: list[Offers] | None = None, **settings: object) -> None:
        known = {setting.key for setting in settings_in("node")}
        if unknown := sorted(settings.keys() - known):
            raise InvalidInput.all_of(
                [
                    Fault(name, "unknown_setting", f"there is no such setting; there are {', '.join(sorted(known))}")
                    for name in unknown
                ]
            )
        self.settings = resolve(NodeSettings, {key: _text(value) for key, value in settings.items()})
        self._apps = apps

    def run(self, on_ready: Callable[[NodeInfo], None] | None = None) -> int:
        """Serves until TERM or Ctrl-C. `on_ready` is told the addresses. Raises RefusesToStart."""
        return run_node(self.settings, on_ready or _say, self._apps)


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{round(value.total_seconds() * 1000)}ms"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _say(info: NodeInfo) -> None:
    grpc = f" and {info.grpc_address} (gRPC)" if info.grpc_address else ""
    print(f"Rota node {info.node_id} at {info.http_url}{grpc}, store {info.store} ({info.durability})", flush=True)  # noqa: T201
