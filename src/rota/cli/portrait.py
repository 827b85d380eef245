"""A task as people see it: what it is, how it went, and what can be done next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from rota.cli import human
from rota.cli.output import Output
from rota.cli.values import json_value
from rota.telemetry.safe import json_text, many_lines, one_line

if TYPE_CHECKING:
    from rota.client.views import AttemptView, ErrorView, TaskView

_SHORT = 80
"""Characters of JSON that stay on one line."""
_PARENTS = 5
"""Of the tasks before it so many are named."""


def draw(task: TaskView, out: Output, hints: list[str]) -> None:
    """Everything, in plain lines."""
    for name, words in _facts(task, human.now()):
        out.say(f"{name:<9} {one_line(words)}")
    _draw_json("params", task.raw_params, out)
    if task.state == "succeeded":
        _draw_json("result", task.raw_result, out)
    if task.error is not None:
        _draw_error(task.error, out)
    if task.attempts:
        out.say("\nearlier attempts")
        out.table(("no.", "worker", "started", "took", "why it ended", "error"), [_attempt(a) for a in task.attempts])
    if hints:
        out.say()
    for hint in hints:
        out.say(f"next: {one_line(hint)}")


def hints_for(task: TaskView, workers: int | None) -> list[str]:
    """What to do with it. `workers`: how many that are connected offer its method, if that was asked."""
    match task.state:
        case "failed":
            return [f"rota logs {task.id}", f"rota retry {task.id}   (runs it again, with a fresh retry budget)"]
        case "running":
            return [f"rota logs -f {task.id}", f"rota cancel {task.id}"]
        case "ready" if workers == 0:
            return [f"no worker that is connected offers {task.method}: start one, rota worker module:app"]
        case "ready":
            return [f"rota why {task.id}   (what it waits for)"]
        case "scheduled":
            return [f"it becomes ready at {human.instant(task.due_at)}; rota cancel {task.id} takes it back"]
        case "waiting":
            return [f"rota why {task.id}   (which tasks it waits for)"]
        case "cancelled" | "expired":
            return [f"rota retry {task.id}   (runs it after all)"]
    return []


def _facts(task: TaskView, now: datetime) -> Iterator[tuple[str, str]]:
    yield "task", task.id
    yield "method", task.method + (f"@{task.version}" if task.version else "")
    yield "state", f"{task.state} ({task.reason})"
    if task.progress is not None:
        yield "progress", f"{task.progress.share:.0%} {task.progress.note}".rstrip()
    yield from _optional(task)
    yield "created", f"{human.instant(task.created_at)} ({human.between(task.created_at, now)} ago)"
    if task.due_at is not None and task.state == "scheduled":
        yield "due", human.instant(task.due_at)
    if task.expire_at is not None and not task.ended:
        yield "expires", human.instant(task.expire_at)
    if task.started_at is not None:
        yield "started", f"{human.instant(task.started_at)} (waited {human.between(task.created_at, task.started_at)})"
    if task.ended_at is not None:
        yield "ended", f"{human.instant(task.ended_at)} (took {human.between(task.started_at, task.ended_at)})"
    yield "attempt", f"{task.attempt} (failures {task.failures} of {task.retries + 1} tries, rescues {task.rescues})"
    if task.worker:
        yield "worker", task.worker


def _optional(task: TaskView) -> Iterator[tuple[str, str]]:
    if task.group:
        yield "group", task.group
    if task.priority:
        yield "priority", str(task.priority)
    if task.timeout is not None:
        yield "timeout", human.span(task.timeout)
    if task.target:
        yield "target", task.target
    if task.unique_key:
        yield "unique", task.unique_key
    if task.order_key:
        yield "order", task.order_key
    if task.concurrency_key:
        yield "at once", f"{task.concurrency_limit or 1} of the concurrency key {task.concurrency_key}"
    if task.after:
        more = f" and {human.number(len(task.after) - _PARENTS)} more" if len(task.after) > _PARENTS else ""
        how = "runs even if one fails" if task.on_parent_failure == "run" else "fails if one does"
        yield "after", f"{', '.join(task.after[:_PARENTS])}{more} ({how})"
    if task.batch:
        yield "batch", task.batch
    if task.labels:
        yield "labels", " ".join(f"{key}={value}" for key, value in sorted(task.labels.items()))


def _draw_json(name: str, data: bytes, out: Output) -> None:
    value = json_value(data)
    if len(short := json_text(value)) <= _SHORT:
        out.say(f"{name:<9} {short}")
    else:
        out.say(f"{name}\n" + _indented(json_text(value, indent=2)))


def _draw_error(error: ErrorView, out: Output) -> None:
    out.say(f"{'error':<9} {one_line(summary(error))}")
    if error.traceback:
        out.say(_indented(many_lines(error.traceback.rstrip())))


def summary(error: ErrorView | None) -> str:
    """`ValueError: no such file`."""
    if error is None:
        return ""
    return f"{error.type}: {error.message}" if error.type else error.message


def _attempt(attempt: AttemptView) -> tuple[str, ...]:
    words = summary(attempt.error)
    return (
        str(attempt.attempt),
        attempt.worker,
        human.instant(attempt.started_at),
        human.between(attempt.started_at, attempt.ended_at),
        attempt.reason,
        f"{words} (late: {attempt.late})" if attempt.late else words,
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
