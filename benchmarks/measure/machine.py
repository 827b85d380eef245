"""What a result is printed with: the machine, the versions, and what one fsync costs here."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure.environments import ROOT
from benchmarks.measure.stores import redis_server

FSYNCS = 400


def portrait(folder: Path) -> dict[str, Any]:
    """`folder` is where the stores' files will be."""
    p50, p99 = fsync_baseline(folder)
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "redis_server": _redis_version(),
        "git": _git_hash(),
        "load": os.getloadavg()[0],
        "file_system": _file_system(folder),
        "fdatasync_p50_ms": p50,
        "fdatasync_p99_ms": p99,
    }


def warnings(machine: Mapping[str, Any]) -> Iterator[str]:
    """What makes the figures of such a machine worth little."""
    if machine["file_system"] in ("tmpfs", "ramfs"):
        yield f"the files are in memory ({machine['file_system']}): an fsync costs nothing, so durable rows mean nothing"
    if machine["load"] > machine["cores"] / 4:
        yield f"others work on this machine (load {machine['load']:.1f} on {machine['cores']} cores): wait until it is quiet"


def fsync_baseline(folder: Path) -> tuple[float, float]:
    """Milliseconds that writing the same 4 KiB again and its fdatasync take: p50 and p99."""
    took: list[float] = []
    path = folder / "fsync"
    with path.open("wb") as file:
        for _ in range(FSYNCS):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    path.unlink()
    return statistics.median(took), sorted(took)[int(FSYNCS * 0.99)]


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _redis_version() -> str:
    server = redis_server()
    said = _said([server, "--version"]) if server else ""
    return next((word[2:] for word in said.split() if word.startswith("v=")), "")


def _git_hash() -> str:
    found = _said(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    changed = _said(["git", "-C", str(ROOT), "status", "--porcelain", "--", "src", "benchmarks"])
    return f"{found} and uncommitted changes" if found and changed else found


def _file_system(folder: Path) -> str:
    return _said(["stat", "--file-system", "--format=%T", str(folder)])


def _said(command: Sequence[str]) -> str:
    """Empty where there is no such program, or it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
