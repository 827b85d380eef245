"""Starts child processes, replaces them, and ends those that are not needed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable

from rota.life import keyring
from rota.life.clock import Clock, base_of
from rota.model.errors import SealError
from rota.worker.processes.limits import Limits
from rota.worker.processes.messages import Hello
from rota.worker.processes.methods import Methods
from rota.worker.processes.origin import main_module
from rota.worker.processes.process import ChildProcess

IDLE_FOR = 60.0
"""Seconds after which a child that is not needed ends; the last one stays."""
STARTS_IN_VAIN = 3
TEARDOWN = 5.0
_logger = logging.getLogger("rota.worker")


class Nursery:
    """`rung(child)` and `died(child)` are what a ChildProcess calls; `hopeless(why)` is called where no child comes up."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        slots: int,
        limits: Limits,
        methods: Methods,
        *,
        rung: Callable[[ChildProcess], None],
        died: Callable[[ChildProcess], None],
        hopeless: Callable[[str], None],
    ) -> None:
        self._loop, self._clock, self._slots, self._limits, self._methods = loop, clock, slots, limits, methods
        self._rung, self._died, self._hopeless = rung, died, hopeless
        self.children: list[ChildProcess] = []
        self.closing = False
        self._in_vain = 0
        self._gone = asyncio.Event()

    def start(self) -> None:
        limits, methods, level = self._limits, self._methods, logging.getLogger().level
        main = main_module() if any(origin.module == "__main__" for origin in methods.origins) else ("", "")
        try:
            keys = keyring.lines()
            hello = Hello(base_of(self._clock), sys.argv, *main, list(limits.targets), limits.max_memory, level, keys)
            child = ChildProcess(self._loop, hello, self._rung, self._died)
        except (OSError, SealError) as error:
            self.failed(f"no process could be started: {error}")
            return
        child.offer(methods.origins)
        self.children.append(child)

    def grow(self, waiting: int) -> None:
        """Starts as many as there are runs that nobody has room for, but not all at once."""
        staying = [child for child in self.children if not child.leaving]
        starting = sum(not child.ready for child in staying)
        wanted = min(waiting, self._slots - len(staying) + starting, max(2, os.cpu_count() or 1))
        if not self._in_vain:
            for _ in range(wanted - starting):
                self.start()

    def retire(self, child: ChildProcess) -> None:
        """Its last jobs are its last; another is started where this was the only one."""
        child.leaving = True
        if not self.closing and all(each.leaving for each in self.children):
            self.start()

    def see_off(self) -> None:
        """Those that leave and have nothing left to do."""
        for child in self.children:
            if child.leaving and not child.runs and not child.told_to_end:
                child.end()

    def end_idle(self) -> None:
        spare = [child for child in self.children if child.ready and not child.leaving and not child.runs]
        until = self._loop.time() - IDLE_FOR
        for child in spare[1:]:
            if child.last_used < until:
                child.end()

    # ---------------------------------------------------------------- coming up, or not

    def came_up(self, child: ChildProcess) -> None:
        child.ready, self._in_vain = True, 0

    def bury(self, child: ChildProcess) -> str:
        """A dead one; gives how it ended. Starts another where this was the last."""
        end = how_it_ended(child.wait())
        self.children.remove(child)
        self._gone.set()
        if child.ready or self.closing:
            if not child.leaving and not child.running and not self.closing:
                _logger.warning("handler process %d %s while it ran nothing", child.pid, end)
            if not self.children and not self.closing and not self._in_vain:
                self.start()
        else:
            self.failed(f"it {end} before it was ready")
        return end

    def failed(self, why: str) -> None:
        """A child did not come up: tried again with a pause. The third time, and where there is no other, it is hopeless."""
        self._in_vain += 1
        _logger.error("a handler process did not start: %s", why)
        if self._in_vain >= STARTS_IN_VAIN and not any(child.ready for child in self.children):
            self._hopeless(why)
        if not self.closing:
            self._loop.call_later(min(10.0, 0.25 * 2**self._in_vain), self._start_again)

    def _start_again(self) -> None:
        if not self.closing and all(child.ready for child in self.children):
            self.start()

    # ---------------------------------------------------------------- the end

    async def close(self) -> None:
        """Lets the children tear down; kills those that take too long."""
        self.closing = True
        for child in self.children:
            child.end()
        try:
            async with asyncio.timeout(TEARDOWN):
                while self.children:
                    self._gone.clear()
                    await self._gone.wait()
        except TimeoutError:
            self.kill_all()

    def kill_all(self) -> None:
        """At once, and without a word."""
        self.closing = True
        for child in self.children:
            child.kill()
            child.wait()
            child.close()
        self.children.clear()


def how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"was killed by signal {-code} ({name})"
