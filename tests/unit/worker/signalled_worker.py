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


begun = threading.Event()


async def wait(value: Any) -> str:
    begun.set()
    await asyncio.sleep(value)
    return "waited"


async def block(value: Any) -> None:
    begun.set()
    time.sleep(value)


def deaf(value: Any) -> None:
    begun.set()
    threading.Event().wait(value)


def script() -> None:
    node.wait_until(lambda: node.seen("register"))
    node.give(1, sys.argv[1], sys.argv[3].encode())
    node.give(2, sys.argv[1], b"0")
    begun.wait()
    print("started", flush=True)
    node.wait_until(lambda: node.seen("goodbye"))
    print("results", sorted(node.results()), "released", sorted(node.released()), flush=True)


for name, fn in (("wait", wait), ("block", block), ("deaf", deaf)):
    worker.register_method(name, fn)
scripted = threading.Thread(target=script, daemon=True)
scripted.start()
code = worker.run()
scripted.join()
sys.exit(code)
