"""Commands of `rota` that another command runs as processes of its own.

Each is in a session of its own, so that Ctrl-C reaches the one command alone, which stops them in order.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO

Process = subprocess.Popen[str]
GRACE = 10.0
"""Seconds a process may take to stop before it is killed."""


def start(
    *words: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[str] | None = None,
    stderr: int | IO[str] | None = None,
) -> Process:
    """`rota WORDS…`. Where nothing else is said it writes to our streams, has our folder and our environment."""
    command = [sys.executable, "-m", "rota.cli", *words]
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=stdout, stderr=stderr, text=True, start_new_session=True)


def ended_within(process: Process, seconds: float) -> int | None:
    """Its exit code, or None if it still runs after a while."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def stop(process: Process, grace: float = GRACE) -> int:
    """TERM, then KILL. May be called again."""
    if process.poll() is None:
        process.terminate()
        if ended_within(process, grace) is None:
            process.kill()
    return process.wait()


@contextlib.contextmanager
def told_to_stop() -> Iterator[None]:
    """TERM and a closed terminal stop everything as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _signals(_ENDING, interrupt):
        yield


@contextlib.contextmanager
def in_one_piece() -> Iterator[None]:
    """A signal that comes meanwhile acts at the end: a process that was started is also known, and can be stopped."""
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    with _signals((signal.SIGINT, *_ENDING), note):
        yield
    for number in heard:
        signal.raise_signal(number)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """While processes are stopped, a second Ctrl-C must not leave some of them behind."""
    with _signals((signal.SIGINT, *_ENDING), signal.SIG_IGN):
        yield


_ENDING = (signal.SIGTERM,) if sys.platform == "win32" else (signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def _signals(numbers: tuple[signal.Signals, ...], handler: signal._HANDLER) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
