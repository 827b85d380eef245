"""A child's end of the line to its worker.

The worker does not watch the line itself: it reads it when the bell rings, and every now and then. So a child that does
many small jobs wakes it once for all of them; and what was written is there for it even if the child dies before it rings.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections import deque

from rota.worker.processes.messages import ToChild, ToWorker, cut, read_to_child, write

READ = 256 * 1024


class WorkerGone(Exception):
    """Nobody is at the other end."""


class Channel:
    """`send` may be called from any thread; the rest is the main thread's."""

    def __init__(self, line: socket.socket, bell: int) -> None:
        self._line, self._bell = line, bell
        self._buffer = bytearray()
        self._come: deque[ToChild] = deque()
        self._hands = threading.Lock()
        self.unrung = False
        """Something was sent that the worker has not been woken for."""
        self.busy = False
        """A message is half written: a bad moment for the main thread to be interrupted."""

    def receive(self) -> ToChild:
        """Waits; rings first if it has to. Raises WorkerGone."""
        while not self._come:
            self._read(socket.MSG_DONTWAIT)
            if not self._come:
                self.ring()
                self._read(0)
        return self._come.popleft()

    def send(self, message: ToWorker) -> None:
        """Raises WorkerGone."""
        data = write(message)
        with self._hands:
            self.busy = self.unrung = True
            try:
                self._send(data)
            finally:
                self.busy = False

    def ring(self) -> None:
        """Wakes the worker, if there is something for it."""
        if self.unrung:
            self.unrung = False
            with contextlib.suppress(BlockingIOError, BrokenPipeError):  # full: it is ringing already
                os.write(self._bell, b"!")

    # --- inside

    def _send(self, data: bytes) -> None:
        try:
            sent = self._line.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise WorkerGone from error
        if sent < len(data):
            self._send_slowly(memoryview(data)[sent:])

    def _send_slowly(self, rest: memoryview) -> None:
        """The line is full: the worker is told, and waited for, as often as it takes."""
        room = select.poll()
        room.register(self._line, select.POLLOUT)
        while rest:
            self.unrung = True
            self.ring()
            room.poll()
            try:
                rest = rest[self._line.send(rest, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise WorkerGone from error

    def _read(self, flags: int) -> None:
        try:
            data = self._line.recv(READ, flags)
        except BlockingIOError:
            return
        except OSError as error:
            raise WorkerGone from error
        if not data:
            raise WorkerGone
        self._buffer += data
        self._come.extend(read_to_child(body) for body in cut(self._buffer))
