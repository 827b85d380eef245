"""What a query asks of a task: in words here, in SQL in `statements/searching.py`."""

from __future__ import annotations

import re

from rota.contract.store import Query
from rota.model.task import Task

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UUID = re.compile(
    r"[0-9a-f]{0,8}|[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{0,4})?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{0,12}"
)


def in_lower_case(text: str) -> str:
    """ASCII letters only, as databases do it."""
    return text.translate(_LOWER)


def ids_from_text(text: str) -> tuple[bytes, bytes] | None:
    """The first and the last id whose text (a UUID's) begins so; None where no id's does."""
    digits = in_lower_case(text)
    if not _UUID.fullmatch(digits):
        return None
    digits = digits.replace("-", "")
    return bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))


def matches(query: Query, task: Task) -> bool:
    lane, created_at = task.spec.lane, task.spec.created_at
    return (
        (not query.states or task.state in query.states)
        and (query.method is None or lane.method == query.method)
        and (query.group is None or lane.group == query.group)
        and (query.worker is None or task.worker == query.worker)
        and (query.created_after is None or created_at > query.created_after)
        and (query.created_before is None or created_at < query.created_before)
        and (query.batch is None or task.spec.batch == query.batch)
        and (query.label is None or _bears(task, *query.label))
        and (query.text is None or _has_text(task, in_lower_case(query.text)))
    )


def _bears(task: Task, name: str, value: str) -> bool:
    labels = dict(task.spec.labels)
    return name in labels and (not value or labels[name] == value)


def _has_text(task: Task, text: str) -> bool:
    spec, ids = task.spec, ids_from_text(text)
    texts = (spec.lane.method, spec.lane.group, spec.lane.key, spec.unique_key, spec.order_key)
    return (ids is not None and ids[0] <= task.id <= ids[1]) or any(
        text in in_lower_case(found) for found in texts if found is not None
    )
