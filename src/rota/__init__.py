"""Rota: a distributed task scheduler and task manager for Python teams.

Names are loaded when they are first used, so that `import rota` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rota.model.version import VERSION

if TYPE_CHECKING:
    from rota.client.batch_handle import BatchHandle as BatchHandle
    from rota.client.client import AsyncClient as AsyncClient
    from rota.client.handle import Handle as Handle
    from rota.client.sync import Client as Client
    from rota.client.tls import Tls as Tls
    from rota.face.app import App as App
    from rota.face.task import Task as Task
    from rota.house import Node as Node
    from rota.model.errors import CannotConnect as CannotConnect
    from rota.model.errors import Conflict as Conflict
    from rota.model.errors import Forbidden as Forbidden
    from rota.model.errors import InvalidInput as InvalidInput
    from rota.model.errors import NotAuthenticated as NotAuthenticated
    from rota.model.errors import NotFound as NotFound
    from rota.model.errors import Overloaded as Overloaded
    from rota.model.errors import RefusesToStart as RefusesToStart
    from rota.model.errors import RotaError as RotaError
    from rota.model.errors import SealError as SealError
    from rota.model.errors import TaskCancelled as TaskCancelled
    from rota.model.errors import TaskError as TaskError
    from rota.model.errors import TaskExpired as TaskExpired
    from rota.model.errors import TaskFailed as TaskFailed
    from rota.model.errors import TaskTimedOut as TaskTimedOut
    from rota.model.errors import Unavailable as Unavailable
    from rota.model.errors import WaitTimeout as WaitTimeout
    from rota.model.secret import Secret as Secret
    from rota.worker.context import Cancel as Cancel
    from rota.worker.context import Context as Context
    from rota.worker.context import Retry as Retry
    from rota.worker.runtime import Worker as Worker

__version__ = VERSION
_ERRORS = (
    "CannotConnect Conflict Forbidden InvalidInput NotAuthenticated NotFound Overloaded RefusesToStart RotaError SealError "
    "TaskCancelled TaskError TaskExpired TaskFailed TaskTimedOut Unavailable WaitTimeout"
)
_WHERE = {
    "App": "rota.face.app",
    "AsyncClient": "rota.client.client",
    "BatchHandle": "rota.client.batch_handle",
    "Cancel": "rota.worker.context",
    "Client": "rota.client.sync",
    "Context": "rota.worker.context",
    "Handle": "rota.client.handle",
    "Node": "rota.house",
    "Secret": "rota.model.secret",
    "Retry": "rota.worker.context",
    "Task": "rota.face.task",
    "Tls": "rota.client.tls",
    "Worker": "rota.worker.runtime",
    **dict.fromkeys(_ERRORS.split(), "rota.model.errors"),
}

__all__ = [
    "App",
    "AsyncClient",
    "BatchHandle",
    "Cancel",
    "CannotConnect",
    "Client",
    "Conflict",
    "Context",
    "Forbidden",
    "Handle",
    "InvalidInput",
    "Node",
    "NotAuthenticated",
    "NotFound",
    "Overloaded",
    "RefusesToStart",
    "Retry",
    "RotaError",
    "SealError",
    "Secret",
    "Task",
    "TaskCancelled",
    "TaskError",
    "TaskExpired",
    "TaskFailed",
    "TaskTimedOut",
    "Tls",
    "Unavailable",
    "WaitTimeout",
    "Worker",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if (module := _WHERE.get(name)) is None:
        raise AttributeError(f"module 'rota' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return __all__
