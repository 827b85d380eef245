"""`rota show`, `list`, `cancel` and `retry`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.ids import Id, Ids, read_ids
from rota.cli.output import Output, error_value
from rota.cli.portrait import draw, hints_for, summary
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.sync import Client
    from rota.client.views import CallView, TaskView

_AT_ONCE = 1_000
"""Ids in one request."""


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
    state: Annotated[
        list[str] | None,
        Parameter(
            help="Of this state only; may be given again. waiting, scheduled, ready, running, succeeded, failed, "
            "cancelled or expired; ended or unended for several.",
            negative="",
            metavar="STATE",
        ),
    ] = None,
    method: Annotated[str | None, Parameter(help="Of this method only.", metavar="NAME")] = None,
    group: Annotated[str | None, Parameter(help="Of this group only.", metavar="NAME")] = None,
    worker: Annotated[str | None, Parameter(help="Held by this worker.", metavar="ID")] = None,
    created_after: Annotated[
        str | None, Parameter(help="Created after this instant, as in 2026-12-24T18:00.", metavar="INSTANT")
    ] = None,
    created_before: Annotated[str | None, Parameter(help="Created before this instant.", metavar="INSTANT")] = None,
    limit: Annotated[int, Parameter(help="At most so many; default 50.", metavar="N")] = 50,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="All of them, without a limit.")] = False,
) -> int:
    """List tasks, newest first."""
    states = [word for words in state or () for word in words.replace(",", " ").split()]
    with reach(settings) as client:
        tasks = client.list(
            states=states,
            method=method,
            group=group,
            worker=worker,
            created_after=_instant(created_after, "--created-after"),
            created_before=_instant(created_before, "--created-before"),
            limit=None if all_ else limit,
        )
        if out.json:
            for task in tasks:
                out.value(value_of(task))
        else:
            _list_for_people(tasks, out)
    return exits.OK


def _instant(text: str | None, flag: str) -> datetime | None:
    return human.read_instant(text, flag) if text is not None else None


_HEADS = ("id", "method", "state", "created", "took", "attempt", "error")


def _list_for_people(tasks: Iterable[TaskView], out: Output) -> None:
    """By portions, so that --all begins to print at once and needs no more memory for more tasks."""
    rest = iter(tasks)
    shown = 0
    while portion := list(islice(rest, 500)):
        out.table(_HEADS if not shown else ("",) * len(_HEADS), [_row(task) for task in portion], right=("attempt",))
        shown += len(portion)
    if not shown:
        out.note("no such task")


def _row(task: TaskView) -> tuple[str, ...]:
    what = summary(task.error)
    return (
        task.id,
        task.method,
        task.state,
        human.instant(task.created_at),
        human.between(task.started_at, task.ended_at),
        str(task.attempt),
        what if len(what) <= 60 else what[:59] + "…",
    )


@command(ClientSettings)
def cancel(
    settings: ClientSettings,
    out: Output,
    /,
    *ids: Ids,
    reason: Annotated[str, Parameter(help="A note for the record.", metavar="TEXT")] = "",
) -> int:
    """Cancel tasks.

    A running one is asked to stop, and ends when its worker says so. The exit code is 1 if any could not be cancelled.
    """
    with reach(settings) as client:
        return _each(read_ids(ids), lambda some: client.cancel_many(some, reason), out)


@command(ClientSettings)
def retry(settings: ClientSettings, out: Output, /, *ids: Ids) -> int:
    """Run ended tasks again.

    Each has all its retries again, and keeps its id. The exit code is 1 if any has not ended yet, or is not known.
    """
    with reach(settings) as client:
        return _each(read_ids(ids), client.retry_many, out)


def _each(ids: Sequence[str], act: Callable[[Sequence[str]], Sequence[CallView]], out: Output) -> int:
    code = exits.OK
    for some in _portions(ids):
        for view in act(some):
            _tell(view, out)
            code = exits.FAILURE if view.refusal is not None else code
    return code


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _tell(view: CallView, out: Output) -> None:
    if out.json:
        refusal = error_value(view.refusal) if view.refusal is not None else None
        out.value({"id": view.id, "state": view.state, "pending": view.pending, "refusal": refusal})
    elif view.refusal is not None:
        out.note(f"{view.id}: {view.refusal.detail}")
    else:
        out.line(f"{view.id}  {view.state}" + ("  (its worker is stopping it)" if view.pending else ""))
