"""Answers of a node, read into views."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rota.client.payload import decode
from rota.client.views import (
    AttemptView,
    CallView,
    ErrorView,
    LoadView,
    LogView,
    MethodView,
    Outcome,
    ProgressView,
    StatsView,
    TaskView,
    WorkerView,
)
from rota.model.text import task_id_text
from rota.wire.codec_refusal import read_refusal
from rota.wire.v1 import link_pb2 as pb


def instant(microseconds: int) -> datetime | None:
    return datetime.fromtimestamp(microseconds / 1e6, UTC) if microseconds else None


def read_outcome(outcome: pb.Ended.Outcome) -> Outcome:
    return Outcome(
        task_id_text(outcome.id),
        outcome.state,
        outcome.reason,
        outcome.attempt,
        outcome.result,
        _error(outcome.error) if outcome.HasField("error") else None,
    )


def read_task(task: pb.Task) -> TaskView:
    return TaskView(
        task_id_text(task.id),
        task.method,
        task.version,
        task.group,
        task.target,
        task.state,
        task.reason,
        task.priority,
        task.attempt,
        task.failures,
        task.rescues,
        task.retries,
        instant(task.created_at),
        instant(task.due_at),
        instant(task.claimed_at),
        instant(task.started_at),
        instant(task.ended_at),
        instant(task.expire_at),
        task.worker,
        task.params,
        task.result,
        _error(task.error) if task.HasField("error") else None,
        dict(task.labels),
        task.unique_key,
        task.order_key,
        task.timeout / 1e6 if task.timeout else None,
        tuple(_attempt(attempt) for attempt in task.attempts),
        _progress(task.progress) if task.HasField("progress") else None,
        tuple(map(task_id_text, task.after)),
        task.on_parent_failure,
        task.batch,
        task.concurrency_key,
        task.concurrency_limit,
        task.unique_mode,
    )


def read_log(line: pb.LogLine) -> LogView:
    return LogView(line.number, line.attempt, instant(line.at), line.level, line.text)


def read_call(item: pb.Outcomes.Item) -> CallView:
    refusal = read_refusal(item.refusal) if item.HasField("refusal") else None
    return CallView(task_id_text(item.id), item.state, item.pending, refusal)


def read_worker(view: pb.WorkerView) -> WorkerView:
    facts, load = view.facts, view.load
    return WorkerView(
        facts.id,
        facts.name,
        facts.application,
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
        tuple(facts.groups),
        facts.slots,
        view.online,
        view.draining,
        instant(view.registered_at),
        instant(view.seen_at),
        instant(view.gone_at),
        view.gone_reason,
        LoadView(
            load.cpu,
            load.memory_bytes,
            load.network_in,
            load.network_out,
            load.disk_used_bytes,
            load.disk_total_bytes,
        ),
        view.in_hand,
        view.running,
        view.finished,
        tuple(view.methods),
    )


def read_method(method: pb.Method) -> MethodView:
    return MethodView(
        method.name,
        method.version,
        tuple(method.docs),
        decode(method.params_schema),
        method.workers,
        {option.name: _as_said(option.name, value) for option, value in method.defaults.ListFields()},
    )


def read_stats(stats: pb.Stats) -> StatsView:
    return StatsView(
        stats.node_id,
        stats.node_version,
        stats.mode,
        stats.store,
        stats.durability,
        instant(stats.started_at),
        instant(stats.now),
        dict(stats.tasks),
        stats.workers,
        stats.clients,
        stats.submitted,
        stats.finished,
        stats.failed,
        stats.rescued,
        stats.pid,
        stats.memory_bytes,
        stats.submit_rate,
        stats.finish_rate,
        stats.data_dir,
    )


_DURATIONS = frozenset({"retry_delay", "retry_max_delay", "timeout", "expires", "delay", "result_ttl", "debounce"})


def _as_said(name: str, value: Any) -> Any:
    if name in _DURATIONS:
        return value / 1e6
    if name == "run_at":
        return instant(value)
    return value if isinstance(value, (int, float, str)) else list(value)


def _error(error: pb.Error) -> ErrorView:
    return ErrorView(tuple(error.types), error.message, error.traceback)


def _attempt(attempt: pb.Attempt) -> AttemptView:
    return AttemptView(
        attempt.attempt,
        attempt.worker,
        instant(attempt.claimed_at),
        instant(attempt.started_at),
        instant(attempt.ended_at),
        attempt.reason,
        _error(attempt.error) if attempt.HasField("error") else None,
        attempt.late,
    )


def _progress(progress: pb.Progress) -> ProgressView:
    return ProgressView(progress.share, progress.note, instant(progress.at), progress.attempt)
