"""A child's handlers, found again by what the worker said of them."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable
from typing import Any

from rota.model.errors import InvalidInput
from rota.model.method import NO_OPTIONS, Method
from rota.worker.context import Source
from rota.worker.failures import failure_of
from rota.worker.handler import Handler
from rota.worker.processes.messages import Origin
from rota.worker.processes.origin import look_up
from rota.worker.registry import Registry, TaskFunction


class HandlerNotFound(Exception):
    """A child process could not load the handler of a method."""


class Loader:
    """What cannot be loaded becomes a handler that says so: the worker stays, and its other methods with it."""

    def __init__(self, targets: Iterable[str]) -> None:
        self._targets = list(targets)
        self._of_targets: Registry | None = None

    def load(self, origin: Origin) -> Handler:
        try:
            return self._registry_of(origin).find(origin.name, origin.version)
        except BaseException as error:
            return _broken(origin, error)

    # --- inside

    def _registry_of(self, origin: Origin) -> Registry:
        if origin.kind == "target":
            return self._targeted()
        registry = Registry(as_child=True)
        if origin.kind == "object" and origin.pickled:
            registry.add_object(pickle.loads(origin.pickled))  # noqa: S301 - the worker's own, by a line of its own
            return registry
        found = look_up(origin.module, origin.qualname)
        if origin.kind == "object":
            registry.add_object(found)
        elif hasattr(found, "fn"):
            registry.add([found])
        else:
            registry.add_function(origin.name, found, (), origin.version, NO_OPTIONS, None)
        return registry

    def _targeted(self) -> Registry:
        if self._of_targets is None:
            registry = Registry(as_child=True)
            for target in self._targets:
                module, _, name = target.partition(":")
                look_up(module, name).add_to(_Collector(registry))
            self._of_targets = registry
        return self._of_targets


class _Collector:
    """What an app adds its tasks to in place of a worker."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add(self, *tasks: TaskFunction) -> None:
        self._registry.add(tasks)

    def add_all(self, tasks: Iterable[TaskFunction]) -> None:
        self._registry.add(tasks)

    def register(self, task: Any) -> None:
        self._registry.add_object(task)

    def register_method(
        self, name: str, fn: Callable[..., Any], *docs: str, version: int = 1, **options: object
    ) -> None:
        self._registry.add_function(name, fn, docs, version, NO_OPTIONS, None)


def complain(text: str) -> None:
    """To the worker's own log. Log lines of a child belong to tasks, and this to none."""
    sys.stderr.write(f"rota: {text}\n")
    sys.stderr.flush()


def load_main(name: str, path: str) -> None:
    """Imports what is the worker's `__main__`, without what stands under `if __name__ == "__main__"`."""
    if not name and not path:
        return
    from multiprocessing import spawn  # which knows all the ways in which a script can be one

    spawn.prepare({"init_main_from_name": name} if name else {"init_main_from_path": path})


def _broken(origin: Origin, error: BaseException) -> Handler:
    said = error.detail if isinstance(error, InvalidInput) else f"{type(error).__name__}: {error}"
    words = f"the child process cannot load {origin.name}: {said}"
    complain(f"{words}\n{failure_of(error).traceback}")

    def call(params: bytes, source: Source) -> Any:
        raise HandlerNotFound(words)

    return Handler(Method(origin.name, origin.version), call, is_async=False, place="")
