"""The programs and limits of this machine."""

from __future__ import annotations

import platform
import sqlite3

from rota import __version__
from rota.cli.doctor.finding import Finding

_SQLITE_MENDED = (3, 51, 3)
_FEW_FILES = 4_096


def machine_findings() -> list[Finding]:
    """Python, Rota, SQLite and the limit of open files."""
    return [_python(), Finding("rota", "ok", __version__), _sqlite(sqlite3.sqlite_version_info), _open_files()]


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} ({platform.system()} {platform.machine()})")


def _sqlite(version: tuple[int, int, int]) -> Finding:
    words = ".".join(map(str, version))
    if version >= _SQLITE_MENDED:
        return Finding("sqlite", "ok", words)
    return Finding(
        "sqlite",
        "warn",
        f"{words}: before 3.51.3 two connections that write or checkpoint at once can corrupt a WAL file",
        "a node is safe, since it writes by one connection only; let no other program open rota.db while it runs",
    )


def _open_files() -> Finding:
    try:
        import resource
    except ImportError:
        return Finding("open files", "ok", "this system sets no limit that can be read")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= _FEW_FILES:
        return Finding("open files", "ok", "no limit" if hard == resource.RLIM_INFINITY else f"up to {hard} for a node")
    return Finding(
        "open files",
        "warn",
        f"up to {hard} for a node, which lifts its soft limit to the hard one: each worker and client needs one there",
        f"raise it: ulimit -Hn {_FEW_FILES}, or LimitNOFILE= in the service",
    )
