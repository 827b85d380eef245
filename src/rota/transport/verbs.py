"""Every verb that a person or a program can ask of the house, the same behind every door: HTTP, gRPC and the link.

Three things are seen to here, in one place: a token that is bound to groups sees and changes what is in those groups and
nothing else; each verb that changes something writes exactly one line into the audit log, also where it is refused
(submits do not: the task is its own record); and the engine is asked. Which roles a verb needs stands in each door's own
table of routes, since what is not in such a table nobody may ask. All verbs raise RotaError.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from rota.access.audit import Recorder
from rota.access.grant import Grant
from rota.access.token_book import TokenBook
from rota.contract.door import WaiterDoor
from rota.contract.store import ALL, AuditQuery, BatchCounts, Query, Receipt
from rota.engine.engine import Details, Engine
from rota.engine.gauges import Figures
from rota.model.audit import AuditRecord
from rota.model.cause import Explanation
from rota.model.control import Control, Rate, Scope
from rota.model.errors import Forbidden, NotFound, RotaError
from rota.model.group import GroupView
from rota.model.log import LogLine
from rota.model.method import Method
from rota.model.report import BulkOutcome, CallOutcome
from rota.model.series import Point
from rota.model.submission import Submission
from rota.model.task import AttemptRecord, Task
from rota.model.text import task_id_text
from rota.model.token import TokenRecord
from rota.model.worker import WorkerRecord
from rota.transport import audited
from rota.transport.audited import UNSET, Unset
from rota.transport.scoped_house import ScopedHouse
from rota.transport.scoped_tasks import ScopedTasks

__all__ = ["UNSET", "Unset", "Verbs"]

ReadSeries = Callable[[int, int], Awaitable[list[Point]]]
"""(since, step) → points, oldest first; both microseconds."""
_STEP = 1_000
"""Ids that the engine is given at a time."""


class Verbs:
    """For one caller: made by `Hall.verbs` for each request, or once for a link."""

    __slots__ = ("_book", "_house", "_series", "_tasks", "engine", "grant", "record")

    def __init__(self, engine: Engine, grant: Grant, record: Recorder, book: TokenBook, series: ReadSeries) -> None:
        self.engine, self.grant, self.record = engine, grant, record
        self._book, self._series = book, series
        self._tasks: Engine | ScopedTasks = engine if grant.everywhere else ScopedTasks(engine, grant)
        self._house: Engine | ScopedHouse = engine if grant.everywhere else ScopedHouse(engine, grant)

    def check_role(self, needed: frozenset[str], action: str) -> None:
        """For a door: the caller has one of the roles that its route asks for. Raises Forbidden, which names them, and
        writes that down. `action`: the route (`POST /tasks/{id}/cancel`), the path of a call, or the kind of a frame."""
        try:
            self.grant.check(needed)
        except Forbidden as error:
            self.record.refused(action, "", self.grant, error)
            raise

    def check_everywhere(self, why: str) -> None:
        """For what is of the whole node. Raises Forbidden for a token that is bound to groups."""
        if not self.grant.everywhere:
            raise Forbidden(f"{why}, and this token is bound to groups")

    # --- tasks

    async def submit(
        self, batch: Sequence[Submission], *, atomic: bool = False, waiter: WaiterDoor | None = None
    ) -> list[Receipt]:
        """As Engine.submit. A group outside the token's is refused in its receipt (`forbidden`)."""
        return await self._tasks.submit(batch, atomic=atomic, waiter=waiter)

    async def wait(self, ids: Sequence[bytes], waiter: WaiterDoor) -> list[bytes]:
        return await self._tasks.wait(ids, waiter)

    def unwait(self, waiter: WaiterDoor, ids: Sequence[bytes] | None = None) -> None:
        self.engine.unwait(waiter, ids)

    async def get(self, ids: Sequence[bytes]) -> dict[bytes, Task]:
        return await self._tasks.get(ids)

    async def details(self, tasks: Sequence[Task]) -> dict[int, Details]:
        """Of tasks that `get` or `find` gave."""
        return await self.engine.details(tasks)

    async def find(self, query: Query, before_seq: int | None, limit: int) -> list[Task]:
        return await self._tasks.find(query, before_seq, limit)

    async def read_logs(self, task_id: bytes, after: int, limit: int) -> tuple[list[LogLine], bool]:
        return await self._tasks.read_logs(task_id, after, limit)

    async def follow(self, task_id: bytes, bell: Callable[[], None]) -> Callable[[], None]:
        return await self._tasks.follow(task_id, bell)

    async def why(self, task_id: bytes) -> Explanation:
        return await self._tasks.why(task_id)

    async def batch(self, name: str) -> BatchCounts:
        """Raises NotFound."""
        return await self._tasks.batch(name)

    async def cancel(self, ids: Sequence[bytes], note: str) -> list[CallOutcome]:
        """However many ids: one call, one line in the audit log."""
        return await self._each("task.cancel", ids, lambda some: self._tasks.cancel(some, note))

    async def retry(self, ids: Sequence[bytes]) -> list[CallOutcome]:
        return await self._each("task.retry", ids, self._tasks.retry)

    async def delete(self, ids: Sequence[bytes]) -> list[CallOutcome]:
        return await self._each("task.delete", ids, self._tasks.delete)

    async def bulk(self, action: str, query: Query, *, dry_run: bool, limit: int) -> BulkOutcome:
        """`action`: cancel, retry or delete. A dry run changes nothing, and is not in the audit log."""
        if dry_run:
            return await self._tasks.bulk(action, query, dry_run=True, limit=limit)
        what = audited.query_text(query)
        with audited.refusal(self.record, f"task.bulk_{action}", what, self.grant):
            outcome = await self._tasks.bulk(action, query, dry_run=False, limit=limit)
        after = {"matched": outcome.matched, "done": outcome.done, "refused": dict(outcome.refused)}
        self.record.done(f"task.bulk_{action}", what, self.grant, after=after)
        return outcome

    # --- the house

    async def methods(self) -> list[tuple[Method, int]]:
        return await self._house.methods()

    async def groups(self, after: str | None = None, limit: int = ALL) -> list[GroupView]:
        """By name, from after one, up to `limit`. The tasks without a group come first; their name is empty."""
        return await self._house.groups(after, limit)

    async def group(self, name: str | None) -> GroupView:
        """A group is a label: one that nothing bears yet is an empty one. Raises NotFound where the token does not see it."""
        if not self.grant.sees(name):
            raise NotFound(f"no group {name or '-'!r}"[:200], code="group_not_found")
        found = await self.engine.groups(only=[name or ""])
        return found[0] if found else GroupView(name)

    async def controls(self) -> list[Control]:
        return await self._house.controls()

    async def figures(self) -> Figures:
        return await self._house.figures()

    async def series(self, since: int, step: int) -> list[Point]:
        """Of the node as a whole. Raises Forbidden for a token that is bound to groups."""
        self.check_everywhere("the series are those of the whole node")
        return await self._series(since, step)

    async def worker_names(self, tasks: Sequence[Task | AttemptRecord]) -> dict[int, str]:
        return await self.engine.worker_names(tasks)

    async def workers(self, gone: bool = False) -> list[WorkerRecord]:
        return await self._house.workers(gone)

    async def set_control(
        self,
        scope: Scope,
        name: str,
        *,
        paused: bool | Unset = UNSET,
        note: str | Unset = UNSET,
        concurrency: int | Unset | None = UNSET,
        rate: Rate | Unset | None = UNSET,
        key_rate: Rate | Unset | None = UNSET,
        max_queued: int | Unset | None = UNSET,
    ) -> Control:
        """What is UNSET stays as it is; None takes a limit away. Answers what is set now. Raises InvalidInput, Forbidden."""
        limits = {"concurrency": concurrency, "rate": rate, "key_rate": key_rate, "max_queued": max_queued}
        all_said = {"paused": paused, "note": note, **limits}
        said: dict[str, Any] = {key: value for key, value in all_said.items() if value is not UNSET}
        action = audited.control_action(scope, said)
        with audited.refusal(self.record, action, name, self.grant):
            self._check_scope(scope, name)
            found = [c for c in await self.engine.controls() if (c.scope, c.name) == (scope, name)]
            before = found[0] if found else Control(scope, name)
            wanted = replace(before, **said, changed_at=self.record.log.now(), changed_by=self.grant.name)
            if not wanted.paused:
                wanted = replace(wanted, note="")
            after = await self.engine.set_control(wanted)
        self.record.done(
            action, name, self.grant, before=audited.control_facts(before), after=audited.control_facts(after)
        )
        return after

    async def drain_worker(self, worker: str, note: str = "") -> None:
        """Finishes what it has, is given no more. `worker`: its id, or its name where one alone has it. Raises NotFound."""
        await self._on_worker("worker.drain", worker, self.engine.drain_worker, note)

    async def resume_worker(self, worker: str) -> None:
        await self._on_worker("worker.resume", worker, self.engine.resume_worker)

    async def shut_down_worker(self, worker: str) -> None:
        """Its process ends when it has finished what it runs."""
        await self._on_worker("worker.shutdown", worker, self.engine.shut_down_worker)

    # --- access

    async def tokens(self) -> list[TokenRecord]:
        """Revoked ones too, oldest first."""
        return [token for token in self._book.all() if self._covers(token.groups)]

    async def create_token(
        self, name: str, roles: Iterable[str], groups: Iterable[str] | None = None, expires_in: int | None = None
    ) -> tuple[TokenRecord, str]:
        """The record, and the text to present: nobody can read it again. `expires_in`: microseconds. The first one that is
        made ends open mode. Raises InvalidInput, Conflict (`name_taken`), Unavailable (`not_audited`): then there is none."""
        roles, groups = sorted(map(str, roles)), None if groups is None else sorted(groups)
        with audited.refusal(self.record, "token.create", name, self.grant):
            if not self._covers(groups if groups is None else frozenset(groups)):
                raise Forbidden("a token that is bound to groups makes tokens for those groups only")
            made = await self._book.create(name, roles, groups, expires_in, self.grant.name)
            await self._audited_or_revoked("token.create", made[0])
        return made

    async def rotate_token(self, kid: str) -> tuple[TokenRecord, str]:
        """Another secret with the same name and rights; the old one holds for a day beside it. Raises NotFound, Conflict."""
        with audited.refusal(self.record, "token.rotate", kid, self.grant):
            self._own_token(kid)
            made = await self._book.rotate(kid, self.grant.name)
            await self._audited_or_revoked("token.rotate", made[0], {"kid": kid})
        return made

    async def revoke_token(self, kid: str) -> TokenRecord:
        """From now on nobody is let in with it, and links that it opened close within seconds. Raises NotFound."""
        with audited.refusal(self.record, "token.revoke", kid, self.grant):
            before = self._own_token(kid)
            token = await self._book.revoke(kid)
            line = self.record.line(
                "token.revoke", kid, self.grant, "ok", audited.token_facts(before), audited.token_facts(token)
            )
            await self.record.log.through(line)
        return token

    async def audit(self, query: AuditQuery, before: int | None, limit: int) -> list[AuditRecord]:
        """Lines, newest first. Raises Forbidden for a token that is bound to groups."""
        self.check_everywhere("the audit log is that of the whole node")
        return await self.record.log.read(query, before, limit)

    # --- inside

    async def _each(
        self, action: str, ids: Sequence[bytes], call: Callable[[list[bytes]], Awaitable[list[CallOutcome]]]
    ) -> list[CallOutcome]:
        target = task_id_text(ids[0]) if len(ids) == 1 else f"{len(ids)} tasks"
        outcomes: list[CallOutcome] = []
        with audited.refusal(self.record, action, target, self.grant):
            for start in range(0, len(ids), _STEP):
                outcomes += await call(list(ids[start : start + _STEP]))
        if len(outcomes) == 1 and isinstance(error := outcomes[0].refusal, RotaError):
            self.record.refused(action, target, self.grant, error)
        else:
            self.record.done(action, target, self.grant, after=audited.calls_facts(outcomes))
        return outcomes

    async def _on_worker(self, action: str, worker: str, call: Callable[..., Awaitable[None]], *args: object) -> None:
        with audited.refusal(self.record, action, worker, self.grant):
            found = self._one_worker(worker, await self.workers())
            if self.grant.groups is not None and not self.grant.groups.issuperset(found.facts.groups):
                raise Forbidden("this worker serves other groups too, which are not this token's")
            await call(found.number, *args)
        self.record.done(action, found.facts.id, self.grant)

    def _one_worker(self, said: str, workers: list[WorkerRecord]) -> WorkerRecord:
        found = [w for w in workers if w.facts.id == said] or [w for w in workers if w.facts.name == said]
        if len(found) == 1:
            return found[0]
        named = said[:128]
        why = (
            f"{len(found)} workers are named {named!r}: say the id of one" if found else f"no worker {named!r} is here"
        )
        raise NotFound(why, code="worker_not_found")

    def _check_scope(self, scope: Scope, name: str) -> None:
        if scope is Scope.GROUP:
            self.grant.check_group(name or None)
        else:
            self.check_everywhere(f"what is set for a {scope.value} reaches every group")

    def _covers(self, groups: frozenset[str] | None) -> bool:
        return self.grant.groups is None or (groups is not None and groups <= self.grant.groups)

    def _own_token(self, kid: str) -> TokenRecord:
        token = self._book.get(kid)
        if not self._covers(token.groups):
            raise NotFound(
                f"no token has the kid {kid[:64]!r}; list them to see which there are", code="token_not_found"
            )
        return token

    async def _audited_or_revoked(
        self, action: str, token: TokenRecord, before: dict[str, object] | None = None
    ) -> None:
        """A token that the audit log knows nothing of must not be: nobody has been told its secret yet."""
        line = self.record.line(
            action, str((before or {}).get("kid", token.kid)), self.grant, "ok", before, audited.token_facts(token)
        )
        try:
            await self.record.log.through(line)
        except RotaError:
            await self._book.drop(token.kid)
            raise
