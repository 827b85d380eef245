"""A task as a class, for handlers with something to prepare: a connection, a model, a cache."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from rota.worker.context import Context


class Task:
    """Derive from it, and register an instance: `worker.register(MyTask())`.

        class Resize(Task):
            name = "resize"
            group = "images"

            def setup(self) -> None: ...                     # once, before the first task
            def execute(self, ctx, params): ...              # def or async def
            def teardown(self) -> None: ...                  # when the worker stops, if setup ran

    The name is the class's unless it is said. `execute` gets the whole params value; its return value is the result.
    """

    name: ClassVar[str] = ""
    group: ClassVar[str | None] = None
    description: ClassVar[str] = ""
    version: ClassVar[int] = 1
    isolation: ClassVar[str | None] = None

    def execute(self, ctx: Context, params: Any) -> Any | Coroutine[Any, Any, Any]:
        """The work."""
        raise NotImplementedError(f"{type(self).__qualname__} has no execute(ctx, params)")

    def setup(self) -> Any:
        """Prepares, once, before the first task."""

    def teardown(self) -> Any:
        """Puts away what `setup` prepared."""
