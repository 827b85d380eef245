"""Everything that changes, as an event stream: `GET /events`."""

from __future__ import annotations

import msgspec

from rota.observe.event import Filter
from rota.observe.event_forms import LINES
from rota.transport.asgi import header
from rota.transport.http.event_stream import MEDIA_TYPE, EventStream
from rota.transport.http.route import READERS, Reply, Request, Route
from rota.transport.http.subscriptions import Group, TaskId, Topics, subscription_of


class EventsQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which events."""

    topics: Topics | None = None
    group: Group | None = None
    task: TaskId | None = None


async def read_events(request: Request) -> Reply | None:
    """Goes on until either side ends it. Raises Forbidden, InvalidInput, Overloaded (`too_many_readers`)."""
    query: EventsQuery = request.query
    grant, events = request.verbs.grant, request.lobby.events
    subscription = subscription_of(query.topics, query.group, query.task, grant)
    last = header(request.scope, b"last-event-id") or ""
    reader = events.join(Filter(frozenset({subscription}), grant.groups), LINES, last, grant.kid)
    stream = EventStream(request.lobby, grant, request.scope, request.receive, request.send)
    try:
        await stream.run(reader, b"" if last else f"id: {events.place}\n".encode())
    finally:
        reader.leave()
    return None


ROUTES = [
    Route(
        "GET",
        "/events",
        READERS,
        read_events,
        "Everything that changes, as it changes",
        "events",
        {200: str},
        errors=(403, 429),
        query=EventsQuery,
        media_types=(MEDIA_TYPE,),
        headers={"Last-Event-ID": "The id of the last event that was read: the stream goes on behind it."},
        about=(
            "A stream of server-sent events that does not end by itself. `data:` is a JSON object with a `type`; "
            "`id:` is the place to go on from. What cannot be gone on from is answered with an event `reset`, and what "
            "a slow reader has missed with an event `behind`: then read anew what you show. See the page on events."
        ),
    )
]
