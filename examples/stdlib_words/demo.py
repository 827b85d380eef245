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
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from processes import START_SECONDS, Child, DemoError, node, worker
from progress import shown
from rich.console import Console
from words import count

from rota import AsyncClient, RotaError

WORKERS = ("worker-1", "worker-2")
IN_FLIGHT = 64
"""Tasks whose results are awaited at a time: enough to keep two workers busy, few enough that latency says something."""
TASK_SECONDS = 120.0
console = Console(soft_wrap=True, highlight=False)


@dataclass
class Tally:
    """What came back."""

    words: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    """Seconds from each submit to its result."""
    seconds: float = 0.0
    shares: dict[str, int] = field(default_factory=dict)
    """Tasks finished by each worker."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with ExitStack() as stack:
            return demo(stack)
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    except (DemoError, RotaError) as error:
        console.print(f"demo: {error}", style="bold red", markup=False)
        return 1


def demo(stack: ExitStack) -> int:
    files = standard_library()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rota-demo-")))
    url = stack.enter_context(node(folder))
    here = Path(__file__).parent
    workers = [stack.enter_context(worker(name, url, "words:app", here, folder)) for name in WORKERS]
    console.print(f"a node at {url} and {len(workers)} workers; {len(files):,} files, one task each")
    tally = asyncio.run(run_tasks(url, workers, files))
    report(tally)
    return check(tally.words, files)


def standard_library() -> list[str]:
    """The .py files of Python's standard library, tests included, without what was installed beside it."""
    root = Path(sysconfig.get_path("stdlib")).resolve()
    installed = {"site-packages", "dist-packages"}
    files = sorted(str(path) for path in root.rglob("*.py") if path.is_file() and not installed & set(path.parts))
    if not files:
        raise DemoError(f"there is no .py file in {root}")
    return files


async def run_tasks(url: str, workers: Sequence[Child], files: Sequence[str]) -> Tally:
    tally = Tally()
    async with AsyncClient(url) as client:
        await all_there(client, workers)
        began = time.perf_counter()
        with shown(len(files), console) as advance:
            await submit_all(client, files, tally, advance)
        tally.seconds = time.perf_counter() - began
        tally.shares = {worker.name: worker.finished for worker in await client.workers()}
    return tally


async def all_there(client: AsyncClient, workers: Sequence[Child]) -> None:
    """So that the figures are of work, not of starting Python."""
    deadline = time.monotonic() + START_SECONDS
    while len(await client.workers()) < len(workers):
        for each in workers:
            each.check()
        if time.monotonic() > deadline:
            said = "\n".join(f"{each.name}: {each.said()}" for each in workers)
            raise DemoError(f"not all workers have come within {START_SECONDS:.0f} s; they said:\n{said}")
        await asyncio.sleep(0.05)


async def submit_all(client: AsyncClient, files: Sequence[str], tally: Tally, advance: Callable[[], None]) -> None:
    """Each of `IN_FLIGHT` lanes takes the next file, submits its task, and waits for the result."""
    queue = iter(files)

    async def lane() -> None:
        for path in queue:
            began = time.perf_counter()
            words = await client.execute("count_words", {"path": path}, wait_timeout=TASK_SECONDS)
            tally.latencies.append(time.perf_counter() - began)
            tally.words.update(words)
            advance()

    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))


def report(tally: Tally) -> None:
    latencies = sorted(tally.latencies)
    tasks = len(latencies)
    console.print("\nthe 20 words used most", style="bold")
    for word, times in tally.words.most_common(20):
        console.print(f"  {word:<12}{times:>9,}")
    console.print(
        f"\n{tasks:,} tasks in {tally.seconds:.2f} s: {tasks / tally.seconds:,.0f} tasks/s\n"
        f"submit to result, {IN_FLIGHT} in flight: p50 {quantile(latencies, 0.5):.1f} ms, "
        f"p99 {quantile(latencies, 0.99):.1f} ms",
    )
    for name, finished in sorted(tally.shares.items()):
        console.print(f"{name}: {finished:,} tasks, {finished / tasks:.0%}")


def quantile(seconds: Sequence[float], share: float) -> float:
    """In milliseconds; `seconds` is sorted."""
    return 1000 * seconds[min(len(seconds) - 1, int(share * len(seconds)))]


def check(words: Counter[str], files: Sequence[str]) -> int:
    """Counts once more, in this process alone."""
    began = time.perf_counter()
    expected: Counter[str] = Counter()
    for path in files:
        expected.update(count(path))
    seconds = time.perf_counter() - began
    if words == expected:
        console.print(
            f"\nthe same count in one process ({seconds:.2f} s): equal, "
            f"{expected.total():,} words, {len(expected):,} different ones",
            style="green",
        )
        return 0
    wrong = sorted(word for word in words.keys() | expected.keys() if words[word] != expected[word])
    some = ", ".join(f"{word} ({words[word]:,} for {expected[word]:,})" for word in wrong[:5])
    raise DemoError(f"the counts differ in {len(wrong):,} words: {some}")


if __name__ == "__main__":
    sys.exit(main())
