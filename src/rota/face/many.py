"""Handles of many tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rota.client.batch_handle import BatchHandle
from rota.client.handle import Handle
from rota.client.sync import Client
from rota.client.views import Receipt

R = TypeVar("R")


def handles(client: Client, receipts: Sequence[Receipt], batch: str | None = None) -> list[Handle[Any]]:
    """One for each; a BatchHandle where they are a batch. Raises the first refusal."""
    refused = [(place, receipt.refusal) for place, receipt in enumerate(receipts) if receipt.refusal is not None]
    if refused:
        place, refusal = refused[0]
        accepted = len(receipts) - len(refused)
        raise type(refusal)(
            f"{len(refused)} of {len(receipts)} tasks were refused ({accepted} were accepted); the first, at {place}: "
            f"{refusal.detail}",
            code=refusal.code,
            errors=refusal.errors,
        )
    made = [Handle(client, receipt) for receipt in receipts]
    return made if batch is None else BatchHandle(client, batch, made)


def as_completed(client: Client, handles: Iterable[Handle[R]], timeout: float | None) -> Iterator[Handle[R]]:
    """The handles as their tasks end."""
    by_id = _by_id(handles)
    for outcome in client.wait_many(list(by_id), timeout):
        yield from _noted(by_id, outcome.id, outcome)


async def as_completed_async(
    client: Client, handles: Iterable[Handle[R]], timeout: float | None
) -> AsyncIterator[Handle[R]]:
    """The handles as their tasks end."""
    by_id = _by_id(handles)
    async for outcome in client.await_many(list(by_id), timeout):
        for handle in _noted(by_id, outcome.id, outcome):
            yield handle


def _by_id(handles: Iterable[Handle[R]]) -> dict[str, list[Handle[R]]]:
    by_id: dict[str, list[Handle[R]]] = {}
    for handle in handles:
        by_id.setdefault(handle.id, []).append(handle)
    return by_id


def _noted(by_id: dict[str, list[Handle[R]]], task_id: str, outcome: Any) -> list[Handle[R]]:
    return [handle.ended(outcome) for handle in by_id[task_id]]
