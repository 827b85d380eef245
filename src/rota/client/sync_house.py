"""The house's half of `Client`: the verbs of `AsyncHouse`, each with an async twin that may be awaited from any loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar, Unpack

from rota.client.client import AsyncClient
from rota.client.house import GROUPS_PAGE, TaskId
from rota.client.house_views import (
    AuditView,
    BatchInfo,
    Bulk,
    ControlView,
    GroupInfo,
    NewToken,
    PointView,
    TokenView,
    Why,
)
from rota.client.limits import SaidLimits
from rota.client.portal import must_not_block
from rota.client.said import Duration, Filter
from rota.client.views import CallView

T = TypeVar("T")


class Portals(Protocol):
    """How a sync client has something done in its loop."""

    def _run(self, twin: str, ask: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T: ...
    async def _arun(self, ask: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T: ...
    def _each(self, ask: Callable[[AsyncClient], AsyncIterator[Sequence[T]]]) -> Iterator[T]: ...
    def _aeach(self, ask: Callable[[AsyncClient], AsyncIterator[Sequence[T]]]) -> AsyncIterator[T]: ...


class House(Portals):
    """The half of `Client` that is not about single tasks."""

    # --- tasks

    def why(self, task_id: TaskId) -> Why:
        """Why the task does not run, or where it is. Raises NotFound."""
        return self._run("awhy", lambda client: client.why(task_id))

    async def awhy(self, task_id: TaskId) -> Why:
        return await self._arun(lambda client: client.why(task_id))

    def delete(self, task_id: TaskId) -> CallView:
        """Removes an ended task with all that hangs on it. Raises NotFound, and Conflict (`not_finished`)."""
        return self._run("adelete", lambda client: client.delete(task_id))

    async def adelete(self, task_id: TaskId) -> CallView:
        return await self._arun(lambda client: client.delete(task_id))

    def delete_many(self, ids: Iterable[TaskId]) -> Sequence[CallView]:
        """What became of each, in order; up to 10,000 at once."""
        return self._run("adelete_many", lambda client: client.delete_many(ids))

    async def adelete_many(self, ids: Iterable[TaskId]) -> Sequence[CallView]:
        return await self._arun(lambda client: client.delete_many(ids))

    def bulk(self, action: str, *, dry_run: bool = False, **wanted: Unpack[Filter]) -> Bulk:
        """Does one thing (`cancel`, `retry`, `delete`) to every task of a filter, which must say something.

        `dry_run`: only counts. `limit`: at most so many tasks, up to 100,000; `more` in the answer says that it was reached.
        """
        return self._run("abulk", lambda client: client.bulk(action, dry_run=dry_run, **wanted))

    async def abulk(self, action: str, *, dry_run: bool = False, **wanted: Unpack[Filter]) -> Bulk:
        return await self._arun(lambda client: client.bulk(action, dry_run=dry_run, **wanted))

    def batch(self, name: str) -> BatchInfo:
        """How a batch stands. Raises NotFound."""
        return self._run("abatch", lambda client: client.batch(name))

    async def abatch(self, name: str) -> BatchInfo:
        return await self._arun(lambda client: client.batch(name))

    def wait_batch(self, name: str, timeout: float | None = None) -> BatchInfo:
        """Waits until every task of the batch has ended, those that join it meanwhile too. Raises NotFound and WaitTimeout."""
        return self._run("await_batch", lambda client: client.wait_batch(name, timeout))

    async def await_batch(self, name: str, timeout: float | None = None) -> BatchInfo:
        return await self._arun(lambda client: client.wait_batch(name, timeout))

    # --- groups, and what is set

    def groups(self) -> Sequence[GroupInfo]:
        """All groups by name with their depth, workers and rates, the tasks without a group first."""
        return self._run("agroups", lambda client: client.groups())

    async def agroups(self) -> Sequence[GroupInfo]:
        return await self._arun(lambda client: client.groups())

    def groups_page(self, cursor: str = "", limit: int = GROUPS_PAGE) -> tuple[Sequence[GroupInfo], str]:
        """Up to `limit` groups (200 at most) from where another page ended ("": the first), and where this one does; "": at
        the end."""
        return self._run("agroups_page", lambda client: client.groups_page(cursor, limit))

    async def agroups_page(self, cursor: str = "", limit: int = GROUPS_PAGE) -> tuple[Sequence[GroupInfo], str]:
        return await self._arun(lambda client: client.groups_page(cursor, limit))

    def controls(self) -> Sequence[ControlView]:
        """Whatever is set for the node, groups and methods."""
        return self._run("acontrols", lambda client: client.controls())

    async def acontrols(self) -> Sequence[ControlView]:
        return await self._arun(lambda client: client.controls())

    def pause(self, scope: str = "node", name: str = "", note: str = "") -> ControlView:
        """Nothing of the scope is started any more; what runs goes on. `scope`: node, group or method."""
        return self._run("apause", lambda client: client.pause(scope, name, note))

    async def apause(self, scope: str = "node", name: str = "", note: str = "") -> ControlView:
        return await self._arun(lambda client: client.pause(scope, name, note))

    def resume(self, scope: str = "node", name: str = "") -> ControlView:
        """Ends a pause."""
        return self._run("aresume", lambda client: client.resume(scope, name))

    async def aresume(self, scope: str = "node", name: str = "") -> ControlView:
        return await self._arun(lambda client: client.resume(scope, name))

    def limit(self, scope: str, name: str = "", **limits: Unpack[SaidLimits]) -> ControlView:
        """Sets limits: `concurrency=4`, `rate="10/s"`, `key_rate="1/m"`, and for a group `max_queued=1000`. None takes one
        away; what is not said stays."""
        return self._run("alimit", lambda client: client.limit(scope, name, **limits))

    async def alimit(self, scope: str, name: str = "", **limits: Unpack[SaidLimits]) -> ControlView:
        return await self._arun(lambda client: client.limit(scope, name, **limits))

    # --- workers and the node

    def drain_worker(self, worker: str, note: str = "") -> None:
        """The worker takes no more tasks. `worker`: its id, or its name where no other has it. Raises NotFound."""
        return self._run("adrain_worker", lambda client: client.drain_worker(worker, note))

    async def adrain_worker(self, worker: str, note: str = "") -> None:
        return await self._arun(lambda client: client.drain_worker(worker, note))

    def resume_worker(self, worker: str) -> None:
        """A drained worker takes tasks again."""
        return self._run("aresume_worker", lambda client: client.resume_worker(worker))

    async def aresume_worker(self, worker: str) -> None:
        return await self._arun(lambda client: client.resume_worker(worker))

    def shut_down_worker(self, worker: str) -> None:
        """The worker's process finishes what it runs, gives back the rest, and ends."""
        return self._run("ashut_down_worker", lambda client: client.shut_down_worker(worker))

    async def ashut_down_worker(self, worker: str) -> None:
        return await self._arun(lambda client: client.shut_down_worker(worker))

    def series(self, since: datetime | None = None, step: Duration | None = None) -> Sequence[PointView]:
        """The node's figures of the last day, oldest first; `step` puts them together into longer steps."""
        return self._run("aseries", lambda client: client.series(since, step))

    async def aseries(self, since: datetime | None = None, step: Duration | None = None) -> Sequence[PointView]:
        return await self._arun(lambda client: client.series(since, step))

    # --- access

    def tokens(self) -> Sequence[TokenView]:
        """Every token, revoked ones too."""
        return self._run("atokens", lambda client: client.tokens())

    async def atokens(self) -> Sequence[TokenView]:
        return await self._arun(lambda client: client.tokens())

    def create_token(
        self,
        name: str,
        roles: Iterable[str],
        groups: Iterable[str] | None = None,
        expires_in: Duration | None = None,
    ) -> NewToken:
        """Makes a token; its text is in the answer, and nowhere else. `groups`: None: every group."""
        return self._run("acreate_token", lambda client: client.create_token(name, roles, groups, expires_in))

    async def acreate_token(
        self,
        name: str,
        roles: Iterable[str],
        groups: Iterable[str] | None = None,
        expires_in: Duration | None = None,
    ) -> NewToken:
        return await self._arun(lambda client: client.create_token(name, roles, groups, expires_in))

    def rotate_token(self, kid: str) -> NewToken:
        """Another secret for the same name, roles and groups. The old one goes on until it is revoked."""
        return self._run("arotate_token", lambda client: client.rotate_token(kid))

    async def arotate_token(self, kid: str) -> NewToken:
        return await self._arun(lambda client: client.rotate_token(kid))

    def revoke_token(self, kid: str) -> TokenView:
        """From now on it lets nobody in; links opened with it are closed. Raises NotFound."""
        return self._run("arevoke_token", lambda client: client.revoke_token(kid))

    async def arevoke_token(self, kid: str) -> TokenView:
        return await self._arun(lambda client: client.revoke_token(kid))

    def audit(self, **wanted: Any) -> Iterator[AuditView]:
        """Lines of the audit log, newest first: `who`, `action` (`token.create`, or `token`), `since`, `until`, `limit`."""
        must_not_block("aaudit")
        return self._each(lambda client: client.audit_pages(**wanted))

    def aaudit(self, **wanted: Any) -> AsyncIterator[AuditView]:
        return self._aeach(lambda client: client.audit_pages(**wanted))
