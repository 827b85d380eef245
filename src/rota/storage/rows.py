"""Between records and rows.

A task's row is its columns in the order of the table. `spec` holds what no statement touches, as a MessagePack array; a
field that is added later goes to its end, with a default, so that older rows stay readable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.retry import NO_RETRY, RetryPolicy
from rota.model.task import AttemptRecord, Lane, Reason, Spec, State, Task
from rota.model.worker import Facts, WorkerRecord

Row = Sequence[Any]


class _Packed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    params: bytes
    priority: int = 0
    retry: tuple[int, int, float, int, float, tuple[str, ...], tuple[str, ...]] | None = None
    timeout: int | None = None
    result_ttl: int | None = None
    unique_key: str | None = None
    order_key: str | None = None
    fire_at: int | None = None
    labels: tuple[tuple[str, str], ...] = ()
    unique_mode: str = "return"
    concurrency_limit: int = 1
    after: tuple[bytes, ...] = ()
    run_anyway: bool = False
    batch: str | None = None
    trace: str = ""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode
_STATES = (State.WAITING, *State)
_REASONS = (Reason.SUBMITTED, *Reason)


def pack_spec(spec: Spec) -> bytes:
    """The last fields are left out where none of them is said."""
    retry = spec.retry
    policy = None if retry is NO_RETRY or retry == NO_RETRY else _policy(retry)
    first = (
        spec.params,
        spec.priority,
        policy,
        spec.timeout,
        spec.result_ttl,
        spec.unique_key,
        spec.order_key,
        spec.fire_at,
        spec.labels,
    )
    says_more = (
        spec.after
        or spec.trace
        or spec.batch is not None
        or spec.unique_mode != "return"
        or spec.concurrency_limit != 1
        or spec.run_anyway
    )
    if not says_more:
        return _pack(first)
    rest = (spec.unique_mode, spec.concurrency_limit, spec.after, spec.run_anyway, spec.batch, spec.trace)
    return _pack(first + rest)


def _policy(retry: RetryPolicy) -> tuple[object, ...]:
    return (
        retry.retries,
        retry.delay,
        retry.backoff,
        retry.max_delay,
        retry.jitter,
        retry.retry_on,
        retry.give_up_on,
    )


def task_row(task: Task, seq: int, lane: int) -> tuple[object, ...]:
    """Plain integers for the enums: sqlite3 takes its slow way for anything else."""
    spec = task.spec
    return (
        seq,
        task.id,
        lane,
        int(task.state),
        int(task.reason),
        task.line,
        task.attempt,
        task.failures,
        task.rescues,
        task.due_at,
        task.expire_at,
        task.worker,
        task.claimed_at,
        task.started_at,
        task.ended_at,
        spec.created_at,
        task.outcome,
        pack_spec(spec),
    )


def is_fresh(task: Task) -> bool:
    """Its row is as `fresh_row` says."""
    return task.state is State.READY and task.reason is Reason.SUBMITTED and task.expire_at is None


def fresh_row(task: Task, seq: int, lane: int) -> tuple[object, ...]:
    spec = task.spec
    return seq, task.id, lane, task.line, spec.created_at, pack_spec(spec)


def task_of(row: Row, lane_of: Callable[[int], Lane]) -> Task:
    (seq, task_id, lane, state, reason, line, attempt, failures, rescues) = row[:9]
    (due_at, expire_at, worker, claimed_at, started_at, ended_at, created_at, outcome, spec) = row[9:]
    return Task(
        task_id,
        _spec_of(lane_of(lane), spec, created_at),
        _STATES[state],
        _REASONS[reason],
        line,
        seq,
        attempt,
        failures,
        rescues,
        due_at,
        expire_at,
        worker,
        claimed_at,
        started_at,
        ended_at,
        outcome,
    )


def _spec_of(lane: Lane, packed: bytes, created_at: int) -> Spec:
    kept = _unpack(packed)
    return Spec(
        lane,
        kept.params,
        kept.priority,
        NO_RETRY if kept.retry is None else RetryPolicy(*kept.retry),
        kept.timeout,
        kept.result_ttl,
        kept.unique_key,
        kept.order_key,
        created_at,
        kept.fire_at,
        kept.labels,
        kept.unique_mode,
        kept.concurrency_limit,
        kept.after,
        kept.run_anyway,
        kept.batch,
        kept.trace,
    )


# --- what hangs on a task


def attempt_row(past: AttemptRecord) -> tuple[object, ...]:
    return (
        past.seq,
        past.attempt,
        past.worker,
        past.claimed_at,
        past.started_at,
        past.ended_at,
        int(past.reason),
        past.outcome,
    )


def attempt_of(row: Row) -> AttemptRecord:
    seq, attempt, worker, claimed_at, started_at, ended_at, reason, outcome, late = row
    return AttemptRecord(seq, attempt, worker, claimed_at, started_at, ended_at, _REASONS[reason], outcome, late)


def line_of(row: Row) -> LogLine:
    number, attempt, at, level, text = row
    return LogLine(attempt, at, level, text, number)


def progress_of(row: Row) -> tuple[int, Progress]:
    seq, attempt, at, share, note = row
    return seq, Progress(attempt, at, share, note)


# --- workers and methods

_any = msgspec.msgpack.Encoder().encode
_facts = msgspec.msgpack.Decoder(Facts).decode
_methods = msgspec.msgpack.Decoder(tuple[Method, ...]).decode
_method = msgspec.msgpack.Decoder(Method).decode


def pack(value: Facts | Method | tuple[Method, ...]) -> bytes:
    return _any(value)


def worker_of(row: Row) -> WorkerRecord:
    number, _, facts, methods, registered_at, seen_at, gone_at, gone_reason = row
    return WorkerRecord(number, _facts(facts), _methods(methods), registered_at, seen_at, gone_at, gone_reason)


def method_of(row: Row) -> Method:
    return _method(row[2])
