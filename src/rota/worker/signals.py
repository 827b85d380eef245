"""Signals heard on a thread of their own, whatever the main thread is doing.

A plain signal handler runs in the main thread between two bytecodes: never, while an async handler blocks there in one
long call. But Python writes each signal's number to a file descriptor first, in whatever thread the kernel picked; that
is what is read here.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

ENDING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """`act(number)` is called in the reading thread. Used in the main thread; elsewhere it does nothing."""

    def __init__(self, act: Callable[[int], None]) -> None:
        self._act = act
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)

    def begin(self) -> None:
        """Inside the running loop, since loops set a descriptor of their own when they begin to run."""
        if threading.current_thread() is not threading.main_thread():
            return
        threading.Thread(target=self._listen, name="rota-signals", daemon=True).start()
        self._wakeup_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _heard) for number in ENDING}
        if hasattr(signal, "SIGHUP"):  # a closed terminal is no reason to stop
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def pause(self) -> None:
        """Inside the loop still: gives it back its descriptor."""
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)

    def end(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        self._write.close()

    def _listen(self) -> None:
        with self._read:
            while numbers := self._read.recv(64):
                for number in numbers:
                    if number in ENDING:
                        self._act(number)


def _heard(number: int, frame: FrameType | None) -> None:
    """There, so that the signal does not do what it does by default."""
