"""Processes of a row: started here, looked at from outside, and stopped here, whatever happens in between."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil

from benchmarks.measure.environments import ROOT

STOP_SECONDS = 5.0
ORDER_SECONDS = 240.0


class TrialFailed(Exception):
    """This repetition has no figures; the sentence says why."""


class Child:
    """A process and its offspring, in a session of their own: Ctrl-C reaches the runner alone, which then stops them."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=log if stdout is None else stdout,
                stderr=log,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        self._seen = psutil.Process(self.process.pid)

    def check(self) -> None:
        """Raises TrialFailed if it has ended, with what it said last."""
        code = self.process.poll()
        if code is not None:
            raise TrialFailed(f"{self.name} ended with exit code {code}: {self.said()}")

    def said(self) -> str:
        """The last lines of its log, without this machine's folders: they may be published."""
        lines = self._log.read_text("utf-8", errors="replace").replace(f"{ROOT}/", "").strip().splitlines()
        return " / ".join(line.strip(" ╭╮╰╯│─") for line in lines[-4:]) or "it said nothing"

    def cpu_seconds(self) -> float:
        """User and system time of the process and its offspring, those that have ended included."""
        return sum(sum(times[:4]) for times in self._each(lambda process: process.cpu_times()))

    def running_seconds(self) -> float:
        """As `cpu_seconds`, of the threads that live now, but to the nanosecond where the kernel tells it."""
        try:
            return sum(_scheduled_ns(process.pid) for process in self._family()) / 1e9
        except OSError:
            return self.cpu_seconds()

    def rss_mb(self) -> float:
        return sum(memory.rss for memory in self._each(lambda process: process.memory_info())) / 2**20

    def pss_mb(self) -> float:
        """As RSS, but a page that several processes share counts once in all."""
        return sum(memory.pss for memory in self._each(lambda process: process.memory_full_info())) / 2**20

    def _each(self, look: Callable[[psutil.Process], Any]) -> Iterator[Any]:
        for process in self._family():
            with contextlib.suppress(psutil.Error):
                yield look(process)

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._seen, *self._seen.children(recursive=True)]
        except psutil.Error:
            return []

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for what is left of its family."""
        family = self._family()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _scheduled_ns(pid: int) -> int:
    """Linux: the time on a CPU of each thread is the first number of its schedstat."""
    return sum(int(thread.read_text().split()[0]) for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"))


@contextlib.contextmanager
def running(child: Child) -> Iterator[Child]:
    try:
        yield child
    finally:
        child.stop()


class Driver(Child):
    """A row's client: takes one order at a time, and answers it."""

    def __init__(self, python: Path, module: str, client: str, environment: Mapping[str, str], folder: Path) -> None:
        command = [str(python), "-m", "benchmarks.driver", module, client]
        super().__init__("client", command, environment, folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.others: list[Child] = []
        """Processes without which no answer can come: when one ends, waiting ends."""

    def tell(self, verb: str, **order: Any) -> None:
        pipe = _pipe(self.process.stdin)
        with contextlib.suppress(BrokenPipeError):
            pipe.write(json.dumps({"verb": verb, **order}).encode() + b"\n")
            pipe.flush()

    def answer(self) -> dict[str, Any]:
        """Raises TrialFailed where the order failed, where nothing came in time, or a process ended."""
        pipe = _pipe(self.process.stdout)
        deadline = time.monotonic() + ORDER_SECONDS
        while not select.select([pipe], [], [], 0.2)[0]:
            for child in (self, *self.others):
                child.check()
            if time.monotonic() > deadline:
                raise TrialFailed(f"no answer within {ORDER_SECONDS:.0f} s")
        line = pipe.readline()
        if not line:
            self.process.wait(STOP_SECONDS)
            self.check()
        answer = json.loads(line)
        if "error" in answer:
            raise TrialFailed(answer["error"])
        return dict(answer)

    def order(self, verb: str, **order: Any) -> dict[str, Any]:
        self.tell(verb, **order)
        return self.answer()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def plain_environment() -> dict[str, str]:
    """Without settings of the user's own, which must not lead a row elsewhere, and without the runner's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROTA_", "BENCH_", "CELERY_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept
