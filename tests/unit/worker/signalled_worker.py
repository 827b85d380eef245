"""A program: a worker at a scripted node, with one task in hand. `test_signals.py` sends it signals."""

import asyncio
import sys
import threading
import time
from typing import Any

from scripted_node import ScriptedNode

from rota.worker.runtime import Worker

node = ScriptedNode()
worker = Worker("local:", dial=node.dial, slots=1, shutdown_grace=float(sys.argv[2]))


async def wait(value: Any) -> str:
    await asyncio.sleep(value)
    return "waited"


async def block(value: Any) -> None:
    time.sleep(value)


def deaf(value: Any) -> None:
    threading.Event().wait(value)


def script() -> None:
    node.wait_until(lambda: node.seen("register"))
    node.give(1, sys.argv[1], sys.argv[3].encode())
    node.give(2, sys.argv[1], b"0")
    node.wait_until(lambda: node.seen("started"))
    print("started", flush=True)
    node.wait_until(lambda: node.seen("goodbye"))
    print("results", sorted(node.results()), "released", sorted(node.released()), flush=True)


for name, fn in (("wait", wait), ("block", block), ("deaf", deaf)):
    worker.register_method(name, fn)
threading.Thread(target=script, daemon=True).start()
sys.exit(worker.run())
