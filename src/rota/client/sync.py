"""The client for sync code, with async twins that may be awaited from any loop: a thin portal over the async core.

It connects at the first call, in a thread of its own; any number of threads may share it; a forked child starts afresh.
Errors are those of `AsyncClient`. A sync call inside a running loop raises RotaError (`sync_in_loop`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar, Unpack

from rota.client.address import addresses
from rota.client.answers import read_outcome
from rota.client.batches import completed, read_logs
from rota.client.call import AnyCall, Call, call
from rota.client.client import AsyncClient, wait_timeout
from rota.client.connection import Dial
from rota.client.core import CONNECT_TIMEOUT, Submitting, Watch, receipt_of
from rota.client.handle import Handle
from rota.client.house import TaskId
from rota.client.payload import check_size
from rota.client.portal import Portal, must_not_block
from rota.client.said import Filter, Said
from rota.client.slots import ThreadSlot
from rota.client.sync_house import House
from rota.client.task_id import read_id
from rota.client.tls import Tls
from rota.client.views import CallView, LogView, MethodView, Outcome, Receipt, StatsView, TaskView, WorkerView
from rota.model.errors import RotaError
from rota.telemetry.tracing import switch_on_where_asked

T = TypeVar("T")
IN_FLIGHT = 2_000
"""Tasks that `execute_each` has submitted ahead of its reader."""


class Client(House):
    """`url`: one address or several with commas; None: ROTA_URL, then http://127.0.0.1:8080. `token`: None: ROTA_TOKEN.

    `dial` replaces the network, for nodes inside this process; `connect_timeout` is in seconds. `tls`: for `https`, whom to
    trust and what to show; None: as ROTA_TLS_CA, ROTA_TLS_CLIENT_CERT and ROTA_TLS_CLIENT_KEY say.
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        token: str | None = None,
        *,
        dial: Dial | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        tls: Tls | None = None,
        before_close: Callable[[], None] | None = None,
        after_close: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """`before_close` is called in the thread that closes the client, `after_close` awaited in the client's loop."""
        addresses(url)  # a wrong address is told here, not in the thread
        switch_on_where_asked("rota-client")
        self._portal = Portal(
            lambda: AsyncClient(url, token, dial=dial, connect_timeout=connect_timeout, tls=tls),
            before_close,
            after_close,
        )

    def close(self) -> None:
        """Ends the connection and its thread. May be called twice; a later call connects again."""
        self._portal.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- submit

    def submit(self, method: str, params: Any = None, **said: Unpack[Said]) -> Handle[Any]:
        """Returns after the node has kept the task. `params` is any JSON value: an object binds by name, an array by place."""
        return Handle(self, self.submit_call(call(method, params, **said)))

    async def asubmit(self, method: str, params: Any = None, **said: Unpack[Said]) -> Handle[Any]:
        return Handle(self, await self.asubmit_call(call(method, params, **said)))

    def submit_call(self, made: Call) -> Receipt:
        """Submits what `call` made. Raises the refusal."""
        must_not_block("asubmit")
        slot = ThreadSlot()
        item = Submitting(made.new(), slot)
        self._portal.push(self._submit, item)
        return slot.wait() or receipt_of(item.id, None)

    async def asubmit_call(self, made: Call) -> Receipt:
        slot = self._portal.slot()
        item = Submitting(made.new(), slot)
        self._portal.push(self._submit, item)
        return await slot.future or receipt_of(item.id, None)

    def submit_many(self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: str | None = None) -> list[Receipt]:
        """Submits many, in frames of up to 1,000. The receipts come in order; a refused task's says why.

        Each is a Call, or a tuple of a method, its params, and perhaps a dict of options. `atomic`: all or none, for up to
        one frame. `batch`: a name that counts are kept under, see `batch`.
        """
        return self._run("asubmit_many", lambda client: client.submit_many(calls, atomic=atomic, batch=batch))

    async def asubmit_many(
        self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: str | None = None
    ) -> list[Receipt]:
        return await self._arun(lambda client: client.submit_many(calls, atomic=atomic, batch=batch))

    def execute(
        self, method: str, params: Any = None, *, wait_timeout: float | None = None, **said: Unpack[Said]
    ) -> Any:
        """Submits, waits, and returns the result, or raises what became of the task.

        `wait_timeout`: seconds, then WaitTimeout; the task goes on. (`timeout` is the task's own run timeout.)
        """
        return self.execute_call(call(method, params, **said), wait_timeout).value()

    async def aexecute(
        self, method: str, params: Any = None, *, wait_timeout: float | None = None, **said: Unpack[Said]
    ) -> Any:
        return (await self.aexecute_call(call(method, params, **said), wait_timeout)).value()

    def execute_call(self, made: Call, timeout: float | None = None) -> Outcome:
        """Submits what `call` made, and waits for its outcome."""
        must_not_block("aexecute")
        slot = ThreadSlot()
        item = Submitting(made.new(), slot, wait=True)
        self._portal.push(self._submit, item)
        return self._outcome(item, slot, timeout)

    async def aexecute_call(self, made: Call, timeout: float | None = None) -> Outcome:
        return await self._arun(lambda client: client.execute_call(made, timeout))

    def execute_each(self, calls: Iterable[Call], timeout: float | None = None) -> Iterator[Outcome]:
        """Executes any number of calls and gives their outcomes in order; at most IN_FLIGHT are ahead of the reader.

        `timeout`: seconds for all, then WaitTimeout.
        """
        must_not_block("aexecute_each")
        deadline = None if timeout is None else time.monotonic() + timeout
        rest, ahead = iter(calls), deque[tuple[Submitting, ThreadSlot]]()
        try:
            while True:
                for made in islice(rest, IN_FLIGHT - len(ahead)):
                    slot = ThreadSlot()
                    ahead.append((Submitting(made.new(), slot, wait=True), slot))
                    self._portal.push(self._submit, ahead[-1][0])
                if not ahead:
                    return
                item, slot = ahead[0]
                outcome = self._outcome(item, slot, timeout, deadline)
                ahead.popleft()
                yield outcome
        finally:
            for item, _ in ahead:
                self._portal.push(self._unwatch, item)

    async def aexecute_each(self, calls: Iterable[Call], timeout: float | None = None) -> AsyncIterator[Outcome]:
        """The twin of `execute_each`."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        rest, ahead = iter(calls), deque[tuple[Submitting, asyncio.Future[Any]]]()
        try:
            while True:
                for made in islice(rest, IN_FLIGHT - len(ahead)):
                    slot = self._portal.slot()
                    ahead.append((Submitting(made.new(), slot, wait=True), slot.future))
                    self._portal.push(self._submit, ahead[-1][0])
                if not ahead:
                    return
                item, future = ahead[0]
                outcome = await self._aoutcome(item, future, deadline, timeout)
                ahead.popleft()
                yield outcome
        finally:
            for item, future in ahead:
                future.cancel()
                self._portal.push(self._unwatch, item)

    # --- wait

    def wait(self, task_id: TaskId, timeout: float | None = None) -> Outcome:
        """Waits until the task has ended. Raises NotFound, and WaitTimeout after `timeout` seconds."""
        must_not_block("await_")
        slot = ThreadSlot()
        watch = Watch(read_id(task_id), slot)
        self._portal.push(self._watch, watch)
        outcome = self._outcome(watch, slot, timeout)
        if outcome.state == "unknown":
            raise outcome.failure()
        return outcome

    async def await_(self, task_id: TaskId, timeout: float | None = None) -> Outcome:
        """The twin of `wait`."""
        return await self._arun(lambda client: client.wait(task_id, timeout))

    def result(self, task_id: TaskId, timeout: float | None = None) -> Any:
        """Waits, and returns the result or raises what became of the task."""
        return self.wait(task_id, timeout).value()

    async def aresult(self, task_id: TaskId, timeout: float | None = None) -> Any:
        return (await self.await_(task_id, timeout)).value()

    def wait_many(self, ids: Iterable[TaskId], timeout: float | None = None) -> Iterator[Outcome]:
        """The outcomes as the tasks end, for any number of ids. Raises WaitTimeout when some have not ended in time."""
        must_not_block("await_many")
        return self._each(lambda client: completed(client.core, map(read_id, ids), timeout))

    def await_many(self, ids: Iterable[TaskId], timeout: float | None = None) -> AsyncIterator[Outcome]:
        return self._aeach(lambda client: completed(client.core, map(read_id, ids), timeout))

    def gather(self, ids: Iterable[TaskId], timeout: float | None = None) -> Sequence[Outcome]:
        """The outcomes of all, in the order of the ids. Raises WaitTimeout."""
        return self._run("agather", lambda client: client.gather(ids, timeout))

    async def agather(self, ids: Iterable[TaskId], timeout: float | None = None) -> Sequence[Outcome]:
        return await self._arun(lambda client: client.gather(ids, timeout))

    # --- ask

    def get(self, task_id: TaskId) -> TaskView:
        """The task, with past attempts and progress. Raises NotFound."""
        return self._run("aget", lambda client: client.get(task_id))

    async def aget(self, task_id: TaskId) -> TaskView:
        return await self._arun(lambda client: client.get(task_id))

    def get_many(self, ids: Iterable[TaskId]) -> dict[str, TaskView]:
        """Those that are known, by id; up to 10,000 at once."""
        return self._run("aget_many", lambda client: client.get_many(ids))

    async def aget_many(self, ids: Iterable[TaskId]) -> dict[str, TaskView]:
        return await self._arun(lambda client: client.get_many(ids))

    def list(self, **wanted: Unpack[Filter]) -> Iterator[TaskView]:
        """Tasks, newest first, page by page as they are read."""
        must_not_block("alist")
        return self._each(lambda client: client.pages(wanted))

    def alist(self, **wanted: Unpack[Filter]) -> AsyncIterator[TaskView]:
        return self._aeach(lambda client: client.pages(wanted))

    def page(self, cursor: str, limit: int, wanted: Filter) -> tuple[Sequence[TaskView], str]:
        """Up to `limit` tasks from where another page ended ("": the newest), and where this one does; "": at the end."""
        return self._run("apage", lambda client: client.page(cursor, limit, wanted))

    async def apage(self, cursor: str, limit: int, wanted: Filter) -> tuple[Sequence[TaskView], str]:
        return await self._arun(lambda client: client.page(cursor, limit, wanted))

    def logs(self, task_id: TaskId, *, after: int = 0, follow: bool = False) -> Iterator[LogView]:
        """The task's log lines from after a number; with `follow` new ones too, until the task has ended."""
        must_not_block("alogs")
        return self._each(lambda client: read_logs(client.core, read_id(task_id), after, follow))

    def alogs(self, task_id: TaskId, *, after: int = 0, follow: bool = False) -> AsyncIterator[LogView]:
        return self._aeach(lambda client: read_logs(client.core, read_id(task_id), after, follow))

    def stats(self) -> StatsView:
        return self._run("astats", lambda client: client.stats())

    async def astats(self) -> StatsView:
        return await self._arun(lambda client: client.stats())

    def workers(self, *, gone: bool = False) -> Sequence[WorkerView]:
        """The workers that are connected; with `gone`, those of the last day too."""
        return self._run("aworkers", lambda client: client.workers(gone=gone))

    async def aworkers(self, *, gone: bool = False) -> Sequence[WorkerView]:
        return await self._arun(lambda client: client.workers(gone=gone))

    def methods(self) -> Sequence[MethodView]:
        return self._run("amethods", lambda client: client.methods())

    async def amethods(self) -> Sequence[MethodView]:
        return await self._arun(lambda client: client.methods())

    # --- act

    def cancel(self, task_id: TaskId, reason: str = "") -> CallView:
        """Cancels; a running task is asked to stop. Raises NotFound, and Conflict (`already_finished`)."""
        return self._run("acancel", lambda client: client.cancel(task_id, reason))

    async def acancel(self, task_id: TaskId, reason: str = "") -> CallView:
        return await self._arun(lambda client: client.cancel(task_id, reason))

    def cancel_many(self, ids: Iterable[TaskId], reason: str = "") -> Sequence[CallView]:
        """What became of each, in order; up to 10,000 at once."""
        return self._run("acancel_many", lambda client: client.cancel_many(ids, reason))

    async def acancel_many(self, ids: Iterable[TaskId], reason: str = "") -> Sequence[CallView]:
        return await self._arun(lambda client: client.cancel_many(ids, reason))

    def retry(self, task_id: TaskId) -> CallView:
        """Runs an ended task again. Raises NotFound, and Conflict (`not_finished`)."""
        return self._run("aretry", lambda client: client.retry(task_id))

    async def aretry(self, task_id: TaskId) -> CallView:
        return await self._arun(lambda client: client.retry(task_id))

    def retry_many(self, ids: Iterable[TaskId]) -> Sequence[CallView]:
        """What became of each, in order; up to 10,000 at once."""
        return self._run("aretry_many", lambda client: client.retry_many(ids))

    async def aretry_many(self, ids: Iterable[TaskId]) -> Sequence[CallView]:
        return await self._arun(lambda client: client.retry_many(ids))

    # --- for what lives in the client's loop

    def call(self, act: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs `act` in the loop of this client's thread, and waits."""
        must_not_block("acall")
        return self._portal.run(act())

    async def acall(self, act: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The twin of `call`."""
        return await self._portal.arun(act())

    # --- inside, in the caller's thread

    def _run(self, twin: str, ask: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
        must_not_block(twin)
        return self._portal.run(self._asked(ask))

    async def _arun(self, ask: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
        return await self._portal.arun(self._asked(ask))

    def _each(self, ask: Callable[[AsyncClient], AsyncIterator[Sequence[T]]]) -> Iterator[T]:
        batches = _Batches(self._portal, ask)
        try:
            while (batch := self._portal.run(batches.next())) is not None:
                yield from batch
        finally:
            if self._portal.lives:  # else they ended with it; an exiting interpreter can start no thread
                self._portal.run(batches.end())

    async def _aeach(self, ask: Callable[[AsyncClient], AsyncIterator[Sequence[T]]]) -> AsyncIterator[T]:
        batches = _Batches(self._portal, ask)
        try:
            while (batch := await self._portal.arun(batches.next())) is not None:
                for each in batch:
                    yield each
        finally:
            if self._portal.lives:
                await self._portal.arun(batches.end())

    def _outcome(self, watch: Watch, slot: ThreadSlot, timeout: float | None, deadline: float | None = None) -> Outcome:
        try:
            return read_outcome(slot.wait(timeout if deadline is None else deadline - time.monotonic()))
        except TimeoutError:
            raise wait_timeout(watch.id, timeout) from None
        finally:
            if not slot.done():
                self._portal.push(self._unwatch, watch)

    async def _aoutcome(
        self, item: Submitting, future: asyncio.Future[Any], deadline: float | None, timeout: float | None
    ) -> Outcome:
        try:
            async with asyncio.timeout_at(deadline):
                return read_outcome(await asyncio.shield(future))
        except TimeoutError:
            raise wait_timeout(item.id, timeout) from None

    # --- inside, in the portal's loop

    async def _asked(self, ask: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
        return await ask(self._portal.client)

    def _submit(self, item: Submitting) -> None:
        try:
            core = self._portal.client.core
            check_size(item.new.params, core.max_payload)
            core.submit(item)
        except RotaError as error:
            item.slot.set_exception(error)

    def _watch(self, watch: Watch) -> None:
        try:
            self._portal.client.core.watch([watch])
        except RotaError as error:
            watch.slot.set_exception(error)

    def _unwatch(self, watch: Watch) -> None:
        self._portal.client.core.unwatch([watch])


class _Batches:
    """An async iterator that lives in the portal's loop, drawn from elsewhere."""

    def __init__(self, portal: Portal, ask: Callable[[AsyncClient], AsyncIterator[Sequence[Any]]]) -> None:
        self._portal, self._ask = portal, ask
        self._batches: AsyncIterator[Sequence[Any]] | None = None

    async def next(self) -> Sequence[Any] | None:
        """None: there are no more."""
        if self._batches is None:
            self._batches = self._ask(self._portal.client)
        return await anext(self._batches, None)

    async def end(self) -> None:
        close = getattr(self._batches, "aclose", None)
        if close is not None:
            await close()
