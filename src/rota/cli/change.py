"""`rota cancel`, `retry` and `delete`: of tasks by their ids, or of all that fit a filter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.filters import NO_FILTERS, FilterFlags, Filters, check_limit
from rota.cli.ids import Ids, read_ids
from rota.cli.output import Output, error_value
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings
from rota.model.errors import InvalidInput

if TYPE_CHECKING:
    from rota.client.house_views import Bulk
    from rota.client.said import Filter
    from rota.client.sync import Client
    from rota.client.views import CallView

_AT_ONCE = 1_000
"""Ids in one request."""
_DONE = {"cancel": "cancelled", "retry": "run again", "delete": "deleted"}

DryRun = Annotated[bool, Parameter(negative="", help="Only say how many it would be.")]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="", help="Do not ask.")]
Limit = Annotated[int, Parameter(help="At most so many, with a filter; default 100000.", metavar="N")]


@command(ClientSettings)
def cancel(
    settings: ClientSettings,
    out: Output,
    /,
    *ids: Ids,
    filters: FilterFlags = None,
    reason: Annotated[str, Parameter(help="A note for the record, with ids.", metavar="TEXT")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    limit: Limit = 100_000,
) -> int:
    """Cancel tasks, by their ids or by a filter.

    A running one is asked to stop, and ends when its worker says so. A filter without a state means tasks that have not
    ended; how many they are is shown first, and it is asked whether to go on. The exit code is 1 if any could not be
    cancelled.
    """
    if filters is not None and reason:
        raise InvalidInput.at("--reason", "bad_arguments", "a reason goes with ids, not with a filter")
    bulk = _Many("cancel", filters or NO_FILTERS, "unended", dry_run=dry_run, yes=yes, limit=limit)
    return _change(settings, out, ids, lambda client, some: client.cancel_many(some, reason), bulk)


@command(ClientSettings)
def retry(
    settings: ClientSettings,
    out: Output,
    /,
    *ids: Ids,
    filters: FilterFlags = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    limit: Limit = 100_000,
) -> int:
    """Run ended tasks again, by their ids or by a filter.

    Each has all its retries again, and keeps its id. A filter without a state means failed tasks; how many they are is
    shown first, and it is asked whether to go on. The exit code is 1 if any has not ended yet, or is not known.
    """
    bulk = _Many("retry", filters or NO_FILTERS, "failed", dry_run=dry_run, yes=yes, limit=limit)
    return _change(settings, out, ids, lambda client, some: client.retry_many(some), bulk)


@command(ClientSettings)
def delete(
    settings: ClientSettings,
    out: Output,
    /,
    *ids: Ids,
    filters: FilterFlags = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    limit: Limit = 100_000,
) -> int:
    """Remove ended tasks for good, by their ids or by a filter.

    Their results, logs and attempts go with them. A filter without a state means all tasks that have ended; how many they
    are is shown first, and it is asked whether to go on. The exit code is 1 if any has not ended yet, or is not known.
    """
    bulk = _Many("delete", filters or NO_FILTERS, "ended", dry_run=dry_run, yes=yes, limit=limit)
    return _change(settings, out, ids, lambda client, some: client.delete_many(some), bulk)


def _change(
    settings: ClientSettings,
    out: Output,
    ids: Sequence[str],
    act: Callable[[Client, Sequence[str]], Sequence[CallView]],
    bulk: _Many,
) -> int:
    bulk.check(ids)
    with reach(settings) as client:
        return bulk.run(client, out) if not ids else _each(read_ids(ids), lambda some: act(client, some), out)


class _Many:
    """One thing for all tasks of a filter."""

    def __init__(self, action: str, filters: Filters, states: str, *, dry_run: bool, yes: bool, limit: int) -> None:
        self._action, self._filters, self._states = action, filters, states
        self._dry_run, self._yes, self._limit = dry_run, yes, limit

    def check(self, ids: Sequence[str]) -> None:
        """Raises InvalidInput unless there are either ids or a filter."""
        said = self._filters.says_something
        if bool(ids) == said:
            words = "say ids, or a filter, not both" if said else "name the tasks: by their ids, or by a filter"
            raise InvalidInput.at("ID", "bad_arguments", words)
        check_limit(self._limit, 100_000)
        if ids and (self._dry_run or self._limit != 100_000):
            raise InvalidInput.at("ID", "bad_arguments", "--dry-run and --limit go with a filter")

    def run(self, client: Client, out: Output) -> int:
        wanted = self._wanted()
        if self._dry_run or not self._yes:
            counted = client.bulk(self._action, dry_run=True, **wanted)
            if self._dry_run:
                return self._tell(counted, out)
            if not counted.matched:
                out.note("no task meets that")
                return self._tell(counted, out) if out.json else exits.OK
            if not self._agreed(counted, out):
                out.note("nothing was changed")
                return exits.FAILURE
        return self._tell(client.bulk(self._action, dry_run=False, **wanted), out)

    def _wanted(self) -> Filter:
        wanted = self._filters.wanted()
        wanted["states"] = self._filters.states or [self._states]
        wanted["limit"] = self._limit
        return wanted

    def _agreed(self, counted: Bulk, out: Output) -> bool:
        if not sys.stdin.isatty():
            raise InvalidInput.at(
                "--yes",
                "not_confirmed",
                f"{self._how_many(counted)} would be {_DONE[self._action]}: say --yes to do it",
            )
        sys.stderr.write(f"{self._action} {self._how_many(counted)}? [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _how_many(self, counted: Bulk) -> str:
        return f"{human.several(counted.done, 'task')}{' or more' if counted.more else ''} ({self._state_words})"

    @property
    def _state_words(self) -> str:
        return ",".join(self._filters.states) or self._states

    def _tell(self, outcome: Bulk, out: Output) -> int:
        if out.json:
            out.value({**value_of(outcome), "dry_run": self._dry_run})
        elif self._dry_run:
            out.line(f"{self._how_many(outcome)} would be {_DONE[self._action]}")
            for task_id in outcome.sample[:5]:
                out.line(f"  {task_id}")
            if outcome.done > 5:
                out.line(f"  … the same filter shows all of them: rota list --state {self._state_words}")
        else:
            out.line(f"{human.number(outcome.done)} of {human.several(outcome.matched, 'task')} {_DONE[self._action]}")
        if not out.json:
            for code, number in sorted(outcome.refused.items()):
                out.note(f"{human.number(number)} refused: {code}")
            if outcome.more and not self._dry_run:
                out.note(f"the limit of {human.number(self._limit)} was reached: there may be more, run it again")
        return exits.FAILURE if outcome.refused else exits.OK


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
