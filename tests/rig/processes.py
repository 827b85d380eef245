"""Real nodes and workers as processes of the test's own, on free ports, over temporary folders."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROTA = str(Path(sys.executable).parent / "rota")
RIG = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Process:
    """A child whose output is kept. `kill` is kill -9; nothing but this child is ever signalled."""

    def __init__(self, args: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.args, self.log = args, log
        path = os.pathsep.join([str(RIG), *filter(None, [os.environ.get("PYTHONPATH")])])
        # Nodes that run side by side would meet at one port; who tests the gRPC door asks for it.
        self.env = {"ROTA_GRPC": "off", **os.environ, "PYTHONPATH": path, **(env or {})}
        self.child: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._news = threading.Condition()

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.args, stdout=subprocess.PIPE, stderr=log, env=self.env, text=True, cwd=self.log.parent
            )
        self._lines = []
        threading.Thread(target=self._read, args=(self.child.stdout,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._lines.append("")
            self._news.notify_all()

    def line(self, timeout: float = 20.0) -> str:
        """Its first line of output. Fails with its log where it ended without one."""
        with self._news:
            heard = self._news.wait_for(lambda: self._lines, timeout)
            if not heard or not self._lines[0]:
                raise AssertionError(f"{self.args[:3]} said nothing; its log:\n{self.log.read_text()[-3000:]}")
            return self._lines[0]

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def signal(self, number: int) -> None:
        assert self.child is not None
        self.child.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout: float = 40.0) -> int:
        assert self.child is not None
        return self.child.wait(timeout)

    def stop(self) -> None:
        """However the test went: gone, and reaped."""
        if self.child is None or self.child.poll() is not None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(10)
            return
        self.kill()


class House:
    """A node and its workers. `url` stays the same over restarts of the node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: list[Process] = []
        self.node: Process | None = None

    def start_node(self, *flags: str, env: dict[str, str] | None = None) -> Process:
        args = [ROTA, "node", "--http-port", str(self.port), "--data", str(self.folder / "data"), "--json", *flags]
        if "--grpc-port" not in flags:
            args += ["--grpc-port", "0"]
        self.node = self._run(args, "node.log", env)
        ready = json.loads(self.node.line())
        assert ready["http_url"] == self.url, ready
        return self.node

    def start_worker(self, *flags: str, app: str = "handlers:app", env: dict[str, str] | None = None) -> Process:
        number = len(self.processes)
        args = [ROTA, "worker", app, *(() if "--url" in flags else ("--url", self.url)), *flags]
        return self._run(
            args, f"worker-{number}.log", {"ROTA_TEST_RUNS": str(self.folder / "runs.jsonl"), **(env or {})}
        )

    def _run(self, args: list[str], log: str, env: dict[str, str] | None) -> Process:
        process = Process(args, self.folder / log, env)
        process.start()
        self.processes.append(process)
        return process

    def runs(self) -> list[dict]:
        """What the handlers wrote of themselves: one object a line, {task, attempt, event, at, …}."""
        file = self.folder / "runs.jsonl"
        if not file.exists():
            return []
        whole, _, _ = file.read_text().rpartition("\n")  # what is read while it is written may end within a line
        return [json.loads(line) for line in whole.splitlines()]

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()


@contextlib.contextmanager
def house(folder: Path) -> Iterator[House]:
    made = House(folder)
    try:
        yield made
    finally:
        made.stop()
