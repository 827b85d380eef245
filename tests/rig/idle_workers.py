"""Many workers in one process, which have nothing to do but to give their signs of life.

idle_workers.py URL COUNT STOP

Once all are registered it says `idle`. Each sends a heartbeat as often as the node asks for it, spread evenly. When the file
STOP is there it prints how many links had been opened in all, as JSON: more than COUNT where the node lost one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from raw_worker import RawWorker

from rota.wire.v1 import link_pb2 as pb

AT_ONCE = 50
"""Workers that come in together."""


async def give_signs_of_life(workers: list[RawWorker], every: float) -> None:
    """One heartbeat of each within every `every` seconds, one after another."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for worker in workers:
            due += every / len(workers)
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            worker.connection.send(pb.Frame(heartbeat=pb.Heartbeat()))


async def main(url: str, count: int, stop: Path) -> int:
    workers = [RawWorker(url) for _ in range(count)]
    for first in range(0, count, AT_ONCE):
        some = workers[first : first + AT_ONCE]
        await asyncio.gather(*(worker.start() for worker in some))
        await asyncio.gather(*(worker.register("nothing") for worker in some))
    welcome = workers[0].connection.welcome
    assert welcome is not None
    beating = asyncio.create_task(give_signs_of_life(workers, welcome.heartbeat / 1e6))
    print("idle", flush=True)
    while not stop.exists():
        await asyncio.sleep(0.1)
        if beating.done():
            beating.result()
    beating.cancel()
    return sum(worker.ups for worker in workers)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))), flush=True)
