"""One look at a node: what `rota top` shows, and what --json prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rota.cli import human
from rota.cli.groups import control_value
from rota.cli.values import value_of

if TYPE_CHECKING:
    from rota.client.house_views import ControlView, GroupInfo, PointView
    from rota.client.sync import Client
    from rota.client.views import StatsView, TaskView, WorkerView

STATES = ("waiting", "scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired")
LOOKED_AT = 200
"""Running tasks that are looked at for the ones that run longest: the newest so many."""
SLOWEST = 10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was asked within one moment."""

    at: datetime
    stats: StatsView
    groups: Sequence[GroupInfo] = ()
    workers: Sequence[WorkerView] = ()
    controls: Sequence[ControlView] = ()
    latency: PointView | None = None
    """The last step of the series; None where it may not be read, or there is none yet."""
    slowest: Sequence[TaskView] = field(default_factory=tuple)
    """Running tasks, the longest first."""

    def value(self) -> dict[str, Any]:
        """One line of --json."""
        stats = self.stats
        return {
            "at": human.utc(self.at),
            "node": {"id": stats.node_id, "version": stats.node_version, "started_at": human.utc(stats.started_at)},
            "memory_bytes": stats.memory_bytes,
            "rates": {"submitted": stats.submit_rate, "finished": stats.finish_rate},
            "since_start": {name: getattr(stats, name) for name in ("submitted", "finished", "failed", "rescued")},
            "tasks": {state: stats.tasks.get(state, 0) for state in STATES},
            "latency": value_of(self.latency) if self.latency is not None else None,
            "groups": [{**value_of(group), "control": control_value(group.control)} for group in self.groups],
            "controls": [control_value(control) for control in self.controls],
            "workers": [_worker_value(worker) for worker in self.workers],
            "slowest": [_task_value(task, self.at) for task in self.slowest],
        }


def take(client: Client) -> Snapshot:
    """Raises what the client raises."""
    stats = client.stats()
    running = client.list(states="running", limit=LOOKED_AT) if stats.tasks.get("running") else ()
    return Snapshot(
        human.now(),
        stats,
        client.groups(),
        client.workers(),
        [control for control in client.controls() if control.scope != "group"],
        _latency(client, stats),
        sorted(running, key=lambda task: task.started_at or human.now())[:SLOWEST],
    )


def _latency(client: Client, stats: StatsView) -> PointView | None:
    """Of the last step that is complete. A token that is bound to groups may not read it: then there is none."""
    from datetime import timedelta

    from rota.model.errors import Forbidden

    try:
        points = client.series(since=(stats.now or human.now()) - timedelta(minutes=1), step=10.0)
    except Forbidden:
        return None
    return points[-1] if points else None


def _worker_value(worker: WorkerView) -> dict[str, Any]:
    return {
        "id": worker.id,
        "name": worker.name,
        "host": worker.host,
        "groups": list(worker.groups),
        "draining": worker.draining,
        "running": worker.running,
        "slots": worker.slots,
        "finished": worker.finished,
        "cpu": worker.load.cpu,
        "memory_bytes": worker.load.memory_bytes,
        "seen_at": human.utc(worker.seen_at),
    }


def _task_value(task: TaskView, at: datetime) -> dict[str, Any]:
    started = task.started_at
    return {
        "id": task.id,
        "method": task.method,
        "group": task.group,
        "worker": task.worker,
        "attempt": task.attempt,
        "seconds": round((at - started).total_seconds(), 3) if started is not None else None,
    }
