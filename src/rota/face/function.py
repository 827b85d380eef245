"""What `@app.task` makes of a function: it still runs where it is called, and `submit` sends it to a worker.

Arguments are bound to the function's signature at once, so that a wrong call raises TypeError where it was written, and
travel by name. The context (a parameter annotated `Context`, or a bare `ctx`) is the worker's to give and is not sent.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack, cast

from rota.client.call import Call, to_wire
from rota.client.payload import encode
from rota.client.said import After, SaidOptions, read_after, read_options
from rota.face.binding import Binder, result_reader
from rota.model.method import Options

if TYPE_CHECKING:
    from rota.client.handle import Handle
    from rota.client.sync import Client
    from rota.wire.v1 import link_pb2 as pb

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Submits(Generic[P, R]):
    """Sends calls of one task function, with options of its own."""

    def __init__(self, client: Callable[[], Client], name: str, fn: Callable[..., Any], options: Options) -> None:
        self._client = client
        self._method = name
        self._bind = Binder(fn)
        self._read = result_reader(fn, name)
        self._options = options
        self._wire: pb.Options | None = to_wire(options)
        self._pinned = 0
        self._key: str | None = None
        self._labels: Mapping[str, str] | None = None
        self._target = ""
        self._after: tuple[bytes, ...] = ()
        self._on_parent_failure = ""
        self._batch = ""

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """The call, not submitted: for `submit_many`. Raises TypeError for arguments that do not fit or cannot travel."""
        params = encode(self._bind(args, kwargs), method=self._method)
        return Call(
            self._method, params, self._wire, self._pinned, self._key or "", self._labels, self._target,
            self._after, self._on_parent_failure, self._batch,
        )  # fmt: skip

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Sends it, and returns after a node has kept it."""
        client = self._client()
        return self._handle(client, client.submit_call(self.call(*args, **kwargs)))

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """The same as `submit`."""
        return self.submit(*args, **kwargs)

    async def asubmit(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """`submit` for async code; may be awaited in any loop."""
        client = self._client()
        return self._handle(client, await client.asubmit_call(self.call(*args, **kwargs)))

    def execute(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> R:
        """Sends it, waits, and returns the result or raises what became of the task (as `Handle.result`).

        `timeout`: seconds to wait, then WaitTimeout; the task goes on.
        """
        return self._read(self._client().execute_call(self.call(*args, **kwargs), timeout))

    async def aexecute(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> R:
        """`execute` for async code."""
        return self._read(await self._client().aexecute_call(self.call(*args, **kwargs), timeout))

    def map(self, *iterables: Iterable[Any], timeout: float | None = None) -> Iterator[R]:
        """As the built-in `map`, on workers: results in the order of the inputs, read lazily, bounded in flight.

        A task that did not succeed raises at its place. `timeout`: seconds for all, then WaitTimeout.
        """
        for outcome in self._client().execute_each(self._calls(iterables), timeout):
            yield self._read(outcome)

    async def amap(self, *iterables: Iterable[Any], timeout: float | None = None) -> AsyncIterator[R]:
        """`map` for async code."""
        async for outcome in self._client().aexecute_each(self._calls(iterables), timeout):
            yield self._read(outcome)

    def _calls(self, iterables: Sequence[Iterable[Any]]) -> Iterator[Call]:
        if not iterables:
            raise TypeError("map() takes at least one iterable")
        call: Callable[..., Call] = self.call
        return (call(*args) for args in zip(*iterables, strict=False))

    def _handle(self, client: Client, receipt: Any) -> Handle[R]:
        from rota.client.handle import Handle

        return Handle(client, receipt, self._read)


class TaskFunction(Submits[P, R], Generic[P, R, F]):
    """A function that is also a task. For workers it has `name`, `fn`, `version`, `docs`, `defaults` and `isolation`."""

    def __init__(
        self,
        client: Callable[[], Client],
        fn: F,
        *,
        name: str | None,
        version: int,
        docs: Sequence[str],
        isolation: str | None,
        defaults: Options,
    ) -> None:
        super().__init__(client, name or fn.__name__, fn, defaults)
        self.name = name or fn.__name__
        self.fn = fn
        self.version = version
        self.docs = tuple(docs) or _doc(fn)
        self.defaults = defaults
        self.isolation = isolation
        functools.update_wrapper(cast("Callable[..., Any]", self), fn)

    if TYPE_CHECKING:
        __call__: F
    else:

        def __call__(self, *args, **kwargs):
            """Runs it here."""
            return self.fn(*args, **kwargs)

    def options(
        self,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        labels: Mapping[str, str] | None = None,
        target: str | None = None,
        after: After | None = None,
        on_parent_failure: str | None = None,
        batch: str | None = None,
        **options: Unpack[SaidOptions],
    ) -> Submits[P, R]:
        """The same task, sent with these options over its own: `add.options(priority=1, delay=60).submit(1, 2)`.

        `version` pins one; `idempotency_key`: the same one within a day answers with the same task; `target`: the id of
        the worker that alone may run it. `after`: handles or ids of tasks that must have ended before; when one of them
        does not succeed, this one fails with it, or runs anyway (`on_parent_failure="run"`). `batch`: a name that counts
        are kept under.
        """
        made: Submits[P, R] = Submits.__new__(Submits)
        made.__dict__.update({name: getattr(self, name) for name in _SHARED})
        made._options = read_options(options).over(self._said_without(options))
        made._wire = to_wire(made._options)
        made._pinned, made._key, made._labels, made._target = version or 0, idempotency_key, labels, target or ""
        made._after, made._on_parent_failure, made._batch = read_after(after), on_parent_failure or "", batch or ""
        return made

    def _said_without(self, options: SaidOptions) -> Options:
        """`delay` and `run_at` are two ways to say one thing: saying one takes the other's place."""
        if any(options.get(name) is not None for name in ("delay", "countdown", "run_at", "eta")):
            return replace(self._options, delay=None, run_at=None)
        return self._options

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise TypeError(f"{self.name} is a method of a class; tasks are functions, or classes derived from rota.Task")

    def __repr__(self) -> str:
        return f"<task {self.name}>"


_SHARED = ("_client", "_method", "_bind", "_read")


def _doc(fn: Callable[..., Any]) -> tuple[str, ...]:
    doc = inspect.getdoc(fn)
    return (doc,) if doc else ()
