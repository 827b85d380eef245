"""Rota's demo: count the words of Python's standard library, one task for each file, and check the sum.

    make demo          or          .venv/bin/python examples/stdlib_words/demo.py

It starts a node on a free port, with its data in a temporary directory, and two worker processes. Then it submits a task
for each .py file, shows how the results come back, and counts the same files once more by itself, in one process. Both
counts have to be equal, word by word; otherwise it ends with exit code 1. Everything it started is stopped at the end, and
the directory removed, after Ctrl-C as well.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from processes import DemoError, node, worker
from rich.console import Console
from rich.progress import Progress
from words import count, count_words

from rota import App, Client, RotaError

HERE = Path(__file__).parent
WORKERS = ("worker-1", "worker-2")
IN_FLIGHT = 64
"""Tasks whose results are awaited at one time: enough to keep two workers busy, few enough that latency says something."""
TASK_SECONDS = 120.0
console = Console()


@dataclass
class Tally:
    """What came back."""

    words: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """From each submit to its result."""
    took: float = 0.0


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with ExitStack() as stack:
            return run(stack)
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    except (DemoError, RotaError) as error:
        console.print(f"demo: {error}", style="bold red", markup=False)
        return 1


def run(stack: ExitStack) -> int:
    files = standard_library()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rota-demo-")))
    url = stack.enter_context(node(folder))
    for name in WORKERS:
        stack.enter_context(worker(name, url, "words:app", HERE, folder))
    console.print(f"node {url}, workers {', '.join(WORKERS)}; {len(files):,} files, one task each")
    client = stack.enter_context(Client(url))
    await_workers(client)
    tally = asyncio.run(submit_all(url, files))
    show(tally, len(files))
    show_shares(client)
    return check(tally, files)


def standard_library() -> list[str]:
    """The .py files of Python's standard library, subpackages and tests too, without what was installed beside it."""
    root = Path(sysconfig.get_path("stdlib")).resolve()
    installed = {"site-packages", "dist-packages"}
    files = sorted(str(path) for path in root.rglob("*.py") if not installed.intersection(path.parts) and path.is_file())
    if not files:
        raise DemoError(f"there are no .py files in {root}")
    return files
