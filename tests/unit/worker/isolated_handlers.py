"""Handlers that child processes import."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rota.worker.context import Cancel, Context, Retry, Stopped, current

_kept: list[bytearray] = []


def double(value: int) -> int:
    return value * 2


async def double_later(value: int) -> int:
    await asyncio.sleep(0.001)
    return value * 2


def process_id(value: Any) -> int:
    return os.getpid()


def facts(ctx: Context, value: Any) -> dict[str, Any]:
    return {
        "task": ctx.task_id,
        "attempt": ctx.attempt,
        "method": ctx.method,
        "group": ctx.group,
        "labels": dict(ctx.labels),
        "after": list(ctx.after),
        "batch": ctx.batch,
        "failures": ctx.failures,
        "retries": ctx.retries,
        "left": (ctx.deadline.timestamp() - time.time()) if ctx.deadline else None,
        "same": current().attempt == ctx.attempt,
    }


def raises(value: Any) -> None:
    raise ValueError(f"no {value}")


def asks_again(value: Any) -> None:
    raise Retry(after=7)


def gives_up(value: Any) -> None:
    raise Cancel("not needed")


def writes(ctx: Context, value: Any) -> None:
    logging.getLogger("shop").info("from logging")
    logging.getLogger("shop").debug("too fine")
    ctx.log.info("from ctx")
    ctx.progress(0.5, "half way")

    def beside() -> None:
        ctx.log.info("from a thread")

    thread = threading.Thread(target=beside)
    thread.start()
    thread.join()


def unwritable(value: Any) -> Any:
    return object()


def large(count: int) -> str:
    return "x" * count


def length(value: str) -> int:
    return len(value)


def exits(code: int) -> None:
    os._exit(code)


def segfaults(value: Any) -> None:
    ctypes.string_at(0)


def waits(ctx: Context, path: str) -> str:
    """Touches a file, and waits until another is there."""
    Path(path).touch()
    while not Path(path + ".go").exists():
        time.sleep(0.005)
    return "done"


def sleeps(ctx: Context, path: str) -> None:
    Path(path).touch()
    try:
        time.sleep(120)
    except Stopped:
        Path(path).write_text(f"cleaned up, cancelled {ctx.cancelled}")
        raise


async def sleeps_async(path: str) -> None:
    Path(path).touch()
    try:
        await asyncio.sleep(120)
    except asyncio.CancelledError:
        Path(path).write_text("cleaned up")
        raise


def spins(path: str) -> None:
    """Will not hear of it."""
    Path(path).touch()
    while True:
        with contextlib.suppress(BaseException):
            while True:
                pass


def holds_the_interpreter(path: str) -> None:
    """One call into C that never lets go of the GIL."""
    Path(path).touch()
    ctypes.PyDLL(None).sleep(120)


def takes(mib: int) -> int:
    """Memory that it keeps."""
    _kept.append(bytearray(os.urandom(1024) * 1024 * mib))
    return os.getpid()


def takes_and_stays(mib: int) -> None:
    _kept.append(bytearray(os.urandom(1024) * 1024 * mib))
    time.sleep(120)


def secrets(value: Any) -> list[str]:
    return sorted(name for name in os.environ if name.startswith("ROTA_"))


def starts_a_program(value: Any) -> str:
    """A program of a handler's own gets the signals as any program does."""
    code = "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


class Counter:
    """Counts its own calls, and notes its life in a file."""

    isolation = "process"
    name = "counter"

    def __init__(self, start: int = 0) -> None:
        self.count = start

    def setup(self) -> None:
        note("setup")

    def teardown(self) -> None:
        note("teardown")

    def execute(self, ctx: Context, params: Any) -> int:
        self.count += 1
        return self.count


def naps(ctx: Context, milliseconds: int) -> int:
    """Notes that it has begun."""
    note(ctx.task_id)
    time.sleep(milliseconds / 1000)
    return milliseconds


def leaves_a_program(path: str) -> None:
    """Starts a program that outlives it, and crashes."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    Path(path).write_text(str(program.pid))
    os._exit(1)


def note(text: str) -> None:
    """One line in one write, which is not mixed with others'."""
    fd = os.open(os.environ["TEST_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{text}\n".encode())
    os.close(fd)
