"""Which tasks a request is about, read into the store's query."""

from __future__ import annotations

from rota.contract.store import Query
from rota.model.errors import InvalidInput
from rota.transport.caller import Caller
from rota.wire.codec_view import read_states
from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

MAX_TEXT = 256


async def read_query(caller: Caller, said: pb.List | house.Filter, under: str = "") -> Query | None:
    """None: nothing can match, since no such worker is known. `under`: where it stands, for the paths of faults."""
    worker = None
    if said.worker:
        worker = next((each.number for each in await caller.verbs.workers(True) if each.facts.id == said.worker), None)
        if worker is None:
            return None
    if len(said.text) > MAX_TEXT:
        raise InvalidInput.at(f"{under}text", "too_long", f"{len(said.text)} characters; the limit is {MAX_TEXT}")
    return Query(
        read_states(said.states, f"{under}states"),
        said.method or None,
        said.group or None,
        worker,
        said.created_after or None,
        said.created_before or None,
        _label(said.label),
        said.batch or None,
        said.text or None,
    )


def _label(said: str) -> tuple[str, str] | None:
    name, _, value = said.partition("=")
    return (name, value) if said else None
