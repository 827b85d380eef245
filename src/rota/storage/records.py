"""Records on their way between a store and its callers: what a caller holds is never what a store holds."""

from __future__ import annotations

from rota.model import lifecycle
from rota.model.task import Task


def copied(task: Task) -> Task:
    return Task(
        task.id,
        task.spec,
        task.state,
        task.reason,
        task.line,
        task.seq,
        task.attempt,
        task.failures,
        task.rescues,
        task.due_at,
        task.expire_at,
        task.worker,
        task.claimed_at,
        task.started_at,
        task.ended_at,
        task.outcome,
    )


def ordered(task: Task) -> Task:
    """A copy that waits behind its order key."""
    copy = copied(task)
    lifecycle.order(copy)
    return copy


def within(tasks: list[Task], max_bytes: int) -> list[Task]:
    """The first tasks whose params together reach `max_bytes`, at least one if there is any."""
    total = 0
    for place, task in enumerate(tasks, 1):
        total += len(task.spec.params)
        if total >= max_bytes:
            return tasks[:place]
    return tasks
