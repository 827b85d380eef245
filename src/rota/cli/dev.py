"""`rota dev`: a node and a worker side by side, for developing handlers.

Each runs in a process of its own. When a Python file below this folder changes, the worker alone is started anew; the node
and its tasks stay. A worker that cannot start (a SyntaxError, say) is tried again at the next change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rota.cli import exits
from rota.cli.child import in_one_piece, told_to_stop
from rota.cli.command import command
from rota.cli.dev_processes import DevNode, DevWorker
from rota.cli.handlers import check_target
from rota.cli.output import Output
from rota.cli.watch import Watch
from rota.config import NodeSettings
from rota.model.errors import InvalidInput

_EVERY = 1.0
"""Seconds between looks at the files."""


@command(NodeSettings, defaults={"data": Path(".rota")})
def dev(
    settings: NodeSettings,
    out: Output,
    target: Annotated[str, Parameter(name="MODULE:APP", help="The app whose handlers the worker runs.")],
    /,
) -> int:
    """Run a node, and a worker that reloads when files change.

    Ctrl-C stops both. Tasks are kept in ./.rota, so that they are there again at the next start.
    """
    check_target(target)
    if settings.app is not None:
        raise InvalidInput.at(
            "app", "bad_arguments", "rota dev runs the handlers in a worker beside the node: leave it out"
        )
    with told_to_stop():
        return _run(settings, target, out)


def _run(settings: NodeSettings, target: str, out: Output) -> int:
    with in_one_piece():
        node = DevNode(settings)
    worker: DevWorker | None = None
    try:
        url = node.wait_ready(out)
        if url is None:
            return node.stop()
        worker = DevWorker(target, url)
        return _tend(node, worker, Watch(Path.cwd()), out)
    except KeyboardInterrupt:
        return exits.OK
    finally:
        if worker is not None:
            worker.stop()
        node.stop()


def _tend(node: DevNode, worker: DevWorker, watch: Watch, out: Output) -> int:
    """Until the node ends: a new worker for every change."""
    worker.start()
    while (code := node.ended_within(_EVERY)) is None:
        if changed := watch.changed():
            out.note(f"rota dev: {changed} changed, the worker starts anew")
            worker.restart()
        elif worker.has_just_ended():
            out.note("rota dev: the worker has ended; it starts again when a file changes")
    return code
