"""Rota, by its public face: an app for `rota worker`, and the Python client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from benchmarks import work
from benchmarks.peers.protocol import WAIT_SECONDS, Pair, aflown, atimed
from rota import App, AsyncClient, Client

app = App()


@app.task
async def add(a: int, b: int) -> int:
    return work.add(a, b)


@app.task
def add_thread(a: int, b: int) -> int:
    return work.add(a, b)


class Rota:
    packages = ("rota",)

    def __init__(self) -> None:
        self._client = AsyncClient()
        self._sync_client = Client()
        self._method = os.environ["BENCH_METHOD"]

    async def open(self) -> None:
        await self._client.stats()
        await asyncio.to_thread(self._sync_client.stats)

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[str]:
        receipts = await self._client.submit_many([(self._method, pair) for pair in pairs])
        return [receipt.id for receipt in receipts]

    async def submit_serial(self, pairs: Sequence[Pair]) -> Sequence[str]:
        return await asyncio.to_thread(self._submit_from_sync_code, pairs)

    def _submit_from_sync_code(self, pairs: Sequence[Pair]) -> list[str]:
        return [self._sync_client.submit(self._method, pair).id for pair in pairs]

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[str]:
        async def submit(a: int, b: int) -> str:
            return (await self._client.submit(self._method, (a, b))).id

        return await aflown(pairs, flight, submit)

    async def stored(self, handles: Sequence[str]) -> None:
        self._outcomes = await self._client.gather(handles, timeout=WAIT_SECONDS)

    async def results(self, handles: Sequence[str]) -> Sequence[Any]:
        """`stored` has brought them already."""
        return [outcome.value() for outcome in self._outcomes]

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        return await atimed(pairs, lambda a, b: self._client.execute(self._method, (a, b), wait_timeout=WAIT_SECONDS))

    async def close(self) -> None:
        await self._client.close()
        await asyncio.to_thread(self._sync_client.close)
