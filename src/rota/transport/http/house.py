"""Methods, groups and workers: what there is, how it stands, and what is asked of workers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from rota.model.control import Scope
from rota.model.errors import NotFound
from rota.model.names import check_name
from rota.transport.group_page import LARGEST_PAGE, MAX_CURSOR, group_page
from rota.transport.http.controls import NO_GROUP, PauseBody
from rota.transport.http.house_views import (
    Group,
    Groups,
    MethodDetail,
    Methods,
    Workers,
    WorkerView,
    group_view,
    method_view,
    optional_control,
    worker_view,
)
from rota.transport.http.route import OPERATORS, READERS, Reply, Request, Route
from rota.transport.http.task_calls import NoBody


class ListWorkers(Struct, forbid_unknown_fields=True, frozen=True):
    all: Annotated[bool, Meta(description="Those gone within the last day, too.")] = False


class ListGroups(Struct, forbid_unknown_fields=True, frozen=True):
    """Which page."""

    limit: Annotated[int, Meta(ge=1, le=LARGEST_PAGE)] = LARGEST_PAGE
    cursor: Annotated[str, Meta(max_length=MAX_CURSOR)] | None = None


async def list_methods(request: Request) -> Reply:
    return Reply(Methods([method_view(method, workers) for method, workers in await request.verbs.methods()]))


async def get_method(request: Request) -> Reply:
    name = request.path["name"]
    found = [(method, workers) for method, workers in await request.verbs.methods() if method.name == name]
    if not found:
        raise NotFound(f"no worker has ever offered the method {name[:100]!r} here", code="method_not_found")
    found.sort(key=lambda pair: -pair[0].version)
    serving = [
        worker.facts.id for worker in await request.verbs.workers() if any(each.name == name for each in worker.methods)
    ]
    controls = await request.verbs.controls()
    control = next((each for each in controls if (each.scope, each.name) == (Scope.METHOD, name)), None)
    versions = [method_view(method, workers) for method, workers in found]
    return Reply(MethodDetail(name, versions, serving, optional_control(control)))


async def list_groups(request: Request) -> Reply:
    asked: ListGroups = request.query
    groups, more = await group_page(request.verbs, asked.cursor, asked.limit)
    return Reply(Groups([group_view(group) for group in groups], more))


async def get_group(request: Request) -> Reply:
    said = request.path["name"]
    return Reply(group_view(await request.verbs.group(None if said == NO_GROUP else check_name(said, "name"))))


async def list_workers(request: Request) -> Reply:
    return Reply(Workers([worker_view(record) for record in await request.verbs.workers(gone=request.query.all)]))


async def get_worker(request: Request) -> Reply:
    return Reply(await _worker(request))


async def drain_worker(request: Request) -> Reply:
    await request.verbs.drain_worker(request.path["id"], request.body.note)
    return Reply(await _worker(request))


async def resume_worker(request: Request) -> Reply:
    await request.verbs.resume_worker(request.path["id"])
    return Reply(await _worker(request))


async def shut_down_worker(request: Request) -> Reply:
    await request.verbs.shut_down_worker(request.path["id"])
    return Reply(await _worker(request), 202)


async def _worker(request: Request) -> WorkerView:
    """By its id, or by its name where one alone has it; one that is here goes before those that are gone."""
    said = request.path["id"]
    known = await request.verbs.workers(gone=True)
    found = [each for each in known if each.facts.id == said] or [
        each for each in known if each.facts.name == said and each.online
    ]
    if len(found) != 1:
        raise NotFound(
            f"{len(found)} workers are named {said[:100]!r}: take the id of one"
            if found
            else f"no worker {said[:100]!r} is here, or was within the last day",
            code="worker_not_found",
        )
    return worker_view(found[0])


_DRAIN = "It finishes what it has and is given nothing more. It stays connected, and can be resumed."
ROUTES = [
    Route("GET", "/methods", READERS, list_methods, "All methods", "methods", {200: Methods}),
    Route("GET", "/methods/{name}", READERS, get_method, "One method", "methods", {200: MethodDetail}, (404,)),
    Route(
        "GET",
        "/groups",
        READERS,
        list_groups,
        "List groups by name, the tasks without a group first",
        "groups",
        {200: Groups},
        (422,),
        query=ListGroups,
    ),
    Route("GET", "/groups/{name}", READERS, get_group, "One group", "groups", {200: Group}, (404, 422)),
    Route(
        "GET", "/workers", READERS, list_workers, "All workers", "workers", {200: Workers}, (422,), query=ListWorkers
    ),
    Route("GET", "/workers/{id}", READERS, get_worker, "One worker", "workers", {200: WorkerView}, (404,)),
    Route(
        "POST",
        "/workers/{id}/drain",
        OPERATORS,
        drain_worker,
        "Give a worker nothing more",
        "workers",
        {200: WorkerView},
        (403, 404, 409, 415, 422),
        body=PauseBody,
        body_needed=False,
        about=_DRAIN,
    ),
    Route(
        "POST",
        "/workers/{id}/resume",
        OPERATORS,
        resume_worker,
        "Give a drained worker tasks again",
        "workers",
        {200: WorkerView},
        (403, 404, 409, 415, 422),
        body=NoBody,
        body_needed=False,
    ),
    Route(
        "POST",
        "/workers/{id}/shutdown",
        OPERATORS,
        shut_down_worker,
        "End a worker's process when it has finished what it runs",
        "workers",
        {202: WorkerView},
        (403, 404, 409, 415, 422),
        body=NoBody,
        body_needed=False,
    ),
]
