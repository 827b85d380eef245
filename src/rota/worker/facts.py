"""What a worker says of itself, and of the load of its machine."""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from rota.client.connection import SDK
from rota.model.worker import Facts, Load


def gather(
    *,
    name: str | None,
    application: str | None,
    groups: Sequence[str],
    slots: int,
    weight: int,
    labels: Mapping[str, str],
    url: str,
) -> Facts:
    """Facts with an id made new, so that a restarted worker is another one."""
    import psutil  # a third of the worker's import time, and needed only once it runs

    host = socket.gethostname()
    return Facts(
        id=str(uuid.uuid4()),
        name=name or f"{host}-{os.getpid()}",
        application=application or "",
        host=host,
        ip=_own_address(url),
        pid=os.getpid(),
        os=platform.platform(terse=True),
        language=f"python {platform.python_version()}",
        sdk=SDK,
        cpu_count=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        weight=weight,
        labels=tuple(sorted(labels.items())),
        groups=tuple(groups),
        slots=slots,
    )


def _own_address(url: str) -> str:
    """The address that packets to the node leave from; nothing is sent to find it."""
    parts = urlsplit(url)
    if not parts.hostname:
        return "127.0.0.1"
    try:
        kind, _, _, _, address = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return ""


class LoadSampler:
    """Samples in a thread of its own, since a broken file system may block it for long. Rates are since the last one."""

    def __init__(self) -> None:
        self.latest = Load()
        self._thread: threading.Thread | None = None
        self._network: tuple[float, int, int] | None = None

    def refresh(self) -> None:
        """Begins a new sample, unless one is still under way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._sample, name="rota-load", daemon=True)
            self._thread.start()

    def _sample(self) -> None:
        import psutil

        try:
            disk, memory = psutil.disk_usage(os.getcwd()), psutil.virtual_memory()
            incoming, outgoing = self._rates(psutil.net_io_counters())
            cpu = psutil.cpu_percent(None) / 100.0
        except (OSError, RuntimeError, psutil.Error):
            return  # a figure that this machine does not give is no reason to stop
        self.latest = Load(cpu, memory.total - memory.available, incoming, outgoing, disk.used, disk.total)

    def _rates(self, counters: object) -> tuple[float, float]:
        received, sent = getattr(counters, "bytes_recv", 0), getattr(counters, "bytes_sent", 0)
        before, self._network = self._network, (time.monotonic(), received, sent)
        if before is None:
            return 0.0, 0.0
        elapsed = max(self._network[0] - before[0], 1e-3)
        return max(0, received - before[1]) / elapsed, max(0, sent - before[2]) / elapsed
