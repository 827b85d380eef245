"""Handlers that crash, leak, hang and hog. Where they run is the worker's choice."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import time
from pathlib import Path

from handlers import note

from rota import App, Context

app = App()
_kept: list[bytes] = []
_libc = ctypes.CDLL(None)
_greedy_libc = ctypes.PyDLL(None)
"""Its calls do not let go of the interpreter."""


@app.task
def quick(ctx: Context, n: int) -> int:
    note(ctx, "begin")
    return n


@app.task
def crash(ctx: Context, how: str) -> None:
    """Takes its process with it."""
    note(ctx, "begin")
    if how == "exit":
        os._exit(9)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    while True:  # "memory"
        _kept.append(os.urandom(1 << 20))
        time.sleep(0.001)


@app.task
def leak(ctx: Context, mib: int) -> int:
    _kept.append(os.urandom(mib << 20))
    return os.getpid()


@app.task
def sleeps(ctx: Context, seconds: float) -> str:
    """Blocks in C, and lets the interpreter go. No exception can reach it."""
    note(ctx, "begin")
    _libc.usleep(int(seconds * 1e6))
    return f"slept through attempt {ctx.attempt}"


@app.task
def spins(ctx: Context) -> None:
    """A loop in Python."""
    note(ctx, "begin")
    while True:
        pass


@app.task
def hogs(ctx: Context, seconds: int) -> str:
    """One call into C that holds the interpreter."""
    note(ctx, "begin")
    _greedy_libc.sleep(seconds)
    return "had it all to itself"


@app.task
def backtracks(ctx: Context) -> None:
    """The same by a pattern that goes wrong: for longer than anybody waits."""
    note(ctx, "begin")
    re.match(r"(a+)+$", "a" * 64 + "!")


@app.task
async def blocks_the_loop(ctx: Context, seconds: float) -> str:
    note(ctx, "begin")
    time.sleep(seconds)  # which is what it is here to do
    return "the loop is free again"


@app.task
def waits_for(ctx: Context, path: str) -> None:
    note(ctx, "begin", pid=os.getpid())
    while not Path(path).exists():
        time.sleep(0.005)
