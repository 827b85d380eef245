"""A run as people and machines read it."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rota import __version__
from rota.cli import human
from rota.cli.bench.plan import Plan
from rota.cli.output import Output

if TYPE_CHECKING:
    from rota.client.views import StatsView


def _rate(value: float) -> str:
    return f"{value:,.0f}/s"


def _milliseconds(value: float) -> str:
    return f"{value:.2f} ms"


def _seconds(value: float) -> str:
    return f"{value:.2f} s"


_ROWS: dict[str, tuple[str, Callable[[float], str]]] = {
    "bulk_submit_per_s": ("bulk submit", _rate),
    "end_to_end_per_s": ("end to end, first submit to last result", _rate),
    "submit_one_by_one_per_s": ("submit, one after another", _rate),
    "submit_in_flight_per_s": ("submit, 64 in flight", _rate),
    "execute_p50_ms": ("execute, round trip p50", _milliseconds),
    "execute_p99_ms": ("execute, round trip p99", _milliseconds),
    "node_ready_s": ("node: start to ready", _seconds),
    "worker_first_task_s": ("worker: start to first task done", _seconds),
    "node_memory_bytes": ("node: memory before the load", human.size),
    "node_memory_loaded_bytes": ("node: memory after it", human.size),
    "worker_memory_bytes": ("worker: memory before the load", human.size),
    "worker_memory_loaded_bytes": ("worker: memory after it", human.size),
}


@dataclass(slots=True)
class Report:
    """Figures by name, one value a round; those of the processes have one."""

    plan: Plan
    sync_times: Sequence[int] = ()
    """Microseconds of each write with its sync to the disk of the store; empty for one that is elsewhere."""
    node: StatsView | None = None
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, **values: float | None) -> None:
        for name, value in values.items():
            if value is not None:
                self.figures.setdefault(name, []).append(value)

    def show(self, out: Output) -> None:
        if out.json:
            out.value(self._value())
            return
        for line in self._head():
            out.line(line)
        several = self.plan.repeat > 1
        heads = ("figure", "median", "from", "to") if several else ("figure", "value")
        out.table(heads, [self._row(name, several) for name in _ROWS if name in self.figures], right=heads[1:])

    def _head(self) -> list[str]:
        plan = self.plan
        rounds = f", {plan.repeat} rounds" if plan.repeat > 1 else ""
        pad = f" with {human.size(plan.payload)} of padding" if plan.payload else ""
        lines = [
            f"Rota {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores",
            f"{human.number(plan.tasks)} tasks{pad}{rounds}; {_handlers(plan)}; each task ended once, with its result",
        ]
        if self.node is not None:
            lines.append(f"node {self.node.node_version}, durability {self.node.durability}{self._baseline()}")
        return lines

    def _baseline(self) -> str:
        return f"; a write and its sync to this disk take {human.span(self._sync() / 1e6)}" if self.sync_times else ""

    def _sync(self) -> int:
        return self.sync_times[len(self.sync_times) // 2]

    def _row(self, name: str, several: bool) -> tuple[str, ...]:
        words, show = _ROWS[name]
        values = self.figures[name]
        median = show(statistics.median(values))
        if not several:
            return words, median
        return (words, median, show(min(values)), show(max(values))) if len(values) > 1 else (words, median, "", "")

    def _value(self) -> dict[str, Any]:
        plan, node = self.plan, self.node
        return {
            "exact": True,
            "figures": {name: {"median": statistics.median(v), "rounds": v} for name, v in self.figures.items()},
            "tasks": plan.tasks,
            "rounds": plan.repeat,
            "slots": plan.slots,
            "isolation": plan.isolation,
            "payload_bytes": plan.payload,
            "durability": node.durability if node is not None else None,
            "fsync_p50_us": self._sync() if self.sync_times else None,
            "rota": __version__,
            "node": node.node_version if node is not None else None,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version if not plan.url else None,
            "platform": platform.platform(),
            "cores": os.cpu_count(),
        }


def _handlers(plan: Plan) -> str:
    where = {"async": "async handlers", "thread": "handlers in threads", "process": "handlers in processes"}
    return f"{where[plan.isolation]}, {plan.slots} slots"
