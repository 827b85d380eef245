"""What people ask of tasks that are there: cancel, run again, delete; one, or all that a filter meets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from rota.model.errors import InvalidInput
from rota.model.report import BulkOutcome, CallOutcome
from rota.model.task import State
from rota.model.text import instant_text, task_id_text
from rota.transport.http.route import CALLERS, OPERATORS, READERS, Reply, Request, Route
from rota.transport.http.task_filter import TaskFilter, query_of, says_nothing
from rota.transport.http.task_views import StateWord
from rota.transport.http.values import Id, Instant, read_id

MAX_BULK = 100_000


class CancelBody(Struct, forbid_unknown_fields=True, frozen=True):
    note: Annotated[str, Meta(max_length=1_000, description="Why, for people.")] = ""


class NoBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Nothing has to be said."""


class Called(Struct, frozen=True):
    """How the task stands now."""

    id: Id
    state: StateWord
    pending: Annotated[bool, Meta(description="It runs, and is being stopped: it ends when its worker says so.")]


class BulkBody(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """For all tasks that a filter meets. It says at least one thing."""

    filter: TaskFilter
    dry_run: Annotated[bool, Meta(description="Only count.")] = False
    limit: Annotated[int, Meta(ge=1, le=MAX_BULK, description="Tasks that one call looks at, at most.")] = 10_000
    note: Annotated[str, Meta(max_length=1_000, description="Why, for people.")] = ""


class Bulk(Struct, frozen=True):
    """What became of it. Of a dry run `done` is what would have been tried."""

    action: Literal["cancel", "retry", "delete"]
    dry_run: bool
    matched: int
    done: int
    refused: Annotated[dict[str, int], Meta(description="How many were refused, by code.")]
    sample: Annotated[list[Id], Meta(description="The first of those for which it was done, at most 100.")]
    more: Annotated[bool, Meta(description="The limit was reached: ask again for what may be left.")]


class Batch(Struct, frozen=True):
    """How the tasks of a batch stand. Tasks that were removed are not counted."""

    name: str
    created_at: Annotated[Instant, Meta(description="Of its first task.")]
    total: int
    unended: int
    states: dict[str, int]


async def cancel(request: Request) -> Reply:
    """Cancelled again it answers the same."""
    outcomes = await request.verbs.cancel([read_id(request.path["id"])], request.body.note)
    return _called(outcomes, fine="cancelled")


async def retry(request: Request) -> Reply:
    return _called(await request.verbs.retry([read_id(request.path["id"])]))


async def delete(request: Request) -> Reply:
    _called(await request.verbs.delete([read_id(request.path["id"])]))
    return Reply(None, 204)


async def cancel_many(request: Request) -> Reply:
    return await _bulk(request, "cancel")


async def retry_many(request: Request) -> Reply:
    return await _bulk(request, "retry")


async def delete_many(request: Request) -> Reply:
    return await _bulk(request, "delete")


async def get_batch(request: Request) -> Reply:
    counts = await request.verbs.batch(request.path["name"])
    states = {state.name.lower(): counts.states.get(state, 0) for state in State}
    return Reply(
        Batch(
            counts.name,
            instant_text(counts.created_at),
            sum(counts.states.values()),
            sum(count for state, count in counts.states.items() if not state.ended),
            states,
        )
    )


async def _bulk(request: Request, action: Literal["cancel", "retry", "delete"]) -> Reply:
    body: BulkBody = request.body
    query = await query_of(body.filter, request.verbs, "filter.")
    if query is None:
        outcome = BulkOutcome(action)
    elif says_nothing(query):
        raise InvalidInput.at(
            "filter", "empty_filter", "must say at least one thing; to mean every task, say `state` with all its words"
        )
    else:
        outcome = await request.verbs.bulk(action, query, dry_run=body.dry_run, limit=body.limit)
    return Reply(
        Bulk(
            action,
            body.dry_run,
            outcome.matched,
            outcome.done,
            dict(outcome.refused),
            [task_id_text(task_id) for task_id in outcome.sample],
            outcome.more,
        )
    )


def _called(outcomes: Sequence[CallOutcome], fine: str = "") -> Reply:
    """`fine`: the state in which a refusal is none."""
    outcome = outcomes[0]
    if outcome.refusal is not None and outcome.state != (fine or None):
        raise outcome.refusal
    return Reply(Called(task_id_text(outcome.id), outcome.state, outcome.pending))  # type: ignore[arg-type]


_MANY = (
    "Acts on the tasks that the filter meets when they are looked at, newest first. Where it names no `state`, unended tasks "
    "are meant for cancel, failed ones for retry, ended ones for delete. Ask for a `dry_run` first."
)
_FAILED = ({"filter": {"method": "billing.send-invoice", "state": ["failed"]}, "dry_run": True},)
ROUTES = [
    Route(
        "POST",
        "/tasks/{id}/cancel",
        CALLERS,
        cancel,
        "Cancel a task",
        "tasks",
        {200: Called},
        (400, 404, 409, 415, 422),
        body=CancelBody,
        body_needed=False,
        about="A task that nobody runs ends at once. Of a running one the wish is kept and its worker is told: `pending`.",
    ),
    Route(
        "POST",
        "/tasks/{id}/retry",
        CALLERS,
        retry,
        "Run an ended task again",
        "tasks",
        {200: Called},
        (400, 404, 409, 415, 422),
        body=NoBody,
        body_needed=False,
    ),
    Route(
        "DELETE",
        "/tasks/{id}",
        OPERATORS,
        delete,
        "Delete an ended task with its history",
        "tasks",
        {204: None},
        (400, 404, 409),
        body=NoBody,
        body_needed=False,
    ),
    *(
        Route(
            "POST",
            f"/tasks/{word}",
            OPERATORS,
            handle,
            f"{word.capitalize()} many tasks",
            "tasks",
            {200: Bulk},
            (400, 413, 415, 422),
            body=BulkBody,
            about=_MANY,
            examples=_FAILED,
        )
        for word, handle in (("cancel", cancel_many), ("retry", retry_many), ("delete", delete_many))
    ),
    Route("GET", "/batches/{name}", READERS, get_batch, "How a batch stands", "tasks", {200: Batch}, (404,)),
]
