"""What somebody asks to be told of, checked: the same words in the query of a stream and in a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from rota.access.grant import Grant
from rota.model.errors import InvalidInput
from rota.model.names import check_name
from rota.observe.event import TOPICS, Subscription
from rota.transport.http.values import Id, read_body_id

Topic = Literal["task", "worker", "group", "node", "stats"]
Topics = Annotated[list[Topic], Meta(description="Of which topics; without it, of all.", max_length=len(TOPICS))]
Group = Annotated[
    str, Meta(description="Only of this group; empty: of what has no group. Not together with `task`.", max_length=128)
]
TaskId = Annotated[Id, Meta(description="Only of this task.")]


def subscription_of(topics: Sequence[Topic] | None, group: str | None, task: str | None, grant: Grant) -> Subscription:
    """Raises InvalidInput, and Forbidden for a group that is outside the token's."""
    if group is not None and task is not None:
        raise InvalidInput.at("group", "contradiction", "say `group` or `task`, not both")
    if group is not None:
        if group:
            check_name(group, "group")
        grant.check_group(group or None)
    return Subscription(frozenset(topics or TOPICS), group, read_body_id(task, "task") if task is not None else None)
