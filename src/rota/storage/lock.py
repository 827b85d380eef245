"""One process holds a store: a lock on a file beside it. And no store on a network file system, where locks lie."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from rota.model.errors import RefusesToStart
from rota.storage.trouble import refused

_NETWORK = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb2",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
        "glusterfs",
        "ncpfs",
        "davfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.davfs2",
        "fuse.s3fs",
        "fuse.rclone",
        "fuse.ceph",
    ]
)


class StoreLock:
    """The right to the store in a folder, held until `release` or the process ends."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._file: int | None = None

    def acquire(self) -> None:
        """Raises RefusesToStart (`store_locked`) with the pid of the holder."""
        path = self._store.parent / "lock"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise refused(error, self._store) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise RefusesToStart(
                f"the store {self._store} is held by the process {holder} ({path}): stop it, or use another folder",
                code="store_locked",
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def refuse_network(store: Path, mounts: str) -> None:
    """`mounts` is the system's table, as /proc/mounts has it. Raises RefusesToStart (`network_file_system`)."""
    folder = str(store.parent.resolve())
    points = [
        (fields[1].replace("\\040", " "), fields[2]) for line in mounts.splitlines() if len(fields := line.split()) > 2
    ]
    over = [(point, kind) for point, kind in points if folder == point or folder.startswith(point.rstrip("/") + "/")]
    point, kind = max(reversed(over), key=lambda mount: len(mount[0]), default=("", ""))
    if kind in _NETWORK:
        raise RefusesToStart(
            f"{store} is on a network file system ({kind} at {point}), where SQLite's locks are not safe:"
            " put the store on a local disk, or use a database server",
            code="network_file_system",
        )


def mounted() -> str:
    """The system's table of mounts; empty where there is none to read."""
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
