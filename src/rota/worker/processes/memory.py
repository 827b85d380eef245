"""How much memory a process has, as the machine counts it: resident, shared pages included."""

from __future__ import annotations

import os
import sys

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(pid: int | str = "self") -> int:
    """Bytes; 0 for a process that is gone."""
    if not sys.platform.startswith("linux"):
        return _asked(pid)
    try:
        fd = os.open(f"/proc/{pid}/statm", os.O_RDONLY)
    except OSError:
        return 0
    try:
        return int(os.read(fd, 128).split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
    finally:
        os.close(fd)


def _asked(pid: int | str) -> int:
    import psutil

    try:
        return int(psutil.Process(None if pid == "self" else int(pid)).memory_info().rss)
    except psutil.Error:
        return 0
