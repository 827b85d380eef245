"""The log of a task: a page of it, or all of it as it is written."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from rota.model.text import instant_text
from rota.transport.http.log_stream import follow_log
from rota.transport.http.route import JSON, READERS, Reply, Request, Route
from rota.transport.http.values import Instant, read_id

MOST_LINES = 1_000
_LAST = 2**63 - 1


class LogsQuery(Struct, forbid_unknown_fields=True, frozen=True):
    after: Annotated[int, Meta(ge=0, le=_LAST, description="Lines after this number.")] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST_LINES)] = 500
    follow: Annotated[bool, Meta(description="As server-sent events, until the task has ended.")] = False


class Line(Struct, frozen=True):
    """`level` is the number of Python's logging: 20 info, 40 error."""

    number: int
    attempt: int
    at: Instant
    level: int
    text: str


class Log(Struct, frozen=True):
    """Lines in order."""

    lines: list[Line]
    after: Annotated[int, Meta(description="Ask again with it for what comes next.")]
    ended: Annotated[bool, Meta(description="The task has ended: when there are no more lines, none will come.")]


async def read_logs(request: Request) -> Reply | None:
    asked: LogsQuery = request.query
    if asked.follow:
        return await follow_log(request, read_id(request.path["id"]), asked.after)
    lines, ended = await request.verbs.read_logs(read_id(request.path["id"]), asked.after, asked.limit)
    shown = [Line(line.number, line.attempt, instant_text(line.at), line.level, line.text) for line in lines]
    return Reply(Log(shown, shown[-1].number if shown else asked.after, ended))


ROUTES = [
    Route(
        "GET",
        "/tasks/{id}/logs",
        READERS,
        read_logs,
        "The log of a task",
        "tasks",
        {200: Log, 204: None},
        (400, 404, 422, 429),
        query=LogsQuery,
        media_types=(JSON, "text/event-stream"),
        headers={"Last-Event-ID": "With `follow`: the stream goes on behind this line."},
    )
]
