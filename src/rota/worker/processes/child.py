"""A child process of a worker: takes jobs, runs one after another in its main thread, and answers.

It ends when it is told to, when its worker is gone, or when it is killed; not by the signals of a terminal or of a
service manager, which mean the worker. A handler that has to stop gets `Stopped` raised in it by SIGUSR1, which also
cuts short a call that waits; `async def` is cancelled. What does not listen is killed by the worker soon after.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import io
import logging
import os
import signal
import socket
import sys
from contextvars import Context
from types import FrameType
from typing import Any

from rota.life import keyring
from rota.life.clock import SystemClock
from rota.life.loop import new_loop
from rota.worker import processes
from rota.worker.context import Stopped, running
from rota.worker.handler import Handler
from rota.worker.logs import capturing
from rota.worker.processes.board import Board
from rota.worker.processes.channel import Channel, WorkerGone
from rota.worker.processes.job_run import JobRun
from rota.worker.processes.loading import Loader, complain, load_main
from rota.worker.processes.memory import resident
from rota.worker.processes.messages import Answer, End, Full, Hello, Job, Offer, Ready, Skipped, Work

SHORT = 1_000
"""Microseconds. The worker is not woken between jobs that are shorter."""
ENOUGH = 0.8
"""The share of its memory ceiling above which a child begins nothing more: the next task may need the rest, and is killed
where it goes beyond it."""
_PDEATHSIG = 1


class Child:
    """Everything happens in the main thread, so that a signal can stop a handler."""

    def __init__(self, channel: Channel, board: Board, hello: Hello) -> None:
        self._channel, self._board = channel, board
        self._clock = SystemClock(hello.clock_base)
        self._enough = int(hello.max_memory * ENOUGH)
        self._loader = Loader(hello.targets)
        self._handlers: list[Handler] = []
        self._paces: list[int] = []
        self._full = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._armed = False
        """A handler is running that may be interrupted."""

    def serve(self) -> None:
        """Until told to end. Raises WorkerGone."""
        signal.signal(signal.SIGUSR1, self._interrupted)
        while not isinstance(message := self._channel.receive(), End):
            if isinstance(message, Offer):
                self._handlers += [self._loader.load(origin) for origin in message.origins]
                self._paces += [2 * SHORT] * len(message.origins)
                self._channel.send(Ready())
            elif isinstance(message, Work):
                for job in message.jobs:
                    self._take(job, message.max_payload)
        self._close()

    # --- inside

    def _take(self, job: Job, max_payload: int) -> None:
        self._board.claimed = job.serial
        if self._full or job.serial <= self._board.revoked:
            self._channel.send(Skipped(job.serial))
            return
        if self._channel.unrung and self._paces[job.place] > SHORT:
            self._channel.ring()
        run = JobRun(job, self._handlers[job.place], self._board, self._channel, self._clock)
        self._board.begun_at = run.started_at
        self._board.begun = job.serial
        self._run(run, max_payload)
        self._paces[job.place] += (run.ran - self._paces[job.place]) // 4
        self._tell(run.answer())

    def _tell(self, answer: Answer) -> None:
        self._channel.send(answer)
        if self._enough and resident() > self._enough:
            gc.collect()
            if (now := resident()) > self._enough:
                self._full = True
                self._channel.send(Full(now))
        if answer.ran > SHORT:
            self._channel.ring()

    def _run(self, run: JobRun, max_payload: int) -> None:
        # Stopped may come until the signal is disarmed: after the handler has ended it changes nothing.
        try:
            self._armed = True
            try:
                value = Context().run(self._call, run)
            finally:
                self._armed = False
            run.returned(value, self._clock.now(), max_payload)
        except BaseException as error:
            self._armed = False
            if run.verdict is None:
                run.raised(error, self._clock.now())

    def _call(self, run: JobRun) -> Any:
        running.set(run)
        outcome = run.handler.call(run._job.params, run)
        return self._awaited(outcome) if run.handler.is_async else outcome

    def _awaited(self, coroutine: Any) -> Any:
        if self._loop is None:
            self._loop = new_loop()
            asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(coroutine)
        try:
            return self._loop.run_until_complete(self._task)
        finally:
            self._task = None

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """SIGUSR1: whatever runs has to stop, if it is still what is meant."""
        if not self._armed or self._board.stopped != self._board.begun:
            return
        if self._task is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        elif not self._channel.busy:
            self._armed = False
            raise Stopped

    def _close(self) -> None:
        """Teardowns."""
        for handler in dict.fromkeys(self._handlers):
            if handler.close is not None:
                try:
                    closing = handler.close()
                    if handler.is_async:
                        self._awaited(closing)
                except Exception as error:
                    complain(f"the teardown of {handler.name} failed: {error!r}")


def main(line: int, bell: int, page: int, worker: int) -> None:
    """The descriptors it was started with, and the process id of its worker."""
    _live_no_longer_than(worker)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _not_meant)  # not SIG_IGN, which programs started by a handler would inherit
    processes.inside = True
    board = Board(page)
    os.close(page)
    channel = Channel(socket.socket(fileno=line), bell)
    try:
        hello = channel.receive()
        if isinstance(hello, Hello):
            sys.argv = hello.argv
            _print_by_lines()
            logging.getLogger().setLevel(hello.log_level)
            capturing.begin()
            if hello.seal_keys:
                keyring.use(keyring.read_keys(hello.seal_keys))
            _load_main(hello)
            Child(channel, board, hello).serve()
    except WorkerGone:
        os._exit(0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that a handler left behind do not keep it


def _load_main(hello: Hello) -> None:
    try:
        load_main(hello.main_name, hello.main_path)
    except BaseException as error:
        complain(f"a child process cannot import the worker's script: {error!r}")


def _print_by_lines() -> None:
    """What a handler printed is not lost when it is killed."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def _live_no_longer_than(worker: int) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:  # it died before that
        os._exit(0)


def _not_meant(number: int, frame: FrameType | None) -> None:
    """A signal for the worker, which tells its children what it means for them."""
