"""The processes of the demo: a node and its workers, started here and stopped here, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROTA = Path(sys.executable).with_name("rota")
START_SECONDS, STOP_SECONDS = 30.0, 15.0


class DemoError(Exception):
    """Something did not go as it should; the sentence says what."""


@contextmanager
def node(folder: Path) -> Iterator[str]:
    """A node with its data in `folder`, on a free port of loopback; its address."""
    command = ("node", "--json", "--http-port", "0", "--data", str(folder / "data"))
    with _process("node", folder, command, stdout=subprocess.PIPE) as process:
        yield _address(process, folder / "node.log")


@contextmanager
def worker(name: str, url: str, app: str, code: Path, folder: Path) -> Iterator[None]:
    """A worker of that name, for the handlers of `app` (module:app) in the folder `code`."""
    with _process(name, folder, ("worker", app, "--name", name, "--url", url), cwd=code):
        yield


@contextmanager
def _process(
    name: str, folder: Path, command: Sequence[str], *, cwd: Path | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
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


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """What the node says in its first line, once it answers."""
    assert process.stdout is not None
    watchdog = threading.Timer(START_SECONDS, process.terminate)
    watchdog.start()
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    if not line:
        raise DemoError(f"the node did not start within {START_SECONDS:.0f} s; it said:\n{log.read_text(errors='replace')}")
    return str(json.loads(line)["http_url"])


def _environment() -> dict[str, str]:
    """Settings of the user's own must not lead the demo elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}

