"""The processes of the demo: a node and its workers, started here and stopped here, whatever happens in between."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROTA = Path(sys.executable).with_name("rota")
START_SECONDS, STOP_SECONDS = 30.0, 15.0


class DemoError(Exception):
    """Something did not go as it should; the sentence says what."""


@contextmanager
def node(folder: Path) -> Iterator[str]:
    """A node with its data in `folder`, on a free port of loopback; its address."""
    url = f"http://127.0.0.1:{_free_port()}"
    port = url.rpartition(":")[2]
    with _process("node", folder, "node", "--data", str(folder / "data"), "--http-port", port) as process:
        _await_ready(url, process, folder / "node.log")
        yield url


@contextmanager
def worker(name: str, url: str, app: str, code: Path, folder: Path) -> Iterator[None]:
    """A worker of that name, for the handlers of `app` (module:app) in the folder `code`."""
    with _process(name, folder, "worker", app, "--name", name, "--url", url, "--slots", "8", cwd=code):
        yield


@contextmanager
def _process(name: str, folder: Path, *arguments: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
        # A session of its own: Ctrl-C in the terminal reaches the demo alone, which then stops its processes in order.
        process = subprocess.Popen(
            [str(ROTA), *arguments], stdout=log, stderr=log, cwd=cwd, env=_environment(), start_new_session=True
        )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _ready(url):
        if process.poll() is not None:
            raise DemoError(f"the node ended with exit code {process.returncode}:\n{log.read_text(errors='replace')}")
        if time.monotonic() > deadline:
            raise DemoError(f"the node was not ready after {START_SECONDS:.0f} s:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _environment() -> dict[str, str]:
    """Settings of the user's own must not lead the demo elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
