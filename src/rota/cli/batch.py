"""`rota batch`: how the tasks of a batch stand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.output import Output
from rota.cli.progress import steps
from rota.cli.reach import reach
from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.house_views import BatchInfo
    from rota.client.sync import Client

_EVERY = 1.0
_STATES = ("waiting", "scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired")


@command(ClientSettings)
def batch(
    settings: ClientSettings,
    out: Output,
    name: Annotated[str, Parameter(name="NAME", help="The name that submit was given by --batch.")],
    /,
    *,
    watch: Annotated[bool, Parameter(negative="", help="Until all have ended.")] = False,
) -> int:
    """Show how many tasks of a batch are in each state.

    With --watch it goes on until all have ended; the exit code is then 1 if any did not succeed. Tasks that retention has
    removed are not counted.
    """
    with reach(settings) as client:
        info = _watched(client, name, out) if watch else client.batch(name)
    if not out.json or not watch:
        _tell(info, out)
    return exits.FAILURE if watch and info.failed else exits.OK


def _watched(client: Client, name: str, out: Output) -> BatchInfo:
    """With --json a line for every change."""
    told: dict[str, int] | None = None
    before = 0
    with steps(out, "ended", None) as bar:
        while True:
            info = client.batch(name)
            if out.json and info.tasks != told:
                _tell(info, out)
                told = info.tasks
            bar.advance(info.done - before, info.total)
            before = info.done
            if info.finished:
                return info
            time.sleep(_EVERY)


def _tell(info: BatchInfo, out: Output) -> None:
    tasks = {state: info.tasks.get(state, 0) for state in _STATES}
    if out.json:
        counts = {"total": info.total, "done": info.done, "failed": info.failed, "finished": info.finished}
        out.value({"name": info.name, "tasks": tasks, **counts, "created_at": human.utc(info.created_at)})
        return
    out.line(
        f"{info.name}: {human.number(info.done)} of {human.number(info.total)} have ended"
        + (f", {human.number(info.failed)} without success" if info.failed else "")
        + f"; begun {human.instant(info.created_at)}"
    )
    out.table(("state", "tasks"), [(s, human.number(n)) for s, n in tasks.items() if n], right=("tasks",))
    if info.failed:
        out.line(f"next: rota list --batch {info.name} --state failed; rota retry --batch {info.name}")
