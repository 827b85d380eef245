"""`rota stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.views import StatsView

_STATES = ("waiting", "scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired")


@command(ClientSettings)
def stats(settings: ClientSettings, out: Output) -> int:
    """Show figures of the node: tasks by state, workers, rates."""
    with reach(settings) as client:
        figures = client.stats()
    if out.json:
        out.value(value_of(figures))
    else:
        out.table(("figure", "value"), _figures(figures))
        if out.interactive:
            out.say()
        out.table(("state", "tasks"), [(s, human.number(figures.tasks.get(s, 0))) for s in _STATES], right=("tasks",))
    return exits.OK


def _figures(node: StatsView) -> list[tuple[str, str]]:
    return [
        ("node", f"{node.node_id}, version {node.node_version}, pid {node.pid}"),
        ("mode", f"{node.mode}; {node.store} (durability {node.durability})"),
        ("data", node.data_dir),
        ("up", f"{human.between(node.started_at, node.now)}, since {human.instant(node.started_at)}"),
        ("memory", human.size(node.memory_bytes)),
        ("links", f"{human.several(node.workers, 'worker')}, {human.several(node.clients, 'client')}"),
        ("rates", f"{node.submit_rate:,.1f} submitted/s, {node.finish_rate:,.1f} finished/s"),
        ("since the start", _counters(node)),
    ]


def _counters(node: StatsView) -> str:
    counts = (
        ("submitted", node.submitted),
        ("finished", node.finished),
        ("failed", node.failed),
        ("rescued", node.rescued),
    )
    return ", ".join(f"{human.number(count)} {name}" for name, count in counts)
