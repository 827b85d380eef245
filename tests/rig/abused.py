"""A house that is abused, and somebody honest in it who must not feel that."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import psutil
from processes import ROTA, House

from rota import AsyncClient

BUSY = 0.5
"""Of a core: more than this the node may not spend on those who abuse it."""


class Honest:
    """A client of a house with one worker, whose calls have to be answered whatever others do."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.calls = 0
        self.longest = 0.0
        self._stop = asyncio.Event()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            self._stop.set()
            await task

    async def _work(self) -> None:
        while not self._stop.is_set():
            self.calls += 1
            began = time.monotonic()
            assert await self.client.execute("add", {"a": self.calls, "b": 1}, wait_timeout=20) == self.calls + 1
            self.longest = max(self.longest, time.monotonic() - began)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 0.05)


@contextlib.asynccontextmanager
async def honest(where: House, token: str | None = None) -> AsyncIterator[Honest]:
    await asyncio.to_thread(where.start_worker, env={"ROTA_TOKEN": token} if token else None)
    async with AsyncClient(where.url, token=token) as client:
        assert await client.execute("add", {"a": 1, "b": 1}, wait_timeout=20) == 2
        yield Honest(client)


def log_of(where: House) -> str:
    return (where.folder / "node.log").read_text()


def troubles(where: House) -> list[str]:
    """What its log holds beside information, and beside warnings of its first start and of variables that are for tests."""
    known = (" info ", "is read by nothing", "an admin token was made")
    return [line for line in log_of(where).splitlines() if not any(words in line for words in known)]


def start_with_few_files(where: House, files: int) -> psutil.Process:
    """A node whose soft and hard limit of open files are these."""
    args = [ROTA, "node", "--http-port", str(where.port), "--data", str(where.folder / "data"), "--json"]
    args += ["--grpc-port", "0"]
    where.node = where._run(["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *args], "node.log", None)
    where.node.line()
    return psutil.Process(where.node.pid)


async def eventually_answers(where: House) -> None:
    async with asyncio.timeout(20), AsyncClient(where.url) as client:
        assert await client.execute("add", {"a": 20, "b": 1}, wait_timeout=20) == 21


async def until_logged(where: House, words: str) -> None:
    async with asyncio.timeout(20):
        while words not in log_of(where):
            await asyncio.sleep(0.05)
