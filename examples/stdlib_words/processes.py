"""The processes of the demo: a node and its workers, started here and stopped here, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROTA = Path(sys.executable).with_name("rota")
START_SECONDS, STOP_SECONDS = 30.0, 15.0


class DemoError(Exception):
    """Something did not go as it should; the sentence says what."""


@dataclass(frozen=True)
class Child:
    """A process that was started, and the file it writes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises DemoError if it has ended, with what it said."""
        if self.process.poll() is not None:
            raise DemoError(f"{self.name} ended with exit code {self.process.returncode}; it said:\n{self.said()}")

    def said(self) -> str:
        return self.log.read_text("utf-8", errors="replace").strip() or "(nothing)"

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def node(folder: Path) -> Iterator[str]:
    """A node with its data in `folder`, on a free port of loopback; its address."""
    command = ("node", "--json", "--http-port", "0", "--grpc", "off", "--data", str(folder / "data"))
    with _child("node", folder, command, stdout=subprocess.PIPE) as child:
        yield _address(child)


@contextmanager
def worker(name: str, url: str, app: str, code: Path, folder: Path) -> Iterator[Child]:
    """A worker of that name, for the handlers of `app` (module:app) in the folder `code`."""
    with _child(name, folder, ("worker", app, "--name", name, "--url", url), cwd=code) as child:
        yield child


@contextmanager
def _child(
    name: str, folder: Path, command: Sequence[str], *, cwd: Path | None = None, stdout: int | None = None
) -> Iterator[Child]:
    path = folder / f"{name}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [str(ROTA), *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout or log,
            stderr=log,
            cwd=cwd,
            env=_environment(),
            # Ctrl-C in the terminal reaches the demo alone, which then stops its processes in order.
            start_new_session=True,
        )
    child = Child(name, process, path)
    try:
        yield child
    finally:
        child.stop()


def _address(node: Child) -> str:
    """What the node says in its first line, once it answers."""
    assert node.process.stdout is not None
    too_long = threading.Timer(START_SECONDS, node.process.terminate)
    too_long.start()
    try:
        line = node.process.stdout.readline()
    finally:
        too_long.cancel()
    if not line:
        raise DemoError(f"the node did not start within {START_SECONDS:.0f} s; it said:\n{node.said()}")
    return str(json.loads(line)["http_url"])


def _environment() -> dict[str, str]:
    """Settings of the user's own must not lead the demo elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}
