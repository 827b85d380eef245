"""Handles of tasks that were submitted together under one name, and what one may ask of them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, Unpack

from rota.client.handle import Handle
from rota.client.house_views import UNDONE, BatchInfo, Bulk
from rota.client.said import Filter


class AsksBatch(Protocol):
    """The verbs of a client that a batch needs, each with its async twin."""

    def batch(self, name: str) -> BatchInfo: ...
    async def abatch(self, name: str) -> BatchInfo: ...
    def wait_batch(self, name: str, timeout: float | None = None) -> BatchInfo: ...
    async def await_batch(self, name: str, timeout: float | None = None) -> BatchInfo: ...
    def bulk(self, action: str, *, dry_run: bool = False, **wanted: Unpack[Filter]) -> Bulk: ...
    async def abulk(self, action: str, *, dry_run: bool = False, **wanted: Unpack[Filter]) -> Bulk: ...


class BatchHandle(list[Handle[Any]]):
    """The handles of what was submitted, in order; none where the batch was only named (`app.batch("night")`).

    What it tells and does is about the whole batch, whoever submitted its tasks. It may stand in `after=`, for its handles.
    """

    def __init__(self, client: AsksBatch, name: str, handles: Iterable[Handle[Any]] = ()) -> None:
        super().__init__(handles)
        self._client, self.name = client, name

    def info(self) -> BatchInfo:
        """How it stands. Raises NotFound."""
        return self._client.batch(self.name)

    def wait(self, timeout: float | None = None) -> BatchInfo:
        """Waits until every task of it has ended, those that join it meanwhile too. Raises WaitTimeout and NotFound."""
        return self._client.wait_batch(self.name, timeout)

    def cancel(self) -> Bulk:
        """Cancels what has not ended; what runs is asked to stop."""
        return self._client.bulk("cancel", batch=self.name, states="unended")

    def retry(self) -> Bulk:
        """Runs again what did not succeed."""
        return self._client.bulk("retry", batch=self.name, states=UNDONE)

    async def ainfo(self) -> BatchInfo:
        return await self._client.abatch(self.name)

    async def await_(self, timeout: float | None = None) -> BatchInfo:
        """The twin of `wait`."""
        return await self._client.await_batch(self.name, timeout)

    async def acancel(self) -> Bulk:
        return await self._client.abulk("cancel", batch=self.name, states="unended")

    async def aretry(self) -> Bulk:
        return await self._client.abulk("retry", batch=self.name, states=UNDONE)

    def __repr__(self) -> str:
        return f"<Batch {self.name}, {len(self)} handles>"
