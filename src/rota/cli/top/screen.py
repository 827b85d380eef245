"""How a snapshot is drawn: plain lines and tables that fit 80 columns, the most important first."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rota.cli import human
from rota.cli.groups import NO_GROUP, scope_words, set_words
from rota.cli.top.snapshot import STATES, Snapshot
from rota.cli.workers import worker_state
from rota.telemetry.safe import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rota.client.house_views import GroupInfo
    from rota.client.views import TaskView, WorkerView

_BARS = "▁▂▃▄▅▆▇█"
_KEPT = 60
"""Rates that are drawn, one a look."""
_AROUND = 8
"""Lines that are not rows: three heads, the blank lines between, the foot."""


class History:
    """The rates of the last looks, for the small graphs."""

    def __init__(self) -> None:
        self.submitted: deque[float] = deque(maxlen=_KEPT)
        self.finished: deque[float] = deque(maxlen=_KEPT)

    def add(self, shot: Snapshot) -> None:
        self.submitted.append(shot.stats.submit_rate)
        self.finished.append(shot.stats.finish_rate)


def draw(shot: Snapshot, history: History, width: int, height: int | None, foot: str = "") -> RenderableType:
    """`height`: lines there are; None: as many as it takes. The tables share what the lines above leave."""
    from rich.console import Group
    from rich.text import Text

    head = [Text.from_markup(line) for line in _head(shot, history, width)]
    for line in head:
        line.no_wrap, line.overflow = True, "ellipsis"
    groups, workers, slowest = shot.groups, _busiest(shot.workers), shot.slowest
    if height is not None:
        rows = max(height - len(head) - _AROUND, 3)
        each = rows // 3
        groups = groups[: max(each, rows - min(len(workers), each) - min(len(slowest), each))]
        workers = workers[: max(each, rows - len(groups) - min(len(slowest), each))]
        slowest = slowest[: max(rows - len(groups) - len(workers), 0)]
    parts: list[RenderableType] = [
        *head,
        Text(""),
        _table(_GROUP_HEADS, [_group_row(group) for group in groups], total=len(shot.groups)),
        Text(""),
        _table(_WORKER_HEADS, [_worker_row(worker) for worker in workers], total=len(shot.workers)),
    ]
    if slowest:
        parts += [Text(""), _table(_TASK_HEADS, [_task_row(task, shot) for task in slowest], fixed=36)]
    if foot:
        parts += [Text(""), Text(one_line(foot), style="reverse", no_wrap=True, overflow="ellipsis")]
    return Group(*parts)


# --- the lines on top


def _head(shot: Snapshot, history: History, width: int) -> list[str]:
    from rich.markup import escape

    stats = shot.stats
    first = (
        f"[bold]rota top[/]  {escape(one_line(stats.node_id))}  {stats.node_version}"
        f"  up {human.between(stats.started_at, stats.now)}  {human.size(stats.memory_bytes)}"
    )
    lines = [
        first,
        "tasks    " + "  ".join(_state(state, stats.tasks.get(state, 0)) for state in STATES[:4]),
        "ended    " + "  ".join(_state(state, stats.tasks.get(state, 0)) for state in STATES[4:]),
        _rate("in", stats.submit_rate, history.submitted, width),
        _rate("out", stats.finish_rate, history.finished, width),
        (
            f"so far   {human.number(stats.finished)} finished, {human.number(stats.failed)} failed,"
            f" {human.number(stats.rescued)} rescued since the node started"
        ),
    ]
    if (point := shot.latency) is not None:
        lines.append(
            f"waited   p50 {_span(point.wait_p50)}, p99 {_span(point.wait_p99)}"
            f"   ran  p50 {_span(point.run_p50)}, p99 {_span(point.run_p99)}"
        )
    for control in shot.controls:
        words = f"{scope_words(control.scope, control.name)}: {set_words(control)}"
        lines.append(f"[yellow]set      {escape(one_line(words))[:width]}[/]")
    return lines


def _span(seconds: float) -> str:
    """A dash where no task was measured."""
    return human.span(seconds or None)


def _state(state: str, count: int) -> str:
    style = {"failed": "red", "running": "cyan"}.get(state, "") if count else "dim"
    words = f"{state} {human.number(count)}"
    return f"[{style}]{words}[/]" if style else words


def _rate(name: str, now: float, before: Sequence[float], width: int) -> str:
    drawn = graph(list(before)[-max(width - 24, 0) :])
    return f"{name:<8} {now:>10,.1f}/s  [cyan]{drawn}[/]"


def graph(values: Sequence[float]) -> str:
    """A bar a value, the highest of them full; nothing for fewer than two."""
    top = max(values, default=0.0)
    if len(values) < 2:
        return ""
    return "".join(_BARS[min(int(value / top * len(_BARS)), len(_BARS) - 1) if top else 0] for value in values)


# --- the tables

_GROUP_HEADS = ("group", ">ready", ">run", ">sched", ">wait", ">wrk", ">busy", ">in/s", ">out/s", "set")
_WORKER_HEADS = ("worker", "state", ">busy", ">done", ">host cpu", ">host mem", ">seen", "groups")
_TASK_HEADS = ("running longest", "method", ">for", ">try", "worker")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], total: int = 0, fixed: int = 0) -> RenderableType:
    """Columns whose head begins with > hold numbers. What does not fit is cut, never folded: the lines are counted."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold reverse", expand=True)
    for place, head in enumerate(heads):
        right = head.startswith(">")
        name = head.removeprefix(">")
        last = place == len(heads) - 1
        table.add_column(
            name,
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if last or (not place and not fixed) else None,
            min_width=fixed if not place and fixed else None,
        )
    if len(rows) < total:
        rows = [*rows[:-1], (f"… {human.number(total - len(rows) + 1)} more",)]
    for row in rows:
        table.add_row(
            *(Text(one_line(cell), style="yellow" if "paused" in cell or cell == "draining" else "") for cell in row)
        )
    return table


def _group_row(group: GroupInfo) -> tuple[str, ...]:
    counts = (short(group.tasks.get(state, 0)) for state in ("ready", "running", "scheduled", "waiting"))
    rates = (f"{group.submit_rate:,.1f}", f"{group.finish_rate:,.1f}")
    return (
        group.name or NO_GROUP,
        *counts,
        str(group.workers),
        f"{group.busy}/{group.slots}",
        *rates,
        set_words(group.control),
    )


def _worker_row(worker: WorkerView) -> tuple[str, ...]:
    return (
        worker.name or worker.id,
        worker_state(worker),
        f"{worker.running}/{worker.slots}",
        short(worker.finished),
        f"{worker.load.cpu:.0%}",
        human.size(worker.load.memory_bytes),
        human.between(worker.seen_at, human.now()),
        ",".join(worker.groups),
    )


def _task_row(task: TaskView, shot: Snapshot) -> tuple[str, ...]:
    worker = next((w.name or w.id for w in shot.workers if w.id == task.worker), task.worker)
    return (task.id, task.method, human.between(task.started_at, shot.at), str(task.attempt), worker)


def _busiest(workers: Sequence[WorkerView]) -> Sequence[WorkerView]:
    return sorted(workers, key=lambda worker: (-worker.running / max(worker.slots, 1), worker.name, worker.id))


def short(count: int) -> str:
    """`1,234`, `56.7k`, `8.9M`: six characters at most."""
    if count < 10_000:
        return f"{count:,}"
    if count < 1_000_000:
        return f"{count / 1_000:.1f}k" if count < 100_000 else f"{count // 1_000}k"
    return f"{count / 1_000_000:.1f}M"
