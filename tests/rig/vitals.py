"""What the kernel knows of a process: memory, descriptors, threads, processor time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Vitals:
    rss_mb: float
    """Of memory of its own (anonymous): pages of files that the kernel may drop at any time are not counted."""
    descriptors: int
    threads: int
    cpu_s: float


def vitals(pid: int) -> Vitals:
    """Of a process that lives. Raises FileNotFoundError for one that is gone."""
    proc = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    return Vitals(
        rss_mb=int(status["RssAnon"].split()[0]) / 1024,
        descriptors=len(os.listdir(proc / "fd")),
        threads=int(status["Threads"]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICK,
    )


def size_mb(file: Path) -> float:
    try:
        return file.stat().st_size / MIB
    except FileNotFoundError:
        return 0.0


class Cost:
    """What a process spends while one looks."""

    def __init__(self, pid: int) -> None:
        self._pid, self._spent, self._began = pid, vitals(pid).cpu_s, time.monotonic()

    @property
    def share(self) -> float:
        """Of one core, since the beginning."""
        return (vitals(self._pid).cpu_s - self._spent) / (time.monotonic() - self._began)
