"""The app: task functions by decoration, and everything one does with tasks, in one object.

    app = App()

    @app.task(retries=3, timeout=30)
    def add(a: int, b: int) -> int:
        return a + b

    add.submit(1, 2).result()

It connects when it is first used. With `embedded:` that starts a node and a worker for this app's tasks in this process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, Unpack, overload

from rota.client.address import addresses, token_or_none
from rota.client.said import Said, SaidOptions, read_options
from rota.face.function import Submits, TaskFunction
from rota.model.errors import InvalidInput
from rota.model.names import check_name

if TYPE_CHECKING:
    from rota.client.batch_handle import BatchHandle
    from rota.client.call import AnyCall
    from rota.client.handle import Handle
    from rota.client.sync import Client
    from rota.face.testing import Testing
    from rota.worker.context import Context

P = ParamSpec("P")
R = TypeVar("R")


class Offered(Protocol):
    """The worker's one verb that an app needs."""

    def add(self, *tasks: TaskFunction[..., Any, Any]) -> None: ...


class App:
    """`url`: one address or several with commas, or `embedded:`; None: ROTA_URL, then http://127.0.0.1:8080.

    `token`: None: ROTA_TOKEN. `name`: shown beside its workers.
    """

    def __init__(
        self, url: str | Sequence[str] | None = None, token: str | None = None, name: str | None = None
    ) -> None:
        self._said_url, self._said_token = url, token
        self.name = name or ""
        self._tasks: dict[tuple[str, int], TaskFunction[..., Any, Any]] = {}
        self._told_of_tasks: list[Callable[[], None]] = []
        self._client: Client | None = None
        if url is not None:
            addresses(url)  # a wrong address is told here

    # --- tasks

    @overload
    def task(
        self, fn: Callable[Concatenate[Context, P], Awaitable[R]], /
    ) -> TaskFunction[P, R, Callable[..., Awaitable[R]]]: ...
    @overload
    def task(self, fn: Callable[Concatenate[Context, P], R], /) -> TaskFunction[P, R, Callable[..., R]]: ...
    @overload
    def task(self, fn: Callable[P, Awaitable[R]], /) -> TaskFunction[P, R, Callable[P, Awaitable[R]]]: ...
    @overload
    def task(self, fn: Callable[P, R], /) -> TaskFunction[P, R, Callable[P, R]]: ...
    @overload
    def task(
        self,
        /,
        *,
        name: str | None = None,
        version: int = 1,
        docs: str | Sequence[str] = (),
        isolation: str | None = None,
        **options: Unpack[SaidOptions],
    ) -> _Decorator: ...
    def task(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        version: int = 1,
        docs: str | Sequence[str] = (),
        isolation: str | None = None,
        **options: Unpack[SaidOptions],
    ) -> Any:
        """Makes a function a task; bare, or with options that hold for every submit that does not say otherwise.

        `name`: the method's, else the function's. `docs`: description, params, returns, in Markdown; else the docstring.
        `isolation`: where it runs: "thread" for a `def` (the default), "process" for a process that can be killed. Raises TypeError and InvalidInput for what cannot be.
        """

        def decorate(fn: Callable[..., Any]) -> TaskFunction[..., Any, Any]:
            made: TaskFunction[..., Any, Any] = TaskFunction(
                lambda: self.client,
                fn,
                name=name,
                version=version,
                docs=(docs,) if isinstance(docs, str) else docs,
                isolation=isolation,
                defaults=read_options(options),
            )
            return self._add(made)

        return decorate if fn is None else decorate(fn)

    @property
    def tasks(self) -> tuple[TaskFunction[..., Any, Any], ...]:
        """The tasks made by this app, for workers."""
        return tuple(self._tasks.values())

    def _add(self, task: TaskFunction[..., Any, Any]) -> TaskFunction[..., Any, Any]:
        if "@" in check_name(task.name, "name"):
            raise InvalidInput.at("name", "invalid_name", "'@' stands before a version; give name= and version= apart")
        other = self._tasks.get((task.name, task.version))
        if other is not None and _place(other.fn) != _place(task.fn):
            raise InvalidInput.at(
                "name",
                "method_twice",
                f"two tasks of the name {task.name!r}: {_place(other.fn)} and {_place(task.fn)}; "
                "give one another name= or version=",
            )
        self._tasks[task.name, task.version] = task
        for tell in self._told_of_tasks:
            tell()
        return task

    def add_to(self, worker: Offered) -> None:
        """Has a worker offer every task of this app."""
        for task in self.tasks:
            worker.add(task)

    def on_task(self, tell: Callable[[], None]) -> None:
        """Calls `tell` at each further task."""
        self._told_of_tasks.append(tell)

    # --- submit

    def send(self, method: str, params: Any = None, **said: Unpack[Said]) -> Handle[Any]:
        """Submits to a method that is not known here. `params`: an object binds by name, an array by place."""
        return self.client.submit(method, params, **said)

    async def asend(self, method: str, params: Any = None, **said: Unpack[Said]) -> Handle[Any]:
        return await self.client.asubmit(method, params, **said)

    @overload
    def submit_many(
        self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: None = None
    ) -> list[Handle[Any]]: ...
    @overload
    def submit_many(self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: str) -> BatchHandle: ...
    def submit_many(
        self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: str | None = None
    ) -> list[Handle[Any]]:
        """Submits many at once: `app.submit_many([add.call(1, 2), add.call(3, 4)])`. The handles come in order.

        Raises the first refusal, after the others were accepted; with `atomic` (up to 1,000) none is, then. To see each
        refusal use `app.client.submit_many`. `batch`: a name that counts are kept under; the list is a BatchHandle then.
        """
        from rota.face.many import handles

        return handles(self.client, self.client.submit_many(calls, atomic=atomic, batch=batch), batch)

    @overload
    async def asubmit_many(
        self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: None = None
    ) -> list[Handle[Any]]: ...
    @overload
    async def asubmit_many(self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: str) -> BatchHandle: ...
    async def asubmit_many(
        self, calls: Iterable[AnyCall], *, atomic: bool = False, batch: str | None = None
    ) -> list[Handle[Any]]:
        from rota.face.many import handles

        return handles(self.client, await self.client.asubmit_many(calls, atomic=atomic, batch=batch), batch)

    def batch(self, name: str) -> BatchHandle:
        """The batch of this name, whoever submitted its tasks: how it stands, its end, cancel and retry of all."""
        from rota.client.batch_handle import BatchHandle

        return BatchHandle(self.client, name)

    def map(self, task: Submits[..., R], *iterables: Iterable[Any], timeout: float | None = None) -> Iterator[R]:
        """As `task.map`: results in the order of the inputs, read lazily."""
        return task.map(*iterables, timeout=timeout)

    def amap(self, task: Submits[..., R], *iterables: Iterable[Any], timeout: float | None = None) -> AsyncIterator[R]:
        return task.amap(*iterables, timeout=timeout)

    # --- wait

    def wait_many(self, handles: Iterable[Handle[R]], timeout: float | None = None) -> Iterator[Handle[R]]:
        """The handles in the order in which their tasks end; then `result()` does not wait. Raises WaitTimeout."""
        from rota.face.many import as_completed

        return as_completed(self.client, handles, timeout)

    def await_many(self, handles: Iterable[Handle[R]], timeout: float | None = None) -> AsyncIterator[Handle[R]]:
        """The twin of `wait_many`."""
        from rota.face.many import as_completed_async

        return as_completed_async(self.client, handles, timeout)

    # --- life

    @property
    def client(self) -> Client:
        """The client that the app's tasks use."""
        if self._client is None:
            self._client = self._new_client()
        return self._client

    @property
    def url(self) -> str:
        """The addresses of nodes, with commas: what a worker of this app connects to."""
        return ",".join(addresses(self._said_url))

    @property
    def token(self) -> str | None:
        return token_or_none(self._said_token)

    def close(self) -> None:
        """Ends the connection, and with `embedded:` the worker and the node. A later call begins anew."""
        if self._client is not None:
            self._client.close()

    def __enter__(self) -> App:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def testing(self) -> Testing:
        """A node in memory with a clock in hand, and a worker for this app's tasks: `with app.testing() as rota: …`."""
        from rota.face.testing import Testing

        return Testing(self)

    def use(self, client: Client | None) -> Client | None:
        """From now on the app's tasks go through this client; answers the one before. None: the app makes its own."""
        before, self._client = self._client, client
        return before

    def _new_client(self) -> Client:
        from rota.client.sync import Client

        first = addresses(self._said_url)[0]
        if first.startswith("embedded:"):
            from rota.face.embedded import embedded_at

            return embedded_at(self, first).client
        return Client(self._said_url, self._said_token)


class _Decorator:
    """The type of `@app.task(…)`."""

    @overload
    def __call__(
        self, fn: Callable[Concatenate[Context, P], Awaitable[R]], /
    ) -> TaskFunction[P, R, Callable[..., Awaitable[R]]]: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[Context, P], R], /) -> TaskFunction[P, R, Callable[..., R]]: ...
    @overload
    def __call__(self, fn: Callable[P, Awaitable[R]], /) -> TaskFunction[P, R, Callable[P, Awaitable[R]]]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> TaskFunction[P, R, Callable[P, R]]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Any: ...


def _place(fn: Callable[..., Any]) -> str:
    code = getattr(fn, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(fn)
