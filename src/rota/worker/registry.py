"""The methods that a worker offers, and the handlers behind them.

A registration that cannot be right is refused at once, with all its faults and the file and line of each: a bad name, a
wrong signature, two handlers of one name and version.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from rota.model.errors import Fault, InvalidInput
from rota.model.method import NO_OPTIONS, Method, Options
from rota.model.names import check_name
from rota.worker.handler import (
    Call,
    Handler,
    UnknownMethod,
    WrongSignature,
    call_with_arguments,
    call_with_value,
    is_async,
    place_of,
    secret_returned,
)
from rota.worker.processes.messages import Origin
from rota.worker.processes.origin import of_function, of_object

ISOLATIONS = (None, "", "thread", "async", "process")
"""`thread` is where a `def` runs, `async` where an `async def` does, if the handler does not say `process`."""


class TaskFunction(Protocol):
    """What `@app.task` makes, as far as a worker is concerned."""

    @property
    def name(self) -> str: ...
    @property
    def fn(self) -> Callable[..., Any]: ...
    @property
    def version(self) -> int: ...
    @property
    def docs(self) -> Sequence[str]: ...
    @property
    def defaults(self) -> Options: ...
    @property
    def isolation(self) -> str | None: ...


class Registry:
    """Looked up by the link's thread, filled by any.

    `isolation`: of `def` handlers that do not say one. `targets`: where a child process finds tasks, as `module:name`.
    `as_child`: this is a child process, in which every handler runs as it comes.
    """

    def __init__(
        self, isolation: str | None = "thread", *, targets: Sequence[str] = (), as_child: bool = False
    ) -> None:
        _check_isolation(isolation, "isolation")
        self._isolation, self._targets, self._as_child = isolation, tuple(targets), as_child
        self._by_version: dict[tuple[str, int], Handler] = {}
        self._newest: dict[str, Handler] = {}
        self._lock = threading.Lock()

    def find(self, name: str, version: int) -> Handler:
        """The handler of a version (0: the newest). For an unknown one, a handler that fails with UnknownMethod."""
        found = self._by_version.get((name, version)) if version else self._newest.get(name)
        return found if found is not None else _missing(name, version)

    @property
    def methods(self) -> list[Method]:
        return [handler.method for handler in list(self._by_version.values())]

    @property
    def handlers(self) -> list[Handler]:
        return list(self._by_version.values())

    @property
    def groups(self) -> frozenset[str]:
        """The groups that methods ask for by default."""
        return frozenset(m.defaults.group for m in self.methods if m.defaults.group is not None)

    # ---------------------------------------------------------------- ways to register

    def add(self, tasks: Iterable[TaskFunction]) -> None:
        """Functions whose arguments are bound from the params."""
        self._admit([_made(self._of_task, task, getattr(task, "fn", task)) for task in tasks])

    def add_function(
        self,
        name: str,
        fn: Callable[..., Any],
        docs: Sequence[str],
        version: int,
        defaults: Options,
        isolation: str | None,
    ) -> None:
        """A function that gets the whole value."""

        def make() -> Handler:
            call, schema = call_with_value(fn)
            handler = self._made(name, fn, call, schema, version, docs or _doc(fn), defaults)
            return self._placed(handler, isolation, lambda: of_function("value", name, version, fn))

        self._admit([_made(lambda _: make(), name, fn)])

    def add_object(self, task: Any) -> None:
        """An object, or a class of such, with `execute(ctx, params)`, perhaps `setup` and `teardown`."""
        made = task() if inspect.isclass(task) else task
        self._admit([_made(lambda made: self._of_object(made, task), made, getattr(made, "execute", made))])

    # --- inside

    def _admit(self, made: list[Handler | Fault]) -> None:
        with self._lock:
            faults = [each for each in made if isinstance(each, Fault)]
            handlers = [each for each in made if isinstance(each, Handler)]
            faults += self._doubles(handlers)
            if faults:
                raise InvalidInput.all_of(faults)
            for handler in handlers:
                self._by_version[handler.name, handler.version] = handler
                newest = self._newest.get(handler.name)
                if newest is None or newest.version < handler.version:
                    self._newest[handler.name] = handler

    def _doubles(self, handlers: list[Handler]) -> list[Fault]:
        faults: list[Fault] = []
        seen = dict(self._by_version)
        for handler in handlers:
            other = seen.setdefault((handler.name, handler.version), handler)
            if other is not handler:
                faults.append(
                    Fault(
                        f"{handler.name}@{handler.version}",
                        "method_twice",
                        f"two handlers, at {other.place} and at {handler.place}; give one another name= or version=",
                    )
                )
        return faults

    def _of_task(self, task: TaskFunction) -> Handler:
        call, schema = call_with_arguments(task.fn)
        docs = task.docs or _doc(task.fn)
        handler = self._made(task.name, task.fn, call, schema, task.version, docs, task.defaults)
        return self._placed(handler, task.isolation, lambda: self._origin_of_task(task))

    def _origin_of_task(self, task: TaskFunction) -> Origin:
        if self._targets:
            return Origin("target", task.name, task.version)
        return of_function("task", task.name, task.version, task.fn)

    def _of_object(self, task: Any, given: Any) -> Handler:
        """`given`: the object itself, or its class."""
        if getattr(task, "cron", None):
            raise WrongSignature("cron= is not supported by this version; submit the task from a schedule of your own")
        execute = getattr(task, "execute", None)
        if execute is None:
            raise WrongSignature("it has no execute(ctx, params)")
        call, schema = call_with_value(execute, context_first=True)
        defaults = getattr(task, "defaults", NO_OPTIONS)
        if defaults.group is None and getattr(task, "group", None):
            defaults = Options(group=task.group).over(defaults)
        name = getattr(task, "name", None) or type(task).__name__
        description = getattr(task, "description", None)
        docs = (description,) if description else _doc(type(task))
        version = getattr(task, "version", 1)
        handler = self._made(name, execute, call, schema, version, docs, defaults)
        setup, teardown = getattr(task, "setup", None), getattr(task, "teardown", None)
        _check_steps(handler, setup, teardown)
        handler = self._placed(handler, getattr(task, "isolation", None), lambda: of_object(name, version, given))
        if not handler.isolated:
            _prepare(handler, setup, teardown)
        return handler

    def _made(
        self,
        name: str,
        fn: Callable[..., Any],
        call: Call,
        schema: bytes,
        version: int,
        docs: Sequence[str],
        defaults: Options,
    ) -> Handler:
        method = Method(_checked_name(name), _checked_version(name, version), tuple(docs), schema, defaults)
        return Handler(method, call, is_async=is_async(fn), place=place_of(fn), returns=secret_returned(fn))

    def _placed(self, handler: Handler, isolation: str | None, origin: Callable[[], Origin]) -> Handler:
        """Where it runs: a handler that says nothing runs where the worker says, and an `async def` on its loop."""
        _check_isolation(isolation, handler.name)
        wanted = isolation or ("" if handler.is_async else self._isolation)
        if wanted != "process" or self._as_child:
            return handler
        if sys.platform == "win32":
            raise InvalidInput.at(
                handler.name, "not_supported", "isolation='process' is not there on Windows; use threads"
            )
        return Handler(handler.method, handler.call, is_async=False, place=handler.place, origin=origin())


def _made(make: Callable[[Any], Handler], what: Any, fn: Any) -> Handler | Fault:
    """The handler, or the fault that it is not made for."""
    name = what if isinstance(what, str) else getattr(what, "name", None) or getattr(what, "__name__", repr(what))
    try:
        return make(what)
    except WrongSignature as error:
        return Fault(str(name), "wrong_signature", f"{error} ({place_of(fn)})")
    except InvalidInput as error:
        first = error.errors[0] if error.errors else Fault("", error.code, error.detail)
        return Fault(first.path or str(name), first.code, f"{first.message} ({place_of(fn)})")


def _checked_name(name: str) -> str:
    if not isinstance(name, str):
        raise InvalidInput.at("name", "invalid_name", f"{name!r} is not a text")
    if "@" in name:
        raise InvalidInput.at(name, "invalid_name", "'@' stands before a version; write name= and version= apart")
    return check_name(name, name)


def _checked_version(name: str, version: int) -> int:
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < 2**32:
        raise InvalidInput.at(name, "invalid_version", f"the version is a whole number from 1, not {version!r}")
    return version


def _check_isolation(isolation: str | None, path: str) -> None:
    if isolation not in ISOLATIONS:
        raise InvalidInput.at(
            path, "not_supported", f"isolation={isolation!r} is not there; 'thread' and 'process' are"
        )


def _doc(fn: Any) -> tuple[str, ...]:
    doc = inspect.getdoc(fn)
    return (doc,) if doc else ()


def _missing(name: str, version: int) -> Handler:
    def call(params: bytes, source: Any) -> Any:
        raise UnknownMethod(f"this worker offers no {name}" + (f"@{version}" if version else ""))

    return Handler(Method(name, version or 1), call, is_async=True, place="")


# ---------------------------------------------------------------- setup and teardown of objects


def _check_steps(handler: Handler, *steps: Callable[[], Any] | None) -> None:
    for step in steps:
        if step is not None and is_async(step) and not handler.is_async:
            raise WrongSignature(f"{step.__name__} is async and execute is not; make both of one kind")


def _prepare(handler: Handler, setup: Callable[[], Any] | None, teardown: Callable[[], Any] | None) -> None:
    """Runs `setup` before the first task, and `teardown` at the worker's stop if there was one."""
    if setup is None and teardown is None:
        return
    if handler.is_async:
        _prepare_async(handler, setup, teardown)
    else:
        _prepare_sync(handler, setup, teardown)


def _prepare_sync(handler: Handler, setup: Callable[[], Any] | None, teardown: Callable[[], Any] | None) -> None:
    execute, lock, ready = handler.call, threading.Lock(), threading.Event()

    def call(params: bytes, source: Any) -> Any:
        if not ready.is_set():
            with lock:
                if not ready.is_set():
                    if setup is not None:
                        setup()
                    ready.set()
        return execute(params, source)

    def close() -> None:
        if ready.is_set() and teardown is not None:
            ready.clear()
            teardown()

    handler.call, handler.close = call, close


def _prepare_async(handler: Handler, setup: Callable[[], Any] | None, teardown: Callable[[], Any] | None) -> None:
    execute, lock, ready = handler.call, asyncio.Lock(), threading.Event()

    async def call(params: bytes, source: Any) -> Any:
        if not ready.is_set():
            async with lock:
                if not ready.is_set():
                    await _run(setup)
                    ready.set()
        return await execute(params, source)

    async def close() -> None:
        if ready.is_set():
            ready.clear()
            await _run(teardown)

    handler.call, handler.close = call, close


async def _run(step: Callable[[], Any] | None) -> None:
    if step is not None:
        outcome = step()
        if inspect.isawaitable(outcome):
            await outcome
