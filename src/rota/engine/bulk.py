"""Cancel, run again or delete whatever a query meets: in pages, so that nobody waits long behind it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from rota.contract.store import Query, Store
from rota.engine.calls import Calls
from rota.model.errors import InvalidInput, RotaError
from rota.model.report import BulkOutcome, CallOutcome
from rota.model.task import ENDED, State, Task

PAGE = 100
MOST = 100_000
"""Tasks that one call may touch."""
SAMPLE = 100
_UNENDED = tuple(state for state in State if not state.ended)
_APT = {"cancel": _UNENDED, "retry": ENDED, "delete": ENDED}
"""The states in which it can be done."""
_MEANT = {"cancel": _UNENDED, "retry": (State.FAILED,), "delete": ENDED}
"""The states that are meant where the query names none: nobody wants everything that went well to be run again."""


class Bulk:
    """One call goes through the tasks once, newest first; what is accepted meanwhile is not met."""

    def __init__(self, store: Store, calls: Calls) -> None:
        self._store = store
        self._calls = calls

    async def run(self, action: str, query: Query, *, dry_run: bool, limit: int, note: str = "") -> BulkOutcome:
        """Raises InvalidInput for an unknown action, a query without a criterion, and a limit out of range.

        A task that refuses is counted by its code and holds up nobody. Where the store goes away in the middle, what was
        done stays done, and Unavailable is raised.
        """
        _check(action, query, limit)
        work = self._works(note)[action]
        if not query.states:
            query = replace(query, states=_MEANT[action])
        tally = _Tally(action)
        before: int | None = None
        while tally.matched < limit:
            tasks = await self._store.find(query, before, min(PAGE, limit - tally.matched))
            if not tasks:
                return tally.outcome(more=False)
            before = tasks[-1].seq
            tally.add(_foreseen(action, tasks) if dry_run else await _each(work, tasks))
            await asyncio.sleep(0)
        return tally.outcome(more=bool(await self._store.find(query, before, 1)))

    def _works(self, note: str) -> dict[str, Callable[[Sequence[bytes]], Awaitable[list[CallOutcome]]]]:
        return {
            "cancel": lambda ids: self._calls.cancel(ids, note),
            "retry": self._calls.retry,
            "delete": self._calls.delete,
        }


class _Tally:
    def __init__(self, action: str) -> None:
        self._action = action
        self.matched = self._done = 0
        self._refused: Counter[str] = Counter()
        self._sample: list[bytes] = []

    def add(self, outcomes: Sequence[CallOutcome]) -> None:
        self.matched += len(outcomes)
        for outcome in outcomes:
            if outcome.refusal is not None:
                self._refused[getattr(outcome.refusal, "code", "error")] += 1
                continue
            self._done += 1
            if len(self._sample) < SAMPLE:
                self._sample.append(outcome.id)

    def outcome(self, *, more: bool) -> BulkOutcome:
        return BulkOutcome(self._action, self.matched, self._done, dict(self._refused), tuple(self._sample), more)


async def _each(
    work: Callable[[Sequence[bytes]], Awaitable[list[CallOutcome]]], tasks: Sequence[Task]
) -> list[CallOutcome]:
    """A page at once; where the page is refused as a whole, one by one, so that one task does not spoil it for the rest."""
    ids = [task.id for task in tasks]
    try:
        return await work(ids)
    except RotaError:
        raise
    except Exception:
        outcomes: list[CallOutcome] = []
        for task_id in ids:
            try:
                outcomes += await work([task_id])
            except RotaError:
                raise
            except Exception as error:
                outcomes.append(CallOutcome(task_id, refusal=error.with_traceback(None)))
        return outcomes


def _foreseen(action: str, tasks: Sequence[Task]) -> list[CallOutcome]:
    """What would become of them as they stand now."""
    outcomes: list[CallOutcome] = []
    for task in tasks:
        refusal = None
        if task.state not in _APT[action]:
            words = f"the task is {task.state.name.lower()}"
            code = "already_finished" if action == "cancel" else "not_finished"
            refusal = InvalidInput(words, code=code)
        outcomes.append(CallOutcome(task.id, task.state.name.lower(), refusal=refusal))
    return outcomes


def _check(action: str, query: Query, limit: int) -> None:
    if action not in _APT:
        raise InvalidInput.at("action", "unknown_action", f"{action!r} is none of {', '.join(_APT)}")
    if query == Query():
        words = "name at least one criterion (a state, method, group, label, batch, time …): this touches many tasks"
        raise InvalidInput.at("query", "no_criterion", words)
    if not 1 <= limit <= MOST:
        raise InvalidInput.at("limit", "out_of_range", f"{limit} is not from 1 to {MOST}; call again for more")
