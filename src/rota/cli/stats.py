"""`rota stats`, `workers` and `methods`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.views import MethodView, StatsView, WorkerView

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
        out.table(("state", "tasks"), [(s, human.number(figures.tasks.get(s, 0))) for s in _STATES], right=("tasks",))
    return exits.OK


def _figures(node: StatsView) -> list[tuple[str, str]]:
    return [
        ("node", f"{node.node_id}, version {node.node_version}, pid {node.pid}"),
        ("mode", f"{node.mode}; {node.store} (durability {node.durability})"),
        ("data", node.data_dir),
        ("up", f"{human.between(node.started_at, node.now)}, since {human.instant(node.started_at)}"),
        ("memory", human.size(node.memory_bytes)),
        ("links", f"{human.number(node.workers)} workers, {human.number(node.clients)} clients"),
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


@command(ClientSettings)
def workers(
    settings: ClientSettings,
    out: Output,
    /,
    *,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="Also those that have gone in the last day.")
    ] = False,
) -> int:
    """List workers: who they are, and how busy."""
    with reach(settings) as client:
        found = client.workers(gone=all_)
    if out.json:
        for each in found:
            out.value(value_of(each))
    elif found:
        heads = (
            "worker",
            "name",
            "application",
            "host",
            "pid",
            "state",
            "groups",
            "busy",
            "done",
            "cpu",
            "memory",
            "seen",
        )
        out.table(heads, [_worker(w) for w in found], right=("pid", "busy", "done", "cpu", "memory"))
    else:
        out.note("no worker is connected; start one: rota worker module:app")
    return exits.OK


def _worker(worker: WorkerView) -> tuple[str, ...]:
    return (
        worker.id,
        worker.name,
        worker.application,
        worker.host,
        str(worker.pid),
        _state(worker),
        ",".join(worker.groups),
        f"{worker.running}/{worker.slots}",
        human.number(worker.finished),
        f"{worker.load.cpu:.0%}",
        human.size(worker.load.memory_bytes),
        f"{human.between(worker.seen_at, human.now())} ago",
    )


def _state(worker: WorkerView) -> str:
    if not worker.online:
        return f"gone: {worker.gone_reason}" if worker.gone_reason else "gone"
    return "draining" if worker.draining else "online"


@command(ClientSettings)
def methods(settings: ClientSettings, out: Output) -> int:
    """List methods, and how many workers offer each."""
    with reach(settings) as client:
        found = client.methods()
    if out.json:
        for each in found:
            out.value(value_of(each))
    elif found:
        out.table(("method", "version", "workers", "what it does"), [_method(m) for m in found], right=("workers",))
    else:
        out.note("no worker has offered a method yet; start one: rota worker module:app")
    return exits.OK


def _method(method: MethodView) -> tuple[str, ...]:
    what = next(iter(method.docs), "").strip().partition("\n")[0]
    return (method.name, str(method.version), str(method.workers), what)
