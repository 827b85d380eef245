"""Tasks as a token sees them that is bound to groups: what is in another group, or in none, is not there.

It has the engine's verbs on tasks, so that whoever holds one of the two need not know which. What it costs beyond the
engine is a look at the records, before the call.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence, Set
from dataclasses import replace
from itertools import islice

from rota.access.grant import Grant
from rota.contract.door import WaiterDoor
from rota.contract.store import BatchCounts, Query, Receipt
from rota.engine.engine import Details, Engine
from rota.model.cause import Cause, Explanation
from rota.model.errors import Conflict, Forbidden, InvalidInput, NotFound, Overloaded, RotaError
from rota.model.log import LogLine
from rota.model.report import BulkOutcome, CallOutcome
from rota.model.submission import Submission
from rota.model.task import State, Task
from rota.model.text import task_id_bytes, task_id_text

PAGE, MOST_COUNTED = 100, 50_000
_SAMPLE = 100
_AN_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_ANOTHER = "one beyond this token's groups"


class ScopedTasks:
    """Over an engine, for a grant with groups."""

    def __init__(self, engine: Engine, grant: Grant) -> None:
        self._engine, self._grant = engine, grant
        self._groups = sorted(grant.groups or ())

    # --- in

    async def submit(
        self, batch: Sequence[Submission], *, atomic: bool = False, waiter: WaiterDoor | None = None
    ) -> list[Receipt]:
        """As the engine's. A group outside the token's is refused (`forbidden`); none is filled in where the token has one.

        That no task of another group stands for one of these, is replaced by it or comes before it, is the store's to see to.
        """
        refusals: dict[int, RotaError] = {}
        good: list[Submission] = []
        for index, submission in enumerate(batch):
            try:
                good.append(self._within(submission))
            except RotaError as error:
                refusals[index] = error.with_traceback(None)
        if atomic and refusals:
            return _none_of(len(batch), refusals)
        receipts = await self._engine.submit(good, atomic=atomic) if good else []
        if waiter is not None:
            # Not before: until its receipt says otherwise, an id may be that of a task of another group.
            await self._engine.wait([r.task_id for r in receipts if r.refusal is None], waiter)
        if not refusals:
            return receipts
        rest = iter(receipts)
        return [Receipt(s.id, refusal=refusals[i]) if i in refusals else next(rest) for i, s in enumerate(batch)]

    def _within(self, submission: Submission) -> Submission:
        options = submission.options
        if options.group is None:
            if len(self._groups) != 1:
                raise Forbidden(f"this token is for the groups {', '.join(self._groups)}: say which the task is for")
            options = replace(options, group=self._groups[0])
        self._grant.check_group(options.group)
        return replace(submission, options=options, bound=self._grant.groups)

    # --- looks

    async def get(self, ids: Sequence[bytes]) -> dict[bytes, Task]:
        found = await self._engine.get(ids)
        return {task_id: task for task_id, task in found.items() if self._grant.sees(task.spec.lane.group)}

    async def details(self, tasks: Sequence[Task]) -> dict[int, Details]:
        return await self._engine.details(tasks)

    async def find(self, query: Query, before_seq: int | None, limit: int) -> list[Task]:
        found: list[Task] = []
        for group in self._of(query):  # no more than two pages at a time: each record may carry a mebibyte
            others = await self._engine.find(replace(query, group=group), before_seq, limit)
            found = list(islice(heapq.merge(found, others, key=lambda task: -task.seq), limit))
        return found

    async def wait(self, ids: Sequence[bytes], waiter: WaiterDoor) -> list[bytes]:
        seen = await self._seen(ids)
        unknown = await self._engine.wait([task_id for task_id in ids if task_id in seen], waiter)
        return [*unknown, *(task_id for task_id in ids if task_id not in seen)]

    async def read_logs(self, task_id: bytes, after: int, limit: int) -> tuple[list[LogLine], bool]:
        await self._check(task_id)
        return await self._engine.read_logs(task_id, after, limit)

    async def follow(self, task_id: bytes, bell: Callable[[], None]) -> Callable[[], None]:
        await self._check(task_id)
        return await self._engine.follow(task_id, bell)

    async def why(self, task_id: bytes) -> Explanation:
        """Tasks and groups beyond the token's that hold it back are not named, neither in a list nor in a sentence."""
        await self._check(task_id)
        told = await self._engine.why(task_id, self._grant.groups)
        named = {name for cause in told.causes for name in (*cause.by, *_AN_ID.findall(cause.message))}
        ids = {name: task_id_bytes(name) for name in named if _AN_ID.fullmatch(name)}
        seen = await self._seen(list(ids.values()))
        hidden = {name for name, each in ids.items() if each not in seen}
        if not hidden:
            return told
        causes = tuple(_without(cause, hidden) for cause in told.causes)
        return replace(told, summary=causes[0].message, causes=causes)

    async def batch(self, name: str) -> BatchCounts:
        """Counted task by task. Raises NotFound; Overloaded (`answer_too_large`) where there are too many."""
        counts: dict[State, int] = {}
        looked, created_at = 0, 2**62
        async for page in self._pages(Query(batch=name)):
            if looked >= MOST_COUNTED and page:
                raise Overloaded(
                    f"the batch has more than {MOST_COUNTED} tasks: too many to be counted for a token with groups",
                    code="answer_too_large",
                )
            for task in page:
                counts[task.state] = counts.get(task.state, 0) + 1
                created_at = min(created_at, task.spec.created_at)
            looked += len(page)
        if not looked:
            raise NotFound(f"no task of a batch {name!r} is here", code="batch_not_found")
        return BatchCounts(name, counts, created_at)

    # --- changes

    async def cancel(self, ids: Sequence[bytes], note: str) -> list[CallOutcome]:
        return await self._on_seen(ids, lambda seen: self._engine.cancel(seen, note))

    async def retry(self, ids: Sequence[bytes]) -> list[CallOutcome]:
        return await self._on_seen(ids, self._engine.retry)

    async def delete(self, ids: Sequence[bytes]) -> list[CallOutcome]:
        return await self._on_seen(ids, self._engine.delete)

    async def bulk(self, action: str, query: Query, *, dry_run: bool, limit: int) -> BulkOutcome:
        """Group after group, until the limit."""
        total = BulkOutcome(action)
        if query == Query():
            raise InvalidInput.at("query", "no_criterion", "name at least one criterion: this touches many tasks")
        for group in self._of(query):
            if total.matched >= limit:
                return replace(total, more=True)
            one = replace(query, group=group)
            total = _sum(total, await self._engine.bulk(action, one, dry_run=dry_run, limit=limit - total.matched))
        return total

    # --- inside

    def _of(self, query: Query) -> Iterable[str]:
        return self._groups if query.group is None else [g for g in self._groups if g == query.group]

    async def _pages(self, query: Query) -> AsyncIterator[list[Task]]:
        """All that is found, group after group."""
        for group in self._of(query):
            before: int | None = None
            full = True
            while full:
                page = await self._engine.find(replace(query, group=group), before, PAGE)
                yield page
                full = len(page) == PAGE
                before = page[-1].seq if page else None

    async def _seen(self, ids: Sequence[bytes]) -> set[bytes]:
        """Which of these are there. A page of records is read at a time."""
        seen: set[bytes] = set()
        for start in range(0, len(ids), PAGE):
            seen.update(await self.get(ids[start : start + PAGE]))
        return seen

    async def _check(self, task_id: bytes) -> None:
        if not await self.get([task_id]):
            raise NotFound.task(task_id_text(task_id))

    async def _on_seen(
        self, ids: Sequence[bytes], call: Callable[[list[bytes]], Awaitable[list[CallOutcome]]]
    ) -> list[CallOutcome]:
        seen = await self._seen(ids)
        asked = [task_id for task_id in dict.fromkeys(ids) if task_id in seen]
        outcomes = {outcome.id: outcome for outcome in (await call(asked) if asked else [])}
        return [
            outcomes.get(task_id) or CallOutcome(task_id, refusal=NotFound.task(task_id_text(task_id)))
            for task_id in ids
        ]


def _none_of(count: int, refusals: dict[int, RotaError]) -> list[Receipt]:
    others = Conflict(f"not accepted, because task {min(refusals)} of its batch was refused", code="batch_refused")
    return [Receipt(b"", refusal=refusals.get(index, others)) for index in range(count)]


def _without(cause: Cause, hidden: Set[str]) -> Cause:
    words = _AN_ID.sub(lambda found: _ANOTHER if found[0] in hidden else found[0], cause.message)
    return replace(cause, message=words, by=tuple(name for name in cause.by if name not in hidden))


def _sum(one: BulkOutcome, other: BulkOutcome) -> BulkOutcome:
    refused = dict(one.refused)
    for code, count in other.refused.items():
        refused[code] = refused.get(code, 0) + count
    return BulkOutcome(
        one.action,
        one.matched + other.matched,
        one.done + other.done,
        refused,
        (*one.sample, *other.sample)[:_SAMPLE],
        one.more or other.more,
    )
