"""Submits that come on time, one task each, however the node is doing: over HTTP or over the link.

open_loop.py URL DOOR RATE SECONDS

DOOR: `http` or `link`. Prints, as JSON, what each submit took from the instant it was due, by how much of that this process
itself was late, and what each task took from ready to its start; milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from rota import AsyncClient

METHOD = "noop"
WARM_UP = 1.0
"""Seconds of submits that are not measured."""
_PAGE = 500
_BODY = json.dumps({"method": METHOD}).encode()
_POST = (
    b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_BODY), _BODY)
)

Submit = Callable[[], Awaitable[str]]
"""One task; answers its id."""


class Lines:
    """Connections that stay open; as many as there are requests at once."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def submit(self) -> str:
        line = self._free.pop() if self._free else await asyncio.open_connection(self._host, self._port)
        reader, writer = line
        writer.write(_POST)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        if not head.startswith(b"http/1.1 202 "):
            raise RuntimeError(f"not accepted: {head!r} {body!r}")
        self._free.append(line)
        return json.loads(body)["id"]

    def close(self) -> None:
        for _, writer in self._free:
            writer.close()


@asynccontextmanager
async def way_in(client: AsyncClient, url: str, door: str) -> AsyncIterator[Submit]:
    if door == "link":

        async def submit() -> str:
            return (await client.submit(METHOD)).id

        yield submit
        return
    lines = Lines(url)
    yield lines.submit
    lines.close()


async def arrive(submit: Submit, rate: float, seconds: float) -> tuple[list[float], list[float], list[str]]:
    """Open loop: a submit has an instant at which it is due, and its time counts from there."""
    loop = asyncio.get_running_loop()
    took: list[float] = []
    late: list[float] = []
    ids: list[str] = []

    async def one(due: float) -> None:
        late.append((loop.time() - due) * 1e3)
        ids.append(await submit())
        took.append((loop.time() - due) * 1e3)

    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(due))
    return took, late, ids


async def ready_to_start(client: AsyncClient, ids: list[str]) -> list[float]:
    """They have ended, or end soon."""
    await client.gather(ids, timeout=60)
    took: list[float] = []
    for first in range(0, len(ids), _PAGE):
        for view in (await client.get_many(ids[first : first + _PAGE])).values():
            assert view.started_at is not None, view
            assert view.created_at is not None, view
            took.append((view.started_at - view.created_at).total_seconds() * 1e3)
    return took


async def main(url: str, door: str, rate: float, seconds: float) -> dict[str, list[float]]:
    async with AsyncClient(url, connect_timeout=60) as client, way_in(client, url, door) as submit:
        await arrive(submit, rate, WARM_UP)
        took, late, ids = await arrive(submit, rate, seconds)
        return {"submit": took, "late": late, "start": await ready_to_start(client, ids)}


if __name__ == "__main__":
    found = asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(found), flush=True)
