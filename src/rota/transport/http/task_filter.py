"""Which tasks are meant: the filters of lists and of calls on many."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from msgspec import Meta, Struct

from rota.contract.store import Query
from rota.model.errors import InvalidInput
from rota.transport.http.values import Instant, read_instant
from rota.transport.verbs import Verbs
from rota.wire.codec_view import read_states

StateNames = Annotated[
    list[str],
    Meta(
        description="waiting, scheduled, ready, running, succeeded, failed, cancelled, expired; "
        "`ended` and `unended` stand for all such."
    ),
]
Name = Annotated[str, Meta(max_length=128)]


class TaskFilter(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is not said does not count."""

    state: StateNames = []
    method: Name | None = None
    group: Name | None = None
    worker: Annotated[str, Meta(max_length=128, description="A worker's id.")] | None = None
    label: Annotated[str, Meta(max_length=512, description="`name:value`, or `name` alone for any value.")] | None = (
        None
    )
    batch: Annotated[str, Meta(max_length=128)] | None = None
    since: Annotated[Instant, Meta(description="Accepted at or after this instant.")] | None = None
    until: Annotated[Instant, Meta(description="Accepted before this instant.")] | None = None
    text: (
        Annotated[
            str,
            Meta(
                max_length=128,
                description="Literally in the method, the group or a key, or at the beginning of the id.",
            ),
        ]
        | None
    ) = None


async def query_of(asked: TaskFilter, verbs: Verbs, path: str = "") -> Query | None:
    """None: nothing can match, since no such worker is known. Raises InvalidInput."""
    query = Query(
        read_states(asked.state, f"{path}state"),
        asked.method,
        asked.group,
        None,
        None if asked.since is None else read_instant(asked.since, f"{path}since"),
        None if asked.until is None else read_instant(asked.until, f"{path}until"),
        _label(asked.label, f"{path}label"),
        asked.batch,
        asked.text,
    )
    if asked.worker is None:
        return query
    known = await verbs.workers(gone=True)
    number = next((each.number for each in known if each.facts.id == asked.worker), None)
    return None if number is None else replace(query, worker=number)


def says_nothing(query: Query) -> bool:
    """It would meet every task there is."""
    return query == Query()


def _label(said: str | None, path: str) -> tuple[str, str] | None:
    if said is None:
        return None
    name, _, value = said.partition(":")
    if not name:
        raise InvalidInput.at(path, "invalid_value", "must be a label's name, or `name:value`")
    return name, value
