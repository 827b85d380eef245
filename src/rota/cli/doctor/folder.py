"""The data folder: whether a node can keep its tasks there, and how fast."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from rota.cli import human
from rota.cli.doctor.finding import Finding
from rota.config import NodeSettings
from rota.model.errors import RefusesToStart

_WRITES = 100
_SLOW, _BLOCK = 10_000, b"\0" * 4096
_LITTLE, _TOO_LITTLE = 1024**3, 100 * 1024**2


def folder_findings(settings: NodeSettings) -> list[Finding]:
    """Place, room, file system, speed of fsync, durability."""
    if settings.store_path is None:
        return [Finding("store", "warn", "memory: tasks are lost when the node ends", "leave --store out to keep them")]
    folder = settings.store_path.parent
    place = _nearest(folder)
    writable = os.access(place, os.W_OK | os.X_OK)
    findings = [_place(folder, place, writable), _room(place), _file_system(settings.store_path)]
    if writable:
        findings.append(_speed(place))
    findings.append(_durability(settings))
    return findings


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(p for p in (folder, *folder.parents) if p.is_dir())


def _place(folder: Path, place: Path, writable: bool) -> Finding:
    if not writable:
        return Finding("data", "bad", f"{folder}: {place} cannot be written", "name another by --data or ROTA_DATA")
    if folder != place:
        return Finding("data", "ok", f"{folder} is not there yet; the first start makes it")
    if _open_to_others(folder):
        return Finding("data", "warn", f"{folder} can be written by every user", f"chmod o-w {folder}")
    return Finding("data", "ok", f"{folder} can be written")


def _open_to_others(folder: Path) -> bool:
    return bool(folder.stat().st_mode & 0o002)


def _room(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    words = f"{human.size(free)} free"
    if free >= _LITTLE:
        return Finding("room", "ok", words)
    level = "bad" if free < _TOO_LITTLE else "warn"
    return Finding("room", level, words, "free some: a node whose disk is full refuses tasks (store_full)")


def _file_system(store: Path) -> Finding:
    from rota.storage.lock import mounted, refuse_network

    try:
        refuse_network(store, mounted())
    except RefusesToStart as error:
        return Finding("file system", "bad", error.detail, "name a folder on a local disk by --data")
    return Finding("file system", "ok", "local")


def _speed(place: Path) -> Finding:
    times = sync_times(place)
    median, worst = times[len(times) // 2], times[-1]
    words = f"p50 {human.span(median / 1e6)}, slowest {human.span(worst / 1e6)}, of {_WRITES} writes of 4 KiB"
    if median <= _SLOW:
        return Finding("fsync", "ok", words)
    advice = "each answer waits for one: use a faster disk, or --durability relaxed if the last moments may be lost"
    return Finding("fsync", "warn", words, advice)


def sync_times(place: Path) -> list[int]:
    """Microseconds of each write with its sync, sorted."""
    sync = getattr(os, "fdatasync", os.fsync)
    times: list[int] = []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(_WRITES):
            start = time.perf_counter_ns()
            os.write(file.fileno(), _BLOCK)
            sync(file.fileno())
            times.append((time.perf_counter_ns() - start) // 1000)
    return sorted(times)


def _durability(settings: NodeSettings) -> Finding:
    if settings.durability == "full":
        return Finding("durability", "ok", "full: WAL, synchronous=FULL; an accepted task survives a power cut")
    says = "relaxed: WAL, synchronous=NORMAL; a power cut may take the last moments' tasks"
    return Finding("durability", "warn", says, "--durability full keeps every accepted task")
