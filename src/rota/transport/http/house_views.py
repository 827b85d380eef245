"""Methods, groups and workers as JSON shows them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from rota.model.control import Control
from rota.model.group import GroupView
from rota.model.method import Method, Options
from rota.model.task import State
from rota.model.text import instant_text
from rota.model.worker import WorkerRecord
from rota.transport.http.controls import NO_GROUP, ControlView, control_view
from rota.transport.http.values import Instant, instant_or_none, seconds

_SPANS = frozenset({"retry_delay", "retry_max_delay", "timeout", "expires", "delay", "result_ttl", "debounce"})


class MethodView(Struct, frozen=True):
    """One version of a method, as workers declare it."""

    name: str
    version: int
    docs: Annotated[list[str], Meta(description="Description, params, returns: Markdown.")]
    params_schema: Annotated[Raw, Meta(description="JSON Schema of the params; null where the handler says nothing.")]
    defaults: Annotated[
        dict[str, Any], Meta(description="Options of its tasks that say nothing else; spans in seconds.")
    ]
    workers: Annotated[int, Meta(description="Live workers that offer it.")]


class Methods(Struct, frozen=True):
    methods: list[MethodView]


class MethodDetail(Struct, frozen=True):
    """A method with all its versions."""

    name: str
    versions: Annotated[list[MethodView], Meta(description="The newest first.")]
    served_by: Annotated[list[str], Meta(description="Ids of live workers.")]
    control: ControlView | None


class Group(Struct, frozen=True):
    """How a group stands."""

    name: Annotated[str | None, Meta(description="null: the tasks without a group, which every worker serves.")]
    path: Annotated[str, Meta(description="What it is called in addresses.")]
    tasks: Annotated[dict[str, int], Meta(description="Unended tasks by state.")]
    methods: Annotated[dict[str, int], Meta(description="Ready tasks by method.")]
    workers: int
    slots: Annotated[int, Meta(description="Of workers that do not drain.")]
    busy: int
    submit_rate: Annotated[float, Meta(description="Tasks a second, over the last ten.")]
    finish_rate: float
    control: Annotated[ControlView | None, Meta(description="What is set for the group itself.")]


class Groups(Struct, frozen=True):
    """By name; the tasks without a group come first."""

    groups: list[Group]
    cursor: Annotated[str | None, Meta(description="Ask again with it for the next page; null: there is none.")]


class LoadView(Struct, frozen=True):
    """What the last heartbeat said. Rates are bytes a second."""

    cpu: Annotated[float, Meta(description="0 … 1")]
    memory_bytes: int
    network_in: float
    network_out: float
    disk_used_bytes: int
    disk_total_bytes: int


class WorkerView(Struct, frozen=True):
    """A worker. It stays listed for a day after it is gone."""

    id: str
    name: str
    application: str
    online: bool
    draining: bool
    host: str
    ip: str
    pid: int
    os: str
    language: str
    sdk: str
    cpu_count: int
    memory_bytes: int
    weight: int
    labels: dict[str, str]
    groups: list[str]
    methods: Annotated[list[str], Meta(description="`name`, or `name@version` from version 2 on.")]
    slots: int
    in_hand: Annotated[int, Meta(description="Tasks it holds, started or not.")]
    running: int
    finished: int
    registered_at: Instant
    seen_at: Instant
    gone_at: Instant | None
    gone_reason: str
    load: LoadView


class Workers(Struct, frozen=True):
    workers: list[WorkerView]


def method_view(method: Method, workers: int) -> MethodView:
    return MethodView(
        method.name,
        method.version,
        list(method.docs),
        Raw(method.params_schema or b"null"),
        options_view(method.defaults),
        workers,
    )


def options_view(options: Options) -> dict[str, Any]:
    """What is said, by name."""
    said: dict[str, Any] = {}
    for name in Options.__dataclass_fields__:
        if (value := getattr(options, name)) is not None:
            said[name] = seconds(value) if name in _SPANS else instant_text(value) if name == "run_at" else value
    return said


def group_view(group: GroupView) -> Group:
    return Group(
        group.name,
        NO_GROUP if group.name is None else group.name,
        {state.name.lower(): group.tasks.get(state, 0) for state in State if not state.ended},
        dict(group.methods),
        group.workers,
        group.slots,
        group.busy,
        group.submit_rate,
        group.finish_rate,
        optional_control(group.control),
    )


def optional_control(control: Control | None) -> ControlView | None:
    return None if control is None or control.sets_nothing else control_view(control)


def worker_view(record: WorkerRecord) -> WorkerView:
    facts, load = record.facts, record.load
    return WorkerView(
        facts.id,
        facts.name,
        facts.application,
        record.online,
        record.draining,
        facts.host,
        facts.ip,
        facts.pid,
        facts.os,
        facts.language,
        facts.sdk,
        facts.cpu_count,
        facts.memory_bytes,
        facts.weight,
        dict(facts.labels),
        list(facts.groups),
        [each.name if each.version == 1 else f"{each.name}@{each.version}" for each in record.methods],
        facts.slots,
        record.in_hand,
        record.running,
        record.finished,
        instant_text(record.registered_at),
        instant_text(record.seen_at),
        instant_or_none(record.gone_at),
        record.gone_reason,
        LoadView(
            load.cpu,
            load.memory_bytes,
            load.network_in,
            load.network_out,
            load.disk_used_bytes,
            load.disk_total_bytes,
        ),
    )
