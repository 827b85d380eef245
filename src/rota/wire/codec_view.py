"""Tasks as they are shown: the record with its attempts, progress and log lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from rota.model.errors import InvalidInput
from rota.model.failure import Failure
from rota.model.log import LogLine, Progress
from rota.model.sealed import hidden
from rota.model.task import AttemptRecord, State, Task
from rota.wire.codec import REASONS, STATES, write_error
from rota.wire.v1 import link_pb2 as pb

MAX_LINE = 16 * 1024
"""Characters of one log line; more is cut, with a mark."""
MAX_HISTORY_BYTES = 1024 * 1024
"""Of errors in past attempts: the newest are shown whole, older ones without their traceback."""
_BY_WORD = {state.name.lower(): state for state in State}
_SUCCEEDED = State.SUCCEEDED


def write_task(task: Task, view: pb.Task, worker: str) -> None:
    """`worker` is the id of the worker that holds or held it, "" for none."""
    spec = task.spec
    lane = spec.lane
    view.id = task.id
    view.seq = task.seq
    view.method = lane.method
    view.version = lane.version or 0
    view.group = lane.group or ""
    view.target = lane.target or ""
    view.state = STATES[task.state]
    view.reason = REASONS[task.reason]
    view.priority = spec.priority
    view.attempt = task.attempt
    view.failures = task.failures
    view.rescues = task.rescues
    view.retries = spec.retry.retries
    view.created_at = spec.created_at
    view.due_at = task.due_at or 0
    view.claimed_at = task.claimed_at or 0
    view.started_at = task.started_at or 0
    view.ended_at = task.ended_at or 0
    view.expire_at = task.expire_at or 0
    view.worker = worker
    view.params = hidden(spec.params)
    view.timeout = spec.timeout or 0
    view.unique_key = spec.unique_key or ""
    view.order_key = spec.order_key or ""
    if lane.key:
        view.concurrency_key = lane.key
        view.concurrency_limit = spec.concurrency_limit
    if spec.unique_key:
        view.unique_mode = spec.unique_mode
    if spec.after:
        view.after.extend(spec.after)
        view.on_parent_failure = "run" if spec.run_anyway else "fail"
    if spec.batch:
        view.batch = spec.batch
    if spec.labels:
        view.labels.update(spec.labels)
    if task.outcome and task.state == _SUCCEEDED:
        view.result = hidden(task.outcome)
    elif task.outcome:
        write_error(Failure.unpack(task.outcome), view.error)


def write_attempts(attempts: Sequence[AttemptRecord], view: pb.Task, names: Mapping[int, str]) -> None:
    """Past attempts, oldest first. `names`: workers' ids by their number."""
    room = MAX_HISTORY_BYTES
    whole: set[int] = set()
    for place in range(len(attempts) - 1, -1, -1):
        room -= len(attempts[place].outcome or b"")
        if room >= 0:
            whole.add(place)
    for place, record in enumerate(attempts):
        _write_attempt(record, view.attempts.add(), names.get(record.worker or 0, ""), place in whole)


def _write_attempt(record: AttemptRecord, attempt: pb.Attempt, worker: str, whole: bool) -> None:
    attempt.attempt = record.attempt
    attempt.worker = worker
    attempt.claimed_at = record.claimed_at or 0
    attempt.started_at = record.started_at or 0
    attempt.ended_at = record.ended_at
    attempt.reason = REASONS[record.reason]
    attempt.late = record.late or ""
    if record.outcome:
        failure = Failure.unpack(record.outcome)
        write_error(failure if whole else Failure(failure.types[:1], failure.message[:200]), attempt.error)


def write_progress(progress: Progress, message: pb.Progress) -> None:
    message.share = progress.share
    message.note = progress.note
    message.at = progress.at
    message.attempt = progress.attempt


def read_progress(message: pb.Progress, attempt: int) -> Progress:
    """A share that is no number counts as 0; it is kept within 0 … 1."""
    share = message.share if math.isfinite(message.share) else 0.0
    return Progress(attempt, message.at, min(max(share, 0.0), 1.0), message.note[:MAX_LINE])


def write_line(line: LogLine, message: pb.LogLine) -> None:
    message.number = line.number
    message.attempt = line.attempt
    message.at = line.at
    message.level = line.level
    message.text = line.text


def read_lines(messages: Iterable[pb.LogLine], attempt: int) -> list[LogLine]:
    """Lines from a worker: of this attempt, whatever they say; the store numbers them."""
    return [LogLine(attempt, message.at, message.level, _cut(message.text)) for message in messages]


def read_states(words: Sequence[str], path: str = "states") -> tuple[State, ...]:
    """`ready`, `running` …; `ended` and `unended` stand for all such."""
    states: dict[State, None] = {}
    for place, word in enumerate(words):
        states.update(dict.fromkeys(_states(word, f"{path}[{place}]")))
    return tuple(states)


def _states(word: str, path: str) -> list[State]:
    if word in ("ended", "unended"):
        return [state for state in State if state.ended == (word == "ended")]
    if word in _BY_WORD:
        return [_BY_WORD[word]]
    raise InvalidInput.at(
        path, "unknown_state", f"{word[:50]!r} is not a state; there are {', '.join(_BY_WORD)}, ended and unended"
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LINE else text[:MAX_LINE] + " … (cut)"
