"""The handlers of `handlers`, in a process that gives them few threads: as many as the file ROTA_TEST_THREADS says."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from handlers import app

__all__ = ["app"]
_allowed = Path(os.environ["ROTA_TEST_THREADS"])
_start = threading.Thread.start


def start(thread: threading.Thread) -> None:
    if thread.name == "rota-handler":
        running = sum(each.name == "rota-handler" for each in threading.enumerate())
        if running >= int(_allowed.read_text()):
            raise RuntimeError("can't start new thread")
    _start(thread)


threading.Thread.start = start
