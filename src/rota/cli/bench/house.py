"""The processes of a bench: a worker, and a node where none runs yet, with what they write in a temporary folder."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from rota.cli import child
from rota.cli.bench.plan import Plan
from rota.cli.output import Output
from rota.model.errors import RotaError

T = TypeVar("T")
HANDLERS = "rota.cli.bench.handlers:app"
_LOOK_EVERY = 0.25
_MOST_KEPT = 1_000_000_000
"""What `keep_succeeded` may be."""
_LAST_LINES = 10


class House:
    """Made by `house`. `urls` are those of the node."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder, self.urls = plan, folder, plan.url
        self.node: child.Process | None = None
        self.worker: child.Process | None = None
        self.node_ready: float | None = None
        """Seconds from the start of the node until it answers."""

    def start_node(self) -> None:
        """Waits until it answers. Raises RotaError with what it said where it ends instead."""
        words = (
            "--http-port",
            "0",
            "--grpc",
            "off",
            "--data",
            str(self.folder / "data"),
            "--durability",
            self.plan.durability or "full",
        )
        kept = ("--keep-succeeded", str(min(2 * self.plan.all_tasks, _MOST_KEPT)))
        began = time.perf_counter()
        with child.in_one_piece():
            self.node = self._start("node", "node", "--json", *words, *kept, stdout=subprocess.PIPE)
        line = self.node.stdout.readline() if self.node.stdout is not None else ""
        if not line:
            self.node.wait()
            self.check()
        self.node_ready = time.perf_counter() - began
        self.urls = (json.loads(line)["http_url"],)

    def start_worker(self) -> None:
        """Does not wait."""
        words = [HANDLERS, "--url", ",".join(self.urls), "--slots", str(self.plan.slots), "--shutdown-grace", "2s"]
        if self.plan.isolation != "async":
            words += ["--isolation", self.plan.isolation]
        if self.plan.group:
            words += ["--group", self.plan.group]
        if self.plan.token_file is not None:
            words += ["--token-file", self.plan.token_file]
        with child.in_one_piece():
            self.worker = self._start("worker", "worker", "--json", *words, stdout=subprocess.DEVNULL)

    def check(self) -> None:
        """Raises RotaError where a process has ended by itself."""
        for name, process in (("node", self.node), ("worker", self.worker)):
            if process is not None and (code := process.poll()) is not None:
                raise RotaError(f"the {name} ended by itself, with {code}", code="bench_failed")

    def last_words(self) -> Iterator[str]:
        """What the processes wrote last; their logs go with the folder."""
        for name in ("node", "worker"):
            log = self.folder / f"{name}.log"
            if log.exists():
                yield from (f"{name}: {line}" for line in log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:])

    async def beside(self, work: Coroutine[Any, Any, T]) -> T:
        """Does some work while the processes live. Raises RotaError when one ends, and what the work raises."""
        doing = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait((doing,), timeout=_LOOK_EVERY))[0]:
                self.check()
            return doing.result()
        finally:
            doing.cancel()
            await asyncio.wait((doing,))

    def worker_memory(self) -> int:
        """Resident bytes of the worker and of the processes it has made."""
        import psutil

        if self.worker is None:
            return 0
        worker = psutil.Process(self.worker.pid)
        return sum(process.memory_info().rss for process in (worker, *worker.children(recursive=True)))

    def stop(self) -> None:
        """The worker first, while the node still takes what it gives back."""
        with child.undisturbed():
            for process in (self.worker, self.node):
                if process is not None:
                    child.stop(process)
                    if process.stdout is not None:
                        process.stdout.close()

    def _start(self, name: str, *words: str, stdout: int) -> child.Process:
        with (self.folder / f"{name}.log").open("w") as log:
            return child.start(*words, cwd=self.folder, env=self._environment(), stdout=stdout, stderr=log)

    def _environment(self) -> dict[str, str]:
        """A node of our own is as it comes, whatever is set for others; for one that runs the token may be in there."""
        return {k: v for k, v in os.environ.items() if self.plan.url or not k.startswith("ROTA_")}


@contextmanager
def house(plan: Plan, out: Output) -> Iterator[House]:
    """However it ends, the processes are gone, and the folder with them. Where it fails, what they said is passed on."""
    with TemporaryDirectory(prefix="rota-bench-") as folder, child.told_to_stop():
        made = House(plan, Path(folder))
        try:
            yield made
        except RotaError:
            for line in made.last_words():
                out.note(line)
            raise
        finally:
            made.stop()
