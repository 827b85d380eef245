"""Records on their way between a store and its callers: what a caller holds is never what a store holds."""

from __future__ import annotations

from dataclasses import fields

from rota.model import lifecycle
from rota.model.lifecycle import Retention
from rota.model.task import Task
from rota.storage.intake import Decision


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


def onto(source: Task, record: Task) -> None:
    """Makes the other record say what the first one says."""
    for name in _CHANGING:
        setattr(record, name, getattr(source, name))


_CHANGING = tuple(field.name for field in fields(Task) if field.name not in ("id", "spec"))


def as_decided(decision: Decision, now: int, keep: Retention) -> list[Task]:
    """The records of the accepted entries as they are to be stored: copies where they do not stay as they came."""
    return [_as_decided(entry.task, decision, now, keep) for entry in decision.accepted]


def _as_decided(task: Task, decision: Decision, now: int, keep: Retention) -> Task:
    failed_with = decision.stillborn.get(task.id)
    if failed_with is not None:
        copy = copied(task)
        lifecycle.wait_for_parents(copy)
        lifecycle.fail_with_parent(copy, *failed_with, now, keep).onto(copy)
        return copy
    if task.id in decision.parents:
        copy = copied(task)
        lifecycle.wait_for_parents(copy)
        return copy
    if task.id in decision.behind:
        copy = copied(task)
        lifecycle.order(copy)
        return copy
    return task


def within(tasks: list[Task], max_bytes: int) -> list[Task]:
    """The first tasks whose params together reach `max_bytes`, at least one if there is any."""
    total = 0
    for place, task in enumerate(tasks, 1):
        total += len(task.spec.params)
        if total >= max_bytes:
            return tasks[:place]
    return tasks
