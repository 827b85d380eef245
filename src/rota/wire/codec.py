"""Tasks on their way: what is submitted, assigned, reported and told, as model nouns and as messages of rota.v1.

Pure and hot: what is not said is not looked at. `read_…` makes nouns of messages and raises InvalidInput with the path of
the wrong field (`tasks[3].id`); `write_…` fills a message, fresh from `add()`, and raises InvalidInput for a value that
the wire cannot carry. Params and results are checked to be JSON, and else opaque. The siblings `codec_*.py` have the rest of the nouns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rota.model.errors import InvalidInput
from rota.model.failure import Failure
from rota.model.method import NO_OPTIONS
from rota.model.report import Held, Report, Verdict
from rota.model.submission import Submission
from rota.model.task import Reason, State, Task
from rota.telemetry.tracing import fit
from rota.wire.codec_options import read_options
from rota.wire.json_text import check_json, json_fault
from rota.wire.v1 import link_pb2 as pb

ID_BYTES = 16
LONGEST = 2**53
"""Durations, in microseconds, are below: 285 years."""
STATES: tuple[str, ...] = ("", *(state.name.lower() for state in State))
"""The wire's word for a State, by its number."""
REASONS: tuple[str, ...] = ("", *(reason.name.lower() for reason in Reason))
_VERDICTS: tuple[Verdict | None, ...] = (None, *Verdict)
_SUCCEEDED, _RUNNING = State.SUCCEEDED, State.RUNNING


def check_id(task_id: bytes, path: str) -> bytes:
    if len(task_id) != ID_BYTES:
        raise InvalidInput.at(path, "invalid_id", f"{len(task_id)} bytes; a task's id is {ID_BYTES} bytes, a UUIDv7")
    return task_id


def read_ids(ids: Sequence[bytes], path: str = "ids") -> list[bytes]:
    """Ids as they are; InvalidInput for the first that is not 16 bytes."""
    if all(len(task_id) == ID_BYTES for task_id in ids):
        return list(ids)
    return [check_id(task_id, f"{path}[{place}]") for place, task_id in enumerate(ids)]


# ---------------------------------------------------------------- client: submit


def read_submissions(tasks: Sequence[pb.NewTask]) -> list[Submission]:
    """The whole batch, or InvalidInput for its first wrong task."""
    return [read_submission(new, place) for place, new in enumerate(tasks)]


def read_submission(new: pb.NewTask, place: int) -> Submission:
    task_id = new.id
    if len(task_id) != ID_BYTES:
        check_id(task_id, f"tasks[{place}].id")
    after, params = new.after, new.params
    return Submission(
        task_id,
        new.method,
        check_json(params, f"tasks[{place}].params") if params else b"null",
        read_options(new.options, f"tasks[{place}].options") if new.HasField("options") else NO_OPTIONS,
        new.idempotency_key or None,
        new.version or None,
        tuple(sorted(new.labels.items())) if new.labels else (),
        new.target or None,
        tuple(read_ids(after, f"tasks[{place}].after")) if after else (),
        (new.on_parent_failure or "fail") if after else "fail",
        new.batch or None,
        fit(new.trace) if new.trace else "",
    )


# ---------------------------------------------------------------- worker: assign, finish


def write_assignment(task: Task, assignment: pb.Assignment, announce: bool) -> None:
    spec = task.spec
    lane = spec.lane
    assignment.id = task.id
    assignment.attempt = task.attempt
    assignment.method = lane.method
    assignment.params = spec.params
    assignment.created_at = spec.created_at
    if announce:
        assignment.announce = True
    if lane.version:
        assignment.version = lane.version
    if lane.group:
        assignment.group = lane.group
    if spec.timeout:
        assignment.timeout = spec.timeout
    if spec.fire_at:
        assignment.fire_at = spec.fire_at
    if task.failures:
        assignment.failures = task.failures
    if spec.retry.retries:
        assignment.retries = spec.retry.retries
    if spec.labels:
        assignment.labels.update(spec.labels)
    if spec.trace:
        assignment.trace = spec.trace
    if spec.after:
        assignment.after.extend(spec.after)
    if spec.batch:
        assignment.batch = spec.batch


def read_reports(results: Sequence[pb.Result]) -> list[Report]:
    return [read_report(result, place) for place, result in enumerate(results)]


def read_report(result: pb.Result, place: int) -> Report:
    verdict = _verdict(result, place)
    if result.ran > LONGEST or result.retry_after > LONGEST:
        raise _too_long(f"results[{place}]")
    kept, failure = result.result, read_error(result.error) if result.HasField("error") else None
    if verdict is Verdict.SUCCEEDED and kept and (fault := json_fault(kept)) is not None:
        # Its worker would send a refused result again and again; the task has failed as if its handler had raised.
        verdict, kept, failure = Verdict.RAISED, b"", Failure(("ResultNotJson",), f"its result: {fault[1]}")
    return Report(
        check_id(result.id, f"results[{place}].id"),
        result.attempt,
        verdict,
        kept,
        failure,
        result.started_at or None,
        result.ran,
        result.retry_after if result.HasField("retry_after") else None,
    )


def _verdict(result: pb.Result, place: int) -> Verdict:
    number = result.verdict
    verdict = _VERDICTS[number] if 0 <= number < len(_VERDICTS) else None
    if verdict is None:
        raise InvalidInput.at(
            f"results[{place}].verdict", "unknown_verdict", f"{number} is not a verdict of this version of rota.v1"
        )
    return verdict


def read_held(refs: Sequence[pb.HeldRef], path: str = "tasks") -> list[Held]:
    return [
        Held(check_id(ref.id, f"{path}[{place}].id"), ref.attempt, ref.started_at or None)
        for place, ref in enumerate(refs)
    ]


def read_refs(refs: Sequence[pb.Ref], path: str = "tasks") -> list[tuple[bytes, int]]:
    return [(check_id(ref.id, f"{path}[{place}].id"), ref.attempt) for place, ref in enumerate(refs)]


def write_refs(refs: Iterable[tuple[bytes, int]], add: Callable[[], Any]) -> None:
    for task_id, attempt in refs:
        ref = add()
        ref.id, ref.attempt = task_id, attempt


# ---------------------------------------------------------------- client: outcomes


def write_outcome(task: Task, outcome: pb.Ended.Outcome) -> None:
    """Of an ended task."""
    outcome.id = task.id
    outcome.state = STATES[task.state]
    outcome.reason = REASONS[task.reason]
    outcome.attempt = task.attempt
    if task.state == _SUCCEEDED:
        if task.outcome:
            outcome.result = task.outcome
    elif task.outcome:
        write_error(Failure.unpack(task.outcome), outcome.error)


def read_error(error: pb.Error) -> Failure:
    return Failure(tuple(error.types), error.message, error.traceback)


def write_error(failure: Failure, error: pb.Error) -> None:
    error.types.extend(map(_sendable, failure.types))
    error.message = _sendable(failure.message)
    error.traceback = _sendable(failure.traceback)
    error.SetInParent()


def _sendable(text: str) -> str:
    """An exception's text may hold lone surrogates, which no wire takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _too_long(path: str) -> InvalidInput:
    return InvalidInput.at(path, "out_of_range", f"a duration is longer than {LONGEST} microseconds")
