"""One child process, as its worker sees it: what it has in hand, what it says, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence

from rota.worker.processes.board import Board, new_page
from rota.worker.processes.environment import child_environment
from rota.worker.processes.messages import (
    End,
    Hello,
    Job,
    Offer,
    Origin,
    ToChild,
    ToWorker,
    Work,
    cut,
    read_to_worker,
    write,
)
from rota.worker.run import Run

_READ = 256 * 1024
_START = "import sys; sys.path[:] = {path!r}; from rota.worker.processes.child import main; main({line}, {bell}, {page}, {worker})"


class ChildProcess:
    """Lives in the link's loop. `rung(child)` is called when it has something to say, `died(child)` once it is dead.

    It is a program started anew, not a copy of this one: a copy of a process with threads may hang in a lock that
    nobody will release. It dies with the thread that started it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hello: Hello,
        rung: Callable[[ChildProcess], None],
        died: Callable[[ChildProcess], None],
    ) -> None:
        self._loop, self._rung, self._died = loop, rung, died
        self.runs: dict[int, Run] = {}
        """What it has not answered, by serial, in order."""
        self.ready = False
        self.leaving = False
        """It gets no more jobs, and ends once it has answered what it has."""
        self.told_to_end = False
        self.calling_back = False
        self.load = 0
        """Microseconds that what it has in hand will take, as far as that can be told."""
        self.given = 0
        self.last_used = loop.time()
        self.over_memory = 0
        """Bytes it had when it was stopped for it."""
        self._offered = 0
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._start(hello)
        self._send(hello)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> Run | None:
        """What it is doing, as far as it has not answered."""
        return self.runs.get(self.board.begun)

    @property
    def unbegun(self) -> bool:
        claimed = self.board.claimed
        return any(serial > claimed for serial in self.runs)

    # ---------------------------------------------------------------- what it is told

    def offer(self, origins: Sequence[Origin]) -> None:
        """Tells of those that it does not know; `origins` are all, and only grow."""
        if len(origins) > self._offered:
            self._send(Offer(list(origins[self._offered :])))
            self._offered = len(origins)

    def give(self, jobs: list[Job], max_payload: int) -> None:
        self._send(Work(max_payload, jobs))

    def interrupt(self, run: Run) -> None:
        """Raises Stopped in the handler, if it is still that run's."""
        self.board.why = int(run.stopping or 0)
        self.board.stopped = run.serial
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._popen.pid, signal.SIGUSR1)

    def end(self) -> None:
        """Lets it tear down and go."""
        self.leaving = self.told_to_end = True
        self._send(End())

    def kill(self) -> None:
        """With the programs that its handler has started."""
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    # ---------------------------------------------------------------- what it says

    def messages(self) -> list[ToWorker]:
        """All that it has said since the last time."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while data := self._line.recv(_READ):
                self._incoming += data
        return [read_to_worker(body) for body in cut(self._incoming)]

    def wait(self) -> int:
        """Its exit code, once it is dead; below 0: the signal that killed it. What it had started dies with it, unless
        it was told to end."""
        if not self.told_to_end:
            self.kill()  # before its number is free for others
        return self._popen.wait()

    def close(self) -> None:
        """Gives back what the dead one leaves behind."""
        if not self._loop.is_closed():
            for fd in (self._bell, *((self._end,) if self._end is not None else ())):
                self._loop.remove_reader(fd)
            self._loop.remove_writer(self._line.fileno())
        if self._end is not None:
            os.close(self._end)
        os.close(self._bell)
        self._line.close()
        self.board.close()

    # --- inside

    def _start(self, hello: Hello) -> None:
        page = new_page()
        here, there = socket.socketpair()
        self._bell, bell = os.pipe()
        try:
            start = _START.format(
                path=[part or os.getcwd() for part in sys.path],
                line=there.fileno(), bell=bell, page=page, worker=os.getpid(),
            )  # fmt: skip
            self._popen = subprocess.Popen(
                [sys.executable, "-c", start],
                stdin=subprocess.DEVNULL,
                env=child_environment(),
                pass_fds=(there.fileno(), bell, page),
                process_group=0,
            )
            self.board = Board(page)
        except BaseException:
            here.close()
            os.close(self._bell)
            raise
        finally:
            there.close()
            os.close(bell)
            os.close(page)
        self._line = here
        self._line.setblocking(False)
        os.set_blocking(self._bell, False)
        self._watch()

    def _watch(self) -> None:
        self._loop.add_reader(self._bell, self._heard)
        self._end: int | None = None
        with contextlib.suppress(AttributeError, OSError):
            self._end = os.pidfd_open(self._popen.pid)
            self._loop.add_reader(self._end, self._ended)

    def _heard(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if os.read(self._bell, 4096):
                self._rung(self)
                return
            self._loop.remove_reader(self._bell)  # its end is closed
            if self._end is None:
                self._ended()

    def _ended(self) -> None:
        self._died(self)

    def _send(self, message: ToChild) -> None:
        if self._outgoing:
            self._outgoing += write(message)
            return
        data = write(message)
        sent = self._push(data)
        if sent < len(data):
            self._outgoing += data[sent:]
            self._loop.add_writer(self._line.fileno(), self._push_on)

    def _push_on(self) -> None:
        sent = self._push(bytes(self._outgoing[:_READ]))
        del self._outgoing[:sent]
        if not self._outgoing:
            self._loop.remove_writer(self._line.fileno())

    def _push(self, data: bytes) -> int:
        try:
            return self._line.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # it is dead, which is dealt with elsewhere
