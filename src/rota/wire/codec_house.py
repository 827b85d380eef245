"""Why a task waits, batches, bulk calls, groups, what is set for them, and the figures of a day."""

from __future__ import annotations

from collections.abc import Mapping

from rota.model.cause import Explanation
from rota.model.control import Control, Rate, Scope
from rota.model.errors import InvalidInput
from rota.model.group import GroupView
from rota.model.names import check_name
from rota.model.report import BulkOutcome
from rota.model.series import Point
from rota.model.task import State
from rota.wire.codec import STATES
from rota.wire.v1 import house_pb2 as pb

_LONGEST = 2**53


def write_explanation(explanation: Explanation, message: pb.Explanation) -> None:
    message.id = explanation.task_id
    message.state = explanation.state
    message.summary = explanation.summary
    for cause in explanation.causes:
        message.causes.add(
            code=cause.code, message=cause.message, until=cause.until or 0, by=cause.by, count=cause.count
        )


def write_bulked(outcome: BulkOutcome, message: pb.Bulked) -> None:
    message.action = outcome.action
    message.matched = outcome.matched
    message.done = outcome.done
    message.refused.update(outcome.refused)
    message.sample.extend(outcome.sample)
    message.more = outcome.more


def write_batch(name: str, states: Mapping[State, int], created_at: int, message: pb.Batch) -> None:
    message.name = name
    message.created_at = created_at
    message.tasks.update(_by_word(states))


def _by_word(states: Mapping[State, int]) -> dict[str, int]:
    return {STATES[state]: count for state, count in states.items() if count}


# ---------------------------------------------------------------- controls


def read_scope(word: str, name: str) -> tuple[Scope, str]:
    """Raises InvalidInput for what is no scope, and for a name that none can have."""
    try:
        scope = Scope(word)
    except ValueError:
        listed = ", ".join(Scope)
        raise InvalidInput.at("scope", "unknown_scope", f"{word[:50]!r} is not a scope; there are {listed}") from None
    if scope is Scope.NODE and name:
        raise InvalidInput.at("name", "invalid_name", "what is set for the node has no name")
    if name or scope is Scope.METHOD:
        check_name(name, "name")
    return scope, name


def read_rate(rate: pb.Rate, path: str) -> Rate | None:
    """None for a count of 0. Raises InvalidInput for a period that is none."""
    if not rate.count:
        return None
    if not 0 < rate.period <= _LONGEST:
        raise InvalidInput.at(f"{path}.period", "out_of_range", "a rate is so many starts in a period longer than 0")
    return Rate(rate.count, rate.period)


def write_control(control: Control, message: pb.Control) -> None:
    message.scope = control.scope.value
    message.name = control.name
    message.paused = control.paused
    message.note = control.note
    message.concurrency = control.concurrency or 0
    message.max_queued = control.max_queued or 0
    message.changed_at = control.changed_at
    message.changed_by = control.changed_by
    for rate, place in ((control.rate, message.rate), (control.key_rate, message.key_rate)):
        if rate is not None:
            place.count, place.period = rate.count, rate.period


def write_group(view: GroupView, message: pb.Group) -> None:
    message.name = view.name or ""
    message.tasks.update(_by_word(view.tasks))
    message.methods.update(view.methods)
    message.workers = view.workers
    message.slots = view.slots
    message.busy = view.busy
    message.submit_rate = view.submit_rate
    message.finish_rate = view.finish_rate
    if view.control is not None:
        write_control(view.control, message.control)


# ---------------------------------------------------------------- figures


def write_point(point: Point, message: pb.Point) -> None:
    for name in _OF_POINT:
        setattr(message, name, getattr(point, name))


_OF_POINT = tuple(pb.Point.DESCRIPTOR.fields_by_name)
