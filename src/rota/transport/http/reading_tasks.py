"""Tasks out: one, many, its logs, its outcome when it comes, and why it does not run."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from rota.engine.engine import Details
from rota.model.errors import NotFound
from rota.model.task import Task
from rota.model.text import task_id_text
from rota.transport.http.cursor import read_cursor, write_cursor
from rota.transport.http.new_task import MAX_WAIT
from rota.transport.http.route import READERS, Reply, Request, Route
from rota.transport.http.task_filter import TaskFilter, query_of
from rota.transport.http.task_views import Outcome, StateWord, TaskBrief, TaskPage, TaskView, brief, whole
from rota.transport.http.values import Id, Instant, instant_or_none, read_id
from rota.transport.http.waiting import OneEnd
from rota.wire.codec import STATES

_STEP = 100
"""Records that are read from the store at a time: each may carry a mebibyte."""
LARGEST_PAGE, USUAL_PAGE = 500, 50


class ListTasks(TaskFilter, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Filters, and which page."""

    limit: Annotated[int, Meta(ge=1, le=LARGEST_PAGE)] = USUAL_PAGE
    cursor: Annotated[str, Meta(max_length=200)] | None = None


class WaitQuery(Struct, forbid_unknown_fields=True, frozen=True):
    timeout: Annotated[float, Meta(ge=0, le=MAX_WAIT, description="Seconds.")] = 30.0


class NotYet(Struct, frozen=True):
    """A task that goes on."""

    id: Id
    state: StateWord


class Cause(Struct, frozen=True):
    """One thing that holds a task back, or tells where it is."""

    code: str
    message: str
    until: Annotated[Instant | None, Meta(description="When it is over by itself, where that is known.")]
    by: Annotated[list[str], Meta(description="What holds it back: ids of tasks or workers, or names.")]
    count: int | None


class Why(Struct, frozen=True):
    """Why a task does not run. The first cause is the one to look at first."""

    id: Id
    state: StateWord
    summary: str
    causes: list[Cause]


async def get_task(request: Request) -> Reply:
    task = await known(request)
    details = (await request.verbs.details([task])).get(task.seq) or Details([], None)
    names = await request.verbs.worker_names([task, *details.attempts])
    return Reply(whole(task, details, names))


async def list_tasks(request: Request) -> Reply:
    asked: ListTasks = request.query
    before = None if asked.cursor is None else read_cursor(asked.cursor, asked)
    query = await query_of(asked, request.verbs)
    shown: list[TaskBrief] = []
    left = asked.limit
    while query is not None and left:
        step = min(left, _STEP)
        tasks = await request.verbs.find(query, before, step)
        names = await request.verbs.worker_names(tasks)
        shown += [brief(task, names.get(task.worker or 0)) for task in tasks]
        if len(tasks) < step:
            return Reply(TaskPage(shown, None))
        left, before = left - step, tasks[-1].seq
    return Reply(TaskPage(shown, write_cursor(before, asked) if before is not None and not left else None))


async def wait_for_task(request: Request) -> Reply:
    task_id = read_id(request.path["id"])
    waiter = OneEnd()
    if await request.verbs.wait([task_id], waiter):
        raise NotFound.task(task_id_text(task_id))
    outcome = await waiter.within(request.query.timeout, request.verbs, request.receive, request.lobby)
    if outcome is not None:
        return Reply(outcome)
    task = await known(request)
    return Reply(NotYet(task_id_text(task_id), STATES[task.state]), 202)  # type: ignore[arg-type]


async def why(request: Request) -> Reply:
    explained = await request.verbs.why(read_id(request.path["id"]))
    causes = [
        Cause(cause.code, cause.message, instant_or_none(cause.until), list(cause.by), cause.count)
        for cause in explained.causes
    ]
    return Reply(
        Why(task_id_text(explained.task_id), explained.state, explained.summary, causes)  # type: ignore[arg-type]
    )


async def known(request: Request) -> Task:
    """The task that the address names. Raises NotFound."""
    task_id = read_id(request.path["id"])
    task = (await request.verbs.get([task_id])).get(task_id)
    if task is None:
        raise NotFound.task(task_id_text(task_id))
    return task


ROUTES = [
    Route(
        "GET",
        "/tasks",
        READERS,
        list_tasks,
        "List tasks, newest first",
        "tasks",
        {200: TaskPage},
        (422,),
        query=ListTasks,
        about="A cursor is good for the filters it came with.",
    ),
    Route("GET", "/tasks/{id}", READERS, get_task, "One task", "tasks", {200: TaskView}, (400, 404)),
    Route(
        "GET",
        "/tasks/{id}/wait",
        READERS,
        wait_for_task,
        "Wait for the end of a task",
        "tasks",
        {200: Outcome, 202: NotYet},
        (400, 404, 422),
        query=WaitQuery,
        about="200 with the outcome as soon as it has ended; 202 when the time runs out first.",
    ),
    Route("GET", "/tasks/{id}/why", READERS, why, "Why a task does not run", "tasks", {200: Why}, (400, 404)),
]
