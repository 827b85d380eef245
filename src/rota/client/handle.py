"""A handle on a submitted task: its id, and what one may ask or do about it, from sync code and from any loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, Generic, Protocol, TypeVar

from rota.client.house_views import Why
from rota.client.views import CallView, LogView, Outcome, Receipt, TaskView

R = TypeVar("R", covariant=True)


class Asks(Protocol):
    """The verbs of a client that a handle needs, each with its async twin."""

    def wait(self, task_id: str, timeout: float | None = None) -> Outcome: ...
    async def await_(self, task_id: str, timeout: float | None = None) -> Outcome: ...
    def get(self, task_id: str) -> TaskView: ...
    async def aget(self, task_id: str) -> TaskView: ...
    def logs(self, task_id: str, *, follow: bool = False) -> Iterator[LogView]: ...
    def alogs(self, task_id: str, *, follow: bool = False) -> AsyncIterator[LogView]: ...
    def cancel(self, task_id: str, reason: str = "") -> CallView: ...
    async def acancel(self, task_id: str, reason: str = "") -> CallView: ...
    def retry(self, task_id: str) -> CallView: ...
    async def aretry(self, task_id: str) -> CallView: ...
    def why(self, task_id: str) -> Why: ...
    async def awhy(self, task_id: str) -> Why: ...


class Handle(Generic[R]):
    """Made by `submit`. `await handle` is its result."""

    __slots__ = ("_client", "_outcome", "_read", "_receipt")

    def __init__(self, client: Asks, receipt: Receipt, read: Callable[[Outcome], R] = Outcome.value) -> None:
        self._client, self._receipt, self._read = client, receipt, read
        self._outcome: Outcome | None = None

    @property
    def id(self) -> str:
        """The task's id, a UUID as text."""
        return self._receipt.id

    @property
    def duplicate(self) -> bool:
        """The task was there before: the same idempotency key, or the holder of the unique key."""
        return self._receipt.duplicate

    @property
    def warning(self) -> str:
        """`no_worker_for_method`: accepted, but no worker has offered the method so far."""
        return self._receipt.warning

    def result(self, timeout: float | None = None) -> R:
        """Waits for the end, and returns what the handler returned.

        Raises TaskFailed (TaskTimedOut where its last try ran out of time), TaskCancelled, TaskExpired, NotFound, and
        WaitTimeout after `timeout` seconds; then the task goes on, and can be waited for again.
        """
        return self._read(self.outcome(timeout))

    def outcome(self, timeout: float | None = None) -> Outcome:
        """Waits for the end, however it was. Raises WaitTimeout and NotFound."""
        if self._outcome is None:
            self._outcome = self._client.wait(self.id, timeout)
        return self._outcome

    def status(self) -> str:
        """waiting, scheduled, ready, running, succeeded, failed, cancelled or expired."""
        return self.view().state

    def view(self) -> TaskView:
        """The whole task as the node knows it."""
        return self._client.get(self.id)

    def why(self) -> Why:
        """Why it does not run, or where it is."""
        return self._client.why(self.id)

    def logs(self, *, follow: bool = False) -> Iterator[LogView]:
        """Its log lines; with `follow` until it has ended."""
        return self._client.logs(self.id, follow=follow)

    def cancel(self, reason: str = "") -> CallView:
        """Raises Conflict (`already_finished`)."""
        return self._client.cancel(self.id, reason)

    def retry(self) -> CallView:
        """Runs it again after its end. Raises Conflict (`not_finished`)."""
        self._outcome = None
        return self._client.retry(self.id)

    async def aresult(self, timeout: float | None = None) -> R:
        return self._read(await self.aoutcome(timeout))

    async def aoutcome(self, timeout: float | None = None) -> Outcome:
        if self._outcome is None:
            self._outcome = await self._client.await_(self.id, timeout)
        return self._outcome

    async def astatus(self) -> str:
        return (await self.aview()).state

    async def aview(self) -> TaskView:
        return await self._client.aget(self.id)

    async def awhy(self) -> Why:
        return await self._client.awhy(self.id)

    def alogs(self, *, follow: bool = False) -> AsyncIterator[LogView]:
        return self._client.alogs(self.id, follow=follow)

    async def acancel(self, reason: str = "") -> CallView:
        return await self._client.acancel(self.id, reason)

    async def aretry(self) -> CallView:
        self._outcome = None
        return await self._client.aretry(self.id)

    def ended(self, outcome: Outcome) -> Handle[R]:
        """Notes an outcome that was waited for elsewhere."""
        self._outcome = outcome
        return self

    def __await__(self) -> Generator[Any, None, R]:
        return self.aresult().__await__()

    def __repr__(self) -> str:
        return f"<Handle {self.id}>"
