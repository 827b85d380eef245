"""The client for asyncio code: submit, execute, ask, wait, cancel, read logs. Connects at the first call.

Calls that are in flight together share frames, so that many `await client.submit(…)` at once cost little more than one.
Every call raises CannotConnect after `connect_timeout` where no node can be reached, NotAuthenticated or Forbidden where
the token is refused, and what the node answers (InvalidInput, NotFound, Conflict, Overloaded, Unavailable).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeVar, Unpack

from rota.client.address import addresses, token_or_none
from rota.client.answers import (
    read_call,
    read_method,
    read_outcome,
    read_stats,
    read_task,
    read_worker,
)
from rota.client.batches import MOST_WATCHES, completed, read_logs, submit_batches
from rota.client.call import AnyCall, Call, call
from rota.client.connection import Dial
from rota.client.core import CONNECT_TIMEOUT, Core, Submitting, Watch, receipt_of
from rota.client.filters import filter_fields
from rota.client.house import AsyncHouse, TaskId
from rota.client.house_views import BatchInfo
from rota.client.payload import check_size
from rota.client.said import Filter, Said
from rota.client.task_id import read_id
from rota.client.tls import Tls, tls_dial
from rota.client.views import (
    CallView,
    LogView,
    MethodView,
    Outcome,
    Receipt,
    StatsView,
    TaskView,
    WorkerView,
    accepted,
)
from rota.model.errors import NotFound, RotaError, WaitTimeout
from rota.model.text import task_id_text
from rota.telemetry.tracing import switch_on_where_asked
from rota.wire.v1 import link_pb2 as pb

T = TypeVar("T")
PAGE = 500


class AsyncClient(AsyncHouse):
    """For one event loop at a time. `url`: one address or several with commas; None: ROTA_URL, then the default.

    `token`: None: ROTA_TOKEN. `dial` replaces the network, for nodes inside this process. `connect_timeout`: seconds.
    `tls`: for `https`, whom to trust and what to show; None: as ROTA_TLS_CA, _CLIENT_CERT and _CLIENT_KEY say.
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        token: str | None = None,
        *,
        dial: Dial | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        tls: Tls | None = None,
    ) -> None:
        self._urls = addresses(url)
        switch_on_where_asked("rota-client")
        self._token = token_or_none(token)
        self._dial = dial or tls_dial(tls)
        self._connect_timeout = connect_timeout
        self._core: Core | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; calls that wait raise Unavailable (`closed`). A later call connects again."""
        core, self._core = self._core, None
        if core is not None and self._loop is asyncio.get_running_loop():
            await core.stop()

    @property
    def core(self) -> Core:
        """The core in the running loop. For the portal and the handles."""
        loop = asyncio.get_running_loop()
        if self._core is None or self._loop is not loop:
            if self._core is not None and self._loop is not None and self._loop.is_running():
                raise RotaError(
                    "this AsyncClient works in another running event loop: make one for each loop",
                    code="wrong_loop",
                )
            self._loop, self._core = loop, Core(self._urls, self._token, self._dial, self._connect_timeout)
        return self._core

    # --- submit

    async def submit(self, method: str, params: Any = None, **said: Unpack[Said]) -> Receipt:
        """Returns after the node has kept the task. `params` is any JSON value: an object binds by name, an array by place.

        What may be said: `Said`.
        """
        return await self.submit_call(call(method, params, **said))

    async def submit_call(self, made: Call) -> Receipt:
        """Submits what `call` made. Raises the refusal."""
        core = self.core
        check_size(made.params, core.max_payload)
        future: asyncio.Future[Receipt | None] = asyncio.get_running_loop().create_future()
        item = Submitting(made.new(), future)
        core.submit(item)
        return await future or receipt_of(item.id, None)

    async def submit_many(
        self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: str | None = None
    ) -> list[Receipt]:
        """Submits many, in frames of up to 1,000 tasks. The receipts come in order; a refused task's says why.

        `atomic`: all or none, for up to one frame; one refusal refuses them all. `batch`: a name that counts are kept
        under, for those that do not say their own.
        """
        return await submit_batches(self.core, calls, atomic=atomic, batch=batch or "")

    async def execute(
        self, method: str, params: Any = None, *, wait_timeout: float | None = None, **said: Unpack[Said]
    ) -> Any:
        """Submits, waits, and returns the result; raises what `Outcome.value` raises.

        `wait_timeout`: seconds, then WaitTimeout; the task goes on. (`timeout` is the task's own run timeout.)
        """
        return (await self.execute_call(call(method, params, **said), wait_timeout)).value()

    async def execute_call(self, made: Call, timeout: float | None = None) -> Outcome:
        """Submits what `call` made, and waits for its outcome."""
        core = self.core
        check_size(made.params, core.max_payload)
        item = Submitting(made.new(), asyncio.get_running_loop().create_future(), wait=True)
        core.submit(item)
        return await _outcome(core, item, timeout)

    # --- ask

    async def get(self, task_id: TaskId, *, detail: bool = True) -> TaskView:
        """The task, with past attempts and progress unless `detail` is False. Raises NotFound."""
        found = await self.get_many([task_id], detail=detail)
        if not found:
            raise NotFound.task(task_id_text(read_id(task_id)))
        return next(iter(found.values()))

    async def get_many(self, ids: Iterable[TaskId], *, detail: bool = False) -> dict[str, TaskView]:
        """Those that are known, by id; up to 10,000 at once."""
        wanted = [read_id(each) for each in ids]
        found: dict[str, TaskView] = {}
        while wanted:
            answer = (await self.core.asked(pb.Frame(get=pb.Get(ids=wanted, detail=detail)))).tasks
            found.update((view.id, view) for view in map(read_task, answer.tasks))
            wanted = wanted[int(answer.cursor) :] if answer.cursor else []
        return found

    def list(self, **wanted: Unpack[Filter]) -> AsyncIterator[TaskView]:
        """Tasks, newest first, page by page as they are read. `states` may also say `ended` and `unended`."""
        return _one_by_one(self.pages(wanted))

    async def pages(self, wanted: Filter) -> AsyncIterator[Sequence[TaskView]]:
        """As `list`, a page at a time."""
        asked = pb.List(**filter_fields(wanted))
        limit = wanted.get("limit")
        left = limit if limit is not None else 1 << 62
        while left > 0:
            asked.limit = min(left, PAGE)
            answer = (await self.core.asked(pb.Frame(list=asked))).tasks
            yield [read_task(task) for task in answer.tasks[:left]]
            left -= len(answer.tasks)
            if not answer.cursor:
                return
            asked.cursor = answer.cursor

    async def page(self, cursor: str, limit: int, wanted: Filter) -> tuple[Sequence[TaskView], str]:
        """Up to `limit` tasks from where another page ended ("": the newest), and where this one does; "": at the end."""
        asked = pb.List(**filter_fields(wanted), cursor=cursor)
        tasks: list[TaskView] = []
        while len(tasks) < limit:
            asked.limit = min(limit - len(tasks), PAGE)
            answer = (await self.core.asked(pb.Frame(list=asked))).tasks
            tasks += map(read_task, answer.tasks)
            asked.cursor = answer.cursor
            if not answer.cursor:
                break
        return tasks, asked.cursor

    # --- wait

    async def wait(self, task_id: TaskId, timeout: float | None = None) -> Outcome:
        """Waits until the task has ended. Raises NotFound, and WaitTimeout after `timeout` seconds."""
        core = self.core
        watch = Watch(read_id(task_id), asyncio.get_running_loop().create_future())
        core.watch([watch])
        outcome = await _outcome(core, watch, timeout)
        if outcome.state == "unknown":
            raise outcome.failure()
        return outcome

    async def result(self, task_id: TaskId, timeout: float | None = None) -> Any:
        """Waits, and returns the result or raises what became of the task."""
        return (await self.wait(task_id, timeout)).value()

    def wait_many(self, ids: Iterable[TaskId], timeout: float | None = None) -> AsyncIterator[Outcome]:
        """The outcomes as the tasks end, for any number of ids. Raises WaitTimeout when some have not ended in time.

        A task that the node does not know comes as an outcome of state `unknown`.
        """
        return _one_by_one(completed(self.core, map(read_id, ids), timeout))

    async def gather(self, ids: Iterable[TaskId], timeout: float | None = None) -> Sequence[Outcome]:
        """The outcomes of all, in the order of the ids. Raises WaitTimeout."""
        wanted = [read_id(each) for each in ids]
        ended = {
            outcome.id: outcome async for outcome in _one_by_one(completed(self.core, dict.fromkeys(wanted), timeout))
        }
        return [ended[task_id_text(each)] for each in wanted]

    async def wait_batch(self, name: str, timeout: float | None = None) -> BatchInfo:
        """Waits until every task of the batch has ended, those that join it meanwhile too. Raises NotFound and WaitTimeout."""
        try:
            async with asyncio.timeout(timeout):
                while not (info := await self.batch(name)).finished:
                    some = [view.id async for view in self.list(batch=name, states="unended", limit=MOST_WATCHES)]
                    async for _ in completed(self.core, map(read_id, some), None):
                        pass
        except TimeoutError:
            raise WaitTimeout(f"tasks of the batch {name!r} have not ended within {timeout:g} s; they go on") from None
        return info

    # --- act

    async def cancel(self, task_id: TaskId, reason: str = "") -> CallView:
        """Cancels; a running task is asked to stop. Raises NotFound, and Conflict (`already_finished`)."""
        return accepted((await self.cancel_many([task_id], reason))[0])

    async def cancel_many(self, ids: Iterable[TaskId], reason: str = "") -> Sequence[CallView]:
        """What became of each, in order; up to 10,000 at once."""
        asked = pb.Frame(cancel=pb.Cancel(ids=[read_id(each) for each in ids], reason=reason))
        return [read_call(item) for item in (await self.core.asked(asked)).outcomes.items]

    async def retry(self, task_id: TaskId) -> CallView:
        """Runs an ended task again. Raises NotFound, and Conflict (`not_finished`)."""
        return accepted((await self.retry_many([task_id]))[0])

    async def retry_many(self, ids: Iterable[TaskId]) -> Sequence[CallView]:
        """What became of each, in order; up to 10,000 at once."""
        asked = pb.Frame(retry=pb.Retry(ids=[read_id(each) for each in ids]))
        answer = await self.core.asked(asked, repeatable=False)
        return [read_call(item) for item in answer.outcomes.items]

    def logs(self, task_id: TaskId, *, after: int = 0, follow: bool = False) -> AsyncIterator[LogView]:
        """The task's log lines from after a number; with `follow` new ones too, until the task has ended."""
        return _one_by_one(read_logs(self.core, read_id(task_id), after, follow))

    # --- the node

    async def stats(self) -> StatsView:
        return read_stats((await self.core.asked(pb.Frame(read_stats=pb.ReadStats()))).stats)

    async def workers(self, *, gone: bool = False) -> Sequence[WorkerView]:
        """The workers that are connected; with `gone`, those of the last day too."""
        answer = await self.core.asked(pb.Frame(list_workers=pb.ListWorkers(all=gone)))
        return [read_worker(view) for view in answer.workers.workers]

    async def methods(self) -> Sequence[MethodView]:
        answer = await self.core.asked(pb.Frame(list_methods=pb.ListMethods()))
        return [read_method(method) for method in answer.methods.methods]


async def _one_by_one(batches: AsyncIterator[Sequence[T]]) -> AsyncIterator[T]:
    async for batch in batches:
        for each in batch:
            yield each


def wait_timeout(task_id: bytes, timeout: float | None) -> WaitTimeout:
    return WaitTimeout(
        f"task {task_id_text(task_id)} has not ended within {timeout:g} s; it goes on, and can be waited for again"
    )


async def _outcome(core: Core, watch: Watch, timeout: float | None) -> Outcome:
    future = watch.slot
    assert isinstance(future, asyncio.Future)  # noqa: S101  # both callers have made it so
    try:
        async with asyncio.timeout(timeout):
            return read_outcome(await future)
    except TimeoutError:
        raise wait_timeout(watch.id, timeout) from None
    finally:
        if not future.done() or future.cancelled():
            core.unwatch([watch])
