"""`rota show` and `list`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.filters import NO_FILTERS, CursorFlag, FilterFlags, beginning, check_limit
from rota.cli.ids import Id, read_ids
from rota.cli.output import Output
from rota.cli.portrait import draw, hints_for, summary
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings
from rota.model.errors import InvalidInput

if TYPE_CHECKING:
    from rota.client.said import Filter
    from rota.client.sync import Client
    from rota.client.views import TaskView


_MOST = 1_000_000
"""What --limit may say; more is --all."""


@command(ClientSettings)
def show(settings: ClientSettings, out: Output, task_id: Id, /) -> int:
    """Show everything about a task, and what to do next."""
    with reach(settings) as client:
        task = client.get(read_ids([task_id])[0])
        if out.json:
            out.value(value_of(task))
        else:
            draw(task, out, hints_for(task, _offering(client, task)))
    return exits.OK


def _offering(client: Client, task: TaskView) -> int | None:
    """How many workers that are connected offer the method; asked only where it is the question."""
    if task.state != "ready":
        return None
    offers = [m for m in client.methods() if m.name == task.method and task.version in (0, m.version)]
    return sum(method.workers for method in offers)


@command(ClientSettings)
def list_tasks(
    settings: ClientSettings,
    out: Output,
    /,
    *,
    filters: FilterFlags = None,
    limit: Annotated[int, Parameter(help="At most so many; default 50.", metavar="N")] = 50,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="All of them, without a limit.")] = False,
    cursor: CursorFlag = None,
) -> int:
    """List tasks, newest first."""
    wanted = (filters or NO_FILTERS).wanted()
    check_limit(limit, _MOST)
    if cursor is not None and all_:
        raise InvalidInput.at("--cursor", "bad_arguments", "one page, or --all of them: leave one of the two out")
    with reach(settings) as client:
        if cursor is not None:
            return _one_page(client, wanted, cursor, limit, out)
        wanted["limit"] = None if all_ else limit
        tasks = client.list(**wanted)
        if out.json:
            for task in tasks:
                out.value(value_of(task))
        else:
            _list_for_people(tasks, out)
    return exits.OK


def _one_page(client: Client, wanted: Filter, cursor: str, limit: int, out: Output) -> int:
    """For scripts that go on from where they were. Where the next page begins is told on stderr."""
    tasks, following = client.page(beginning(cursor), limit, wanted)
    if out.json:
        for task in tasks:
            out.value(value_of(task))
    else:
        _list_for_people(tasks, out)
    if following:
        out.more(following)
    return exits.OK


_HEADS = ("id", "method", "state", "created", "took", "attempt", "error")


def _list_for_people(tasks: Iterable[TaskView], out: Output) -> None:
    """By portions, so that --all begins to print at once and needs no more memory for more tasks."""
    rest = iter(tasks)
    shown = 0
    while portion := list(islice(rest, 500)):
        rows = [_row(task, out) for task in portion]
        out.table(_HEADS, rows, right=("attempt",), optional=("attempt", "took", "error"), headless=bool(shown))
        shown += len(portion)
    if not shown:
        out.note("no task meets that")


def _row(task: TaskView, out: Output) -> tuple[str, ...]:
    what = summary(task.error)
    return (
        task.id,
        task.method,
        task.state,
        human.short_instant(task.created_at) if out.interactive else human.instant(task.created_at),
        human.between(task.started_at, task.ended_at),
        str(task.attempt),
        what if len(what) <= 60 else what[:59] + "…",
    )
