"""What an event says, as JSON. Params, results and errors are never in it: whoever may see them asks for the task."""

from __future__ import annotations

import msgspec

from rota.model.control import Control, Rate, Scope
from rota.model.series import Point
from rota.model.task import State, Task
from rota.model.text import instant_text, task_id_text
from rota.model.worker import WorkerRecord


class TaskView(msgspec.Struct):
    """How a task stands. Instants are RFC 3339, UTC."""

    id: str
    method: str
    group: str | None
    state: str
    reason: str
    attempt: int
    priority: int
    batch: str | None
    worker: str | None
    """The id of the worker that holds, or held, the attempt."""
    created_at: str
    due_at: str | None
    """Scheduled: when it becomes ready."""
    started_at: str | None
    ended_at: str | None


class TaskEvent(msgspec.Struct, tag="task"):
    seq: int
    at: str
    task: TaskView


class RemovedEvent(msgspec.Struct, tag="removed"):
    """The task is gone from the store."""

    seq: int
    at: str
    id: str


class Changes(msgspec.Struct):
    method: str
    state: str
    count: int


class ManyEvent(msgspec.Struct, tag="tasks"):
    """More changed than is told one by one: how often which state was reached. Who shows tasks reads them anew."""

    seq: int
    at: str
    group: str | None
    changes: list[Changes]


class WorkerView(msgspec.Struct):
    id: str
    name: str
    host: str
    groups: tuple[str, ...]
    slots: int
    methods: int
    draining: bool
    gone_reason: str


class WorkerEvent(msgspec.Struct, tag="worker"):
    """`kind`: joined, left, drains, resumed."""

    seq: int
    at: str
    kind: str
    worker: WorkerView


class RateView(msgspec.Struct):
    count: int
    period: float
    """Seconds."""


class ControlEvent(msgspec.Struct, tag="group"):
    """What is set for a scope (node, group, method) from now on."""

    seq: int
    at: str
    scope: str
    name: str
    paused: bool
    note: str
    concurrency: int | None
    rate: RateView | None
    key_rate: RateView | None
    max_queued: int | None
    changed_by: str


class NodeEvent(msgspec.Struct, tag="node"):
    """`kind`: ready, draining, store_away, store_back."""

    seq: int
    at: str
    kind: str
    detail: str


class StatsEvent(msgspec.Struct, tag="stats"):
    """One point of the series, as /api/v1/stats/series has it. `at` is where its step began."""

    seq: int
    at: str
    step: float
    submitted: int
    finished: int
    failed: int
    rescued: int
    ready: int
    running: int
    scheduled: int
    waiting: int
    workers: int
    wait_p50: float
    wait_p99: float
    run_p50: float
    run_p99: float


class ResetEvent(msgspec.Struct, tag="reset"):
    """What was told before is not all: read anew."""

    seq: int
    reason: str


class BehindEvent(msgspec.Struct, tag="behind"):
    """The reader took too little, and is told of now again. Read anew what you show."""

    seq: int
    missed: int
    """Events of all topics and groups in between."""


AnyEvent = (
    TaskEvent
    | RemovedEvent
    | ManyEvent
    | WorkerEvent
    | ControlEvent
    | NodeEvent
    | StatsEvent
    | ResetEvent
    | BehindEvent
)

encode = msgspec.json.Encoder().encode


def maybe(at: int | None) -> str | None:
    return None if at is None else instant_text(at)


def view_task(task: Task, worker: str | None) -> TaskView:
    spec = task.spec
    return TaskView(
        task_id_text(task.id),
        spec.lane.method,
        spec.lane.group,
        task.state.name.lower(),
        task.reason.name.lower(),
        task.attempt,
        spec.priority,
        spec.batch,
        worker,
        instant_text(spec.created_at),
        maybe(task.due_at) if task.state is State.SCHEDULED else None,
        maybe(task.started_at),
        maybe(task.ended_at),
    )


def view_worker(worker: WorkerRecord) -> WorkerView:
    facts = worker.facts
    return WorkerView(
        facts.id,
        facts.name,
        facts.host,
        facts.groups,
        facts.slots,
        len(worker.methods),
        worker.draining,
        worker.gone_reason,
    )


def control_event(seq: int, at: int, control: Control) -> ControlEvent:
    return ControlEvent(
        seq,
        instant_text(at),
        control.scope.value,
        control.name,
        control.paused,
        control.note,
        control.concurrency,
        _rate(control.rate),
        _rate(control.key_rate),
        control.max_queued,
        control.changed_by,
    )


def control_groups(control: Control) -> tuple[str, ...]:
    """Whom it concerns: its group. What is set for the node or a method is for those who see every group."""
    return (control.name,) if control.scope is Scope.GROUP else ()


def stats_event(seq: int, point: Point) -> StatsEvent:
    return StatsEvent(
        seq,
        instant_text(point.at),
        point.step / 1e6,
        point.submitted,
        point.finished,
        point.failed,
        point.rescued,
        point.ready,
        point.running,
        point.scheduled,
        point.waiting,
        point.workers,
        point.wait_p50 / 1e6,
        point.wait_p99 / 1e6,
        point.run_p50 / 1e6,
        point.run_p99 / 1e6,
    )


def _rate(rate: Rate | None) -> RateView | None:
    return None if rate is None else RateView(rate.count, rate.period / 1e6)
