"""A node as a whole program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rota.config.node import NodeSettings
from rota.house.node import NodeInfo, serve_node
from rota.model.errors import InvalidInput
from rota.telemetry.logs import log_to_stderr

if TYPE_CHECKING:
    from rota.house.handlers import Offers


def run_node(settings: NodeSettings, on_ready: Callable[[NodeInfo], None], apps: list[Offers] | None = None) -> int:
    """Runs a node until TERM or INT; answers the exit code. Raises RefusesToStart."""
    log_to_stderr(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(serve_node(settings, on_ready, apps or []))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class Node:
    """A node for programs: `Node(data="…").run()`. Any setting of `rota node` can be given by its name.

    Durations are whole microseconds. Raises InvalidInput for settings that do not go together.
    """

    def __init__(self, *, apps: list[Offers] | None = None, **settings: Any) -> None:
        if "data" in settings:
            settings["data"] = Path(settings["data"])
        self.settings = replace(NodeSettings(), **settings)
        if faults := self.settings.faults():
            raise InvalidInput.all_of(faults)
        self._apps = apps

    def run(self, on_ready: Callable[[NodeInfo], None] | None = None) -> int:
        """Serves until TERM or Ctrl-C. `on_ready` is told the addresses. Raises RefusesToStart."""
        return run_node(self.settings, on_ready or _say, self._apps)


def _say(info: NodeInfo) -> None:
    print(f"Rota node {info.node_id} at {info.http_url}, store {info.store} ({info.durability})", flush=True)  # noqa: T201
