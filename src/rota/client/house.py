"""What `AsyncClient` asks of the house: why, delete, bulk, batches, groups, limits, workers, figures, tokens, the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

from rota.client.answers import read_call
from rota.client.core import Core
from rota.client.filters import filter_fields, instant_sent
from rota.client.house_answers import (
    read_audit_line,
    read_batch,
    read_bulk,
    read_control,
    read_group,
    read_new_token,
    read_point,
    read_token,
    read_why,
)
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
from rota.client.limits import SaidLimits, control_of
from rota.client.said import Duration, Filter, microseconds
from rota.client.task_id import read_id
from rota.client.views import CallView, accepted
from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

TaskId = str | bytes | UUID
AUDIT_PAGE, GROUPS_PAGE = 500, 200


class AsyncHouse:
    """The half of `AsyncClient` that is not about single tasks."""

    @property
    def core(self) -> Core:
        """The core in the running loop."""
        raise NotImplementedError

    # --- tasks

    async def why(self, task_id: TaskId) -> Why:
        """Why the task does not run, or where it is. Raises NotFound."""
        return read_why((await self.core.asked(pb.Frame(why=house.Why(id=read_id(task_id))))).explanation)

    async def delete(self, task_id: TaskId) -> CallView:
        """Removes an ended task with all that hangs on it. Raises NotFound, and Conflict (`not_finished`)."""
        return accepted((await self.delete_many([task_id]))[0])

    async def delete_many(self, ids: Iterable[TaskId]) -> Sequence[CallView]:
        """What became of each, in order; up to 10,000 at once."""
        asked = pb.Frame(delete=house.Delete(ids=[read_id(each) for each in ids]))
        return [read_call(item) for item in (await self.core.asked(asked, repeatable=False)).outcomes.items]

    async def bulk(self, action: str, *, dry_run: bool = False, **wanted: Unpack[Filter]) -> Bulk:
        """Does one thing (`cancel`, `retry`, `delete`) to every task of a filter, which must say something.

        `dry_run`: only counts. `limit`: at most so many tasks, up to 100,000; `more` in the answer says that it was reached.
        """
        which = house.Filter(**filter_fields(wanted))
        asked = house.Bulk(action=action, filter=which, dry_run=dry_run, limit=wanted.get("limit") or 0)
        return read_bulk((await self.core.asked(pb.Frame(bulk=asked), repeatable=dry_run)).bulked)

    async def batch(self, name: str) -> BatchInfo:
        """How a batch stands. Raises NotFound."""
        return read_batch((await self.core.asked(pb.Frame(read_batch=house.ReadBatch(name=name)))).batch)

    # --- groups, and what is set

    async def groups(self) -> Sequence[GroupInfo]:
        """All groups by name with their depth, workers and rates, the tasks without a group first."""
        groups, cursor = await self.groups_page()
        while cursor:
            more, cursor = await self.groups_page(cursor)
            groups = [*groups, *more]
        return groups

    async def groups_page(self, cursor: str = "", limit: int = GROUPS_PAGE) -> tuple[Sequence[GroupInfo], str]:
        """Up to `limit` groups (200 at most) from where another page ended ("": the first), and where this one does; "": at
        the end."""
        asked = house.ListGroups(cursor=cursor, limit=limit)
        answer = (await self.core.asked(pb.Frame(list_groups=asked))).groups
        return [read_group(group) for group in answer.groups], answer.cursor

    async def controls(self) -> Sequence[ControlView]:
        """Whatever is set for the node, groups and methods."""
        answer = await self.core.asked(pb.Frame(list_controls=house.ListControls()))
        return [read_control(control) for control in answer.controls.controls]

    async def pause(self, scope: str = "node", name: str = "", note: str = "") -> ControlView:
        """Nothing of the scope is started any more; what runs goes on. `scope`: node, group or method."""
        return await self._set(house.SetControl(scope=scope, name=name, paused=True, note=note))

    async def resume(self, scope: str = "node", name: str = "") -> ControlView:
        """Ends a pause."""
        return await self._set(house.SetControl(scope=scope, name=name, paused=False, note=""))

    async def limit(self, scope: str, name: str = "", **limits: Unpack[SaidLimits]) -> ControlView:
        """Sets limits: `concurrency=4`, `rate="10/s"`, `key_rate="1/m"`, and for a group `max_queued=1000`. None takes one
        away; what is not said stays."""
        return await self._set(control_of(scope, name, limits))

    async def _set(self, asked: house.SetControl) -> ControlView:
        return read_control((await self.core.asked(pb.Frame(set_control=asked))).control)

    # --- workers and the node

    async def drain_worker(self, worker: str, note: str = "") -> None:
        """The worker takes no more tasks. `worker`: its id, or its name where no other has it. Raises NotFound."""
        await self._command(worker, "drain", note)

    async def resume_worker(self, worker: str) -> None:
        """A drained worker takes tasks again."""
        await self._command(worker, "resume")

    async def shut_down_worker(self, worker: str) -> None:
        """The worker's process finishes what it runs, gives back the rest, and ends."""
        await self._command(worker, "shut_down")

    async def _command(self, worker: str, command: str, note: str = "") -> None:
        asked = house.WorkerCommand(worker=worker, command=command, note=note)
        await self.core.asked(pb.Frame(worker_command=asked), repeatable=command != "shut_down")

    async def series(self, since: datetime | None = None, step: Duration | None = None) -> Sequence[PointView]:
        """The node's figures of the last day, oldest first; `step` puts them together into longer steps."""
        asked = house.ReadSeries(since=instant_sent("since", since), step=microseconds("step", step) if step else 0)
        return [read_point(point) for point in (await self.core.asked(pb.Frame(read_series=asked))).series.points]

    # --- access

    async def tokens(self) -> Sequence[TokenView]:
        """Every token, revoked ones too."""
        answer = await self.core.asked(pb.Frame(list_tokens=house.ListTokens()))
        return [read_token(token) for token in answer.tokens.tokens]

    async def create_token(
        self,
        name: str,
        roles: Iterable[str],
        groups: Iterable[str] | None = None,
        expires_in: Duration | None = None,
    ) -> NewToken:
        """Makes a token; its text is in the answer, and nowhere else. `groups`: None: every group."""
        asked = house.CreateToken(
            name=name,
            roles=list(roles),
            groups=list(groups or ()),
            expires_in=microseconds("expires_in", expires_in) if expires_in is not None else 0,
        )
        return await self._new_token(pb.Frame(create_token=asked))

    async def rotate_token(self, kid: str) -> NewToken:
        """Another secret for the same name, roles and groups. The old one goes on until it is revoked."""
        return await self._new_token(pb.Frame(rotate_token=house.RotateToken(kid=kid)))

    async def _new_token(self, asked: pb.Frame) -> NewToken:
        return read_new_token((await self.core.asked(asked, repeatable=False)).new_token)

    async def revoke_token(self, kid: str) -> TokenView:
        """From now on it lets nobody in; links opened with it are closed. Raises NotFound."""
        return read_token((await self.core.asked(pb.Frame(revoke_token=house.RevokeToken(kid=kid)))).token)

    async def audit_pages(
        self,
        *,
        who: str = "",
        action: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Sequence[AuditView]]:
        """As `audit`, a page at a time."""
        asked = house.ReadAudit(
            who=who, action=action, since=instant_sent("since", since), until=instant_sent("until", until)
        )
        left = limit if limit is not None else 1 << 62
        while left > 0:
            asked.limit = min(left, AUDIT_PAGE)
            answer = (await self.core.asked(pb.Frame(read_audit=asked))).audit_lines
            yield [read_audit_line(line) for line in answer.lines[:left]]
            left -= len(answer.lines)
            if not answer.next:
                return
            asked.before = answer.next

    async def audit(self, **wanted: Any) -> AsyncIterator[AuditView]:
        """Lines of the audit log, newest first: `who`, `action` (`token.create`, or `token`), `since`, `until`, `limit`."""
        async for page in self.audit_pages(**wanted):
            for line in page:
                yield line
