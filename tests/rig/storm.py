"""A process with many submitters at once. Writes what each asked and was told; ends when the stop file appears.

storm.py URL OUT STOP [SUBMITTERS] [PAUSE] [METHOD] [WORK]

PAUSE is what a submitter waits between two tasks, WORK what each task takes; seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from rota import AsyncClient
from rota.model.errors import RotaError


async def submitter(
    client: AsyncClient, name: str, out: object, stop: Path, pause: float, method: str, work: float
) -> None:
    number = 0
    more = {"pause": work} if work else {}
    while not stop.exists():
        number += 1
        key = f"{name}-{number}"
        _write(out, {"key": key, "phase": "invoke"})
        try:
            receipt = await client.submit(method, {"key": key, **more}, labels={"key": key})
        except RotaError as error:
            _write(out, {"key": key, "phase": "info", "code": error.code})
        else:
            _write(out, {"key": key, "phase": "ok", "id": receipt.id})
        await asyncio.sleep(pause)


def _write(out: object, entry: dict[str, str]) -> None:
    out.write(json.dumps(entry) + "\n")
    out.flush()


async def main(
    url: str, out: str, stop: str, submitters: int = 16, pause: float = 0.04, method: str = "mark", work: float = 0.0
) -> None:
    client = AsyncClient(url, connect_timeout=60)
    with open(out, "a") as file:
        names = [f"s{n}" for n in range(submitters)]
        await asyncio.gather(*(submitter(client, name, file, Path(stop), pause, method, work) for name in names))
    await client.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(
        main(*arguments[:3], *(kind(a) for kind, a in zip((int, float, str, float), arguments[3:], strict=False)))
    )
