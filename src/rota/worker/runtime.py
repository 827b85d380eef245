"""A worker: registers methods with a node, and runs the tasks it is given until it is stopped.

    worker = Worker("http://127.0.0.1:8080", group="mail")
    worker.register_method("send", send, "Sends a mail.")
    raise SystemExit(worker.run())

The link lives on a thread of its own, so that a handler that blocks never loses a lease. `run` takes the calling thread
for `async def` handlers, `start` another one, `astart` the running loop for everything (a worker inside a node, tests).
When it cannot go on (bad token, superseded by another process, too many handlers that could not be stopped) it says so
in the log, and `run` raises or gives an exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Unpack

from rota.client.address import addresses
from rota.client.connection import SDK, Connection, Dial
from rota.client.said import SaidOptions, read_options
from rota.client.tls import Tls, tls_dial
from rota.life.clock import Clock, SystemClock
from rota.life.loop import new_loop
from rota.model.errors import InvalidInput, RotaError
from rota.model.names import check_name
from rota.telemetry.redaction import redactor
from rota.telemetry.tracing import switch_on_where_asked
from rota.worker import processes
from rota.worker.facts import gather
from rota.worker.foreman import Foreman
from rota.worker.logs import capturing
from rota.worker.loop_thread import LoopEnded, LoopThread, wind_up
from rota.worker.processes.limits import Limits
from rota.worker.registry import Registry, TaskFunction
from rota.worker.signals import Signals

SHUTDOWN_GRACE = 25.0
"""With what follows it (handlers are stopped, outcomes told) a stop fits into the 30 s that most orchestrators give."""
BLOCKED_FOR = 2.0
"""Seconds that a drained process whose loop is blocked by a handler goes on."""
EXHAUSTED = 75
"""Exit code after too many handlers could not be stopped: start the worker again."""
_logger = logging.getLogger("rota.worker")


class Worker:
    """`url`: one address or several; None: ROTA_URL. `slots`: how many handlers run at once. `groups` (or `group`): those
    it serves besides tasks without a group; none said: the groups that its methods ask for.

    `isolation`: where `def` handlers run that do not say it, "thread" or "process". Child processes: `max_child_memory`
    bytes each, `max_tasks_per_child` before one is replaced (None: no bound). They find handlers by module and name, or
    tasks by `targets` (`module:app`).

    `dial` replaces the network (a node in this process); `tls` says whom to trust and what to show over `https`, else the
    variables ROTA_TLS_CA, ROTA_TLS_CLIENT_CERT and ROTA_TLS_CLIENT_KEY do. `shutdown_grace`: seconds that handlers have to end at a stop.
    `on_exhausted` is called, from the link's thread, when too many handlers could not be stopped; the worker then drains.
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        token: str | None = None,
        name: str | None = None,
        application: str | None = None,
        group: str | None = None,
        groups: Sequence[str] = (),
        slots: int = 16,
        weight: int = 1,
        labels: Mapping[str, str] | None = None,
        isolation: str | None = "thread",
        dial: Dial | None = None,
        tls: Tls | None = None,
        shutdown_grace: float = SHUTDOWN_GRACE,
        max_child_memory: int | None = None,
        max_tasks_per_child: int | None = None,
        targets: Sequence[str] = (),
        on_exhausted: Callable[[], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Raises InvalidInput for a bad address, name or number."""
        self.urls = addresses(url)
        switch_on_where_asked("rota-worker")
        self.slots = _within("slots", slots, 1, 100_000)
        self.weight = _within("weight", weight, 1, 1_000)
        said = (groups,) if isinstance(groups, str) else tuple(groups)
        self.groups = tuple(check_name(each, "groups") for each in dict.fromkeys((*said, *((group,) if group else ()))))
        self.name, self.application, self.labels = name, application, dict(labels or {})
        self.shutdown_grace = shutdown_grace
        self._token = token or os.environ.get("ROTA_TOKEN") or None
        redactor.learn(self._token)
        self._dial = dial or tls_dial(tls)
        self._on_exhausted, self._clock = on_exhausted, clock or SystemClock()
        self._limits = Limits(
            _within("max_child_memory", max_child_memory or 0, 0, 2**50),
            _within("max_tasks_per_child", max_tasks_per_child or 0, 0, 2**31),
            tuple(targets),
        )
        self._registry = Registry(isolation, targets=targets)
        self._foreman: Foreman | None = None
        self._connection: Connection | None = None
        self._link: LoopThread | None = None
        self._handlers: LoopThread | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._ended: Future[int] = Future()
        self._signals = 0

    # ---------------------------------------------------------------- methods

    def register_method(
        self,
        name: str,
        fn: Callable[..., Any],
        *docs: str,
        version: int = 1,
        isolation: str | None = None,
        **options: Unpack[SaidOptions],
    ) -> None:
        """Offers `fn(params)` or `fn(ctx, params)`, async or not, as a method; also while the worker runs.

        `docs`: description, params, returns (Markdown). `options`: defaults of its tasks (retries=3, timeout=30 …).
        Raises InvalidInput, with file and line, for a bad name, a wrong signature, or a method that is there already.
        """
        self._registry.add_function(name, fn, docs, version, read_options(options), isolation)
        self._tell_methods()

    def register(self, task: Any) -> None:
        """Offers an object, or a class of such, with `execute(ctx, params)`; `name`, `group`, `description`, `setup` and
        `teardown` are looked at if they are there. Raises InvalidInput."""
        self._registry.add_object(task)
        self._tell_methods()

    def add(self, *tasks: TaskFunction) -> None:
        """Offers functions made by `@app.task`. Raises InvalidInput with all that is wrong."""
        self.add_all(tasks)

    def add_all(self, tasks: Iterable[TaskFunction]) -> None:
        self._registry.add(tasks)
        self._tell_methods()

    # ---------------------------------------------------------------- life, from synchronous code

    def start(self) -> None:
        """Runs in the background, in threads of its own. `stop` ends it, `wait` waits for its end."""
        self._check_unstarted()
        self._handlers = LoopThread("rota-async-handlers")
        self._start_link(self._handlers.loop)

    def run(self) -> int:
        """Runs until SIGTERM, SIGINT, or something that cannot be mended; gives the exit code.

        The first signal drains: nothing more is started, and what runs has `shutdown_grace` seconds. The second ends the
        process at once; what it had in hand goes to another worker within seconds. Raises RotaError if the node refuses
        this worker for good.
        """
        self._check_unstarted()
        loop = new_loop()
        asyncio.set_event_loop(loop)
        signals = Signals(self._signalled)
        try:
            loop.run_until_complete(self._run_until_ended(loop, signals))
            return self._ended.result()
        finally:
            signals.end()
            self._ended.cancel()
            self._end_threads()
            wind_up(loop)
            asyncio.set_event_loop(None)

    def stop(self, grace: float | None = None) -> None:
        """Drains and ends; `grace` seconds (default `shutdown_grace`) for what runs. May be called twice, or unstarted."""
        link = self._link
        if link is None:
            return
        with contextlib.suppress(LoopEnded):
            link.call(self.astop(grace))
        self._end_threads()

    def wait(self, timeout: float | None = None) -> int:
        """Waits until the worker has ended; gives the exit code. Raises what it failed with, and TimeoutError."""
        return self._ended.result(timeout)

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---------------------------------------------------------------- life, in a loop

    async def astart(self) -> None:
        """Runs in the running loop. Gives back once the first link is being opened."""
        self._check_unstarted()
        self._open(asyncio.get_running_loop())

    async def astop(self, grace: float | None = None) -> None:
        """Drains and ends. May be called twice, or unstarted; a second call with a shorter grace hurries the first."""
        foreman, connection = self._foreman, self._connection
        if foreman is None or connection is None:
            return
        grace = self.shutdown_grace if grace is None else grace
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._wind_down(foreman, connection, grace))
        elif not self._stopping.done():
            await foreman.drain(grace)
        await asyncio.shield(self._stopping)

    @property
    def id(self) -> str:
        """As the node knows it; empty before the start."""
        return self._foreman.facts.id if self._foreman is not None else ""

    @property
    def connected(self) -> bool:
        """The node knows this worker, now."""
        return self._foreman is not None and self._foreman.end.registered

    @property
    def last_error(self) -> str:
        """Why the last try to connect failed; empty while connected."""
        return self._connection.last_error if self._connection is not None else ""

    # --- inside

    def _check_unstarted(self) -> None:
        if processes.inside:
            raise RuntimeError(
                "a child process imported the script that starts this worker: put what starts it under "
                'if __name__ == "__main__":'
            )
        if self._foreman is not None:
            raise RuntimeError("this worker was started before; make a new one")

    def _start_link(self, handler_loop: asyncio.AbstractEventLoop) -> None:
        self._link = LoopThread("rota-link")
        self._link.call(self._aopen(handler_loop))

    async def _aopen(self, handler_loop: asyncio.AbstractEventLoop) -> None:
        self._open(handler_loop)

    def _open(self, handler_loop: asyncio.AbstractEventLoop) -> None:
        """In the link's loop."""
        loop = asyncio.get_running_loop()
        facts = gather(
            name=self.name,
            application=self.application,
            groups=self.groups or sorted(self._registry.groups),
            slots=self.slots,
            weight=self.weight,
            labels=self.labels,
            url=self.urls[0],
        )
        foreman = Foreman(
            loop, handler_loop, facts, self._registry, secrets.token_bytes(16), self._clock, self._limits,
            lost=self._refused, exhausted=self._exhausted, told_to_end=self._shut_down,
        )  # fmt: skip
        connection = Connection(
            self.urls, token=self._token, sdk=SDK, dial=self._dial,
            on_frame=foreman.frame, on_up=foreman.up, on_down=foreman.down, on_final=foreman.final,
        )  # fmt: skip
        foreman.keep(connection)
        self._foreman, self._connection = foreman, connection
        capturing.begin()
        connection.start()

    async def _wind_down(self, foreman: Foreman, connection: Connection, grace: float, code: int = 0) -> None:
        await foreman.drain(grace)
        await self._close_handlers(foreman)
        await foreman.close_processes()
        await connection.stop("draining")
        foreman.close()
        capturing.end()
        foreman.executor.threads.close(0.1)
        self._end(code)

    async def _close_handlers(self, foreman: Foreman) -> None:
        """Teardowns, where their handlers ran."""
        for handler in self._registry.handlers:
            if handler.close is None:
                continue
            try:
                if handler.is_async:
                    closing = asyncio.run_coroutine_threadsafe(handler.close(), foreman.executor.loop.loop)
                    await asyncio.wait_for(asyncio.wrap_future(closing), 5.0)
                else:
                    await asyncio.wait_for(asyncio.to_thread(handler.close), 5.0)
            except Exception:
                _logger.exception("the teardown of %s failed", handler.name)

    def _end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    def _refused(self, error: RotaError) -> None:
        _logger.error("the node refuses this worker: %s", error.detail)
        if not self._ended.done():
            self._ended.set_exception(error)

    def _exhausted(self) -> None:
        _logger.error("too many handlers could not be stopped: the worker takes no more tasks and ends; start it again")
        if self._on_exhausted is not None:
            self._on_exhausted()
        if self._stopping is None and self._foreman is not None and self._connection is not None:
            winding_down = self._wind_down(self._foreman, self._connection, self.shutdown_grace, EXHAUSTED)
            self._stopping = asyncio.get_running_loop().create_task(winding_down)

    def _shut_down(self, reason: str) -> None:
        """The node asks for it: as after the first signal; of a worker beside something else, only the worker ends."""
        if self._stopping is not None:
            return
        _logger.info("told to shut down%s: what runs has %g s", f" ({reason})" if reason else "", self.shutdown_grace)
        ends_process = self._link is not None and self._handlers is None
        ending = self._drain_by_signal() if ends_process else self.astop()
        self._drain = asyncio.get_running_loop().create_task(ending)

    def _tell_methods(self) -> None:
        """To the node, if there is a link already."""
        foreman = self._foreman
        if foreman is None:
            return
        if self._link is not None:
            self._link.loop.call_soon_threadsafe(foreman.register_anew)
        else:
            foreman.register_anew()

    def _end_threads(self) -> None:
        foreman = self._foreman
        for thread in (self._link, self._handlers):
            if thread is not None:
                thread.close()
        if foreman is not None:
            foreman.close()

    # ---------------------------------------------------------------- signals

    async def _run_until_ended(self, loop: asyncio.AbstractEventLoop, signals: Signals) -> None:
        """Listens before the link begins: a worker that has a task in hand drains at the first signal."""
        signals.begin()
        try:
            self._start_link(loop)
            await asyncio.wrap_future(self._ended)
        finally:
            signals.pause()

    def _signalled(self, number: int) -> None:
        self._signals += 1
        if self._signals > 1 or self._link is None:
            os._exit(128 + number)  # the node sees the link break, and its leases lapse in seconds
        self._link.loop.call_soon_threadsafe(self._drain_soon)

    def _drain_soon(self) -> None:
        running = self._foreman.end.held if self._foreman is not None else {}
        _logger.info("stops: %d tasks in hand have %g s; again to end at once", len(running), self.shutdown_grace)
        self._drain = asyncio.get_running_loop().create_task(self._drain_by_signal())

    async def _drain_by_signal(self) -> None:
        await self.astop()
        # `run` ends this loop now, and the timer with it; where a handler blocks `run`'s own loop, nobody does.
        asyncio.get_running_loop().call_later(BLOCKED_FOR, os._exit, self._ended.result())


def _within(name: str, value: int, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput.at(name, "out_of_range", f"{value!r} is not a whole number from {low} to {high}")
    return value
