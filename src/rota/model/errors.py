"""Every error that Rota shows, in one tree.

    RotaError                      code, detail, what to do
    ├── InvalidInput               the caller sent something that cannot be accepted (errors: path, code, message)
    ├── NotFound                   no such task, method, worker
    ├── Conflict                   the object is in a state that forbids the call
    ├── Overloaded                 a limit of the node is reached: come again later
    ├── Unavailable                the node or its store cannot answer now
    │   └── CannotConnect          no node could be reached
    ├── NotAuthenticated           no token, or a bad one
    ├── Forbidden                  the token's roles do not allow the call
    ├── SealError                  a secret cannot be sealed or opened: no key, another key, or it was changed
    ├── RefusesToStart             unsafe or wrong configuration; nothing was started
    └── TaskError                  what `result()` raises: the task ended, but not well
        ├── TaskFailed             the handler raised, or ran out of tries
        │   └── TaskTimedOut       the last try ran out of time
        ├── TaskCancelled
        └── TaskExpired
    WaitTimeout (TimeoutError)     the wait ended, the task goes on

An error carries the stable `code` that every door shows; the sentence is for people and may change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong place in an input."""

    path: str
    code: str
    message: str


class RotaError(Exception):
    """The root of the tree."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None, errors: tuple[Fault, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        if code is not None:
            self.code = code

    def __reduce__(self) -> Any:
        return (_rebuild, (type(self), self.detail, self.code, self.errors))


def _rebuild(kind: type[RotaError], detail: str, code: str, errors: tuple[Fault, ...]) -> RotaError:
    error = kind.__new__(kind)
    RotaError.__init__(error, detail, code=code, errors=errors)
    return error


class InvalidInput(RotaError):
    code = "invalid_input"

    @classmethod
    def at(cls, path: str, code: str, message: str) -> InvalidInput:
        """One wrong place: its path, a stable code, and a sentence with the limit and the way out."""
        return cls(f"{path}: {message}" if path else message, code=code, errors=(Fault(path, code, message),))

    @classmethod
    def all_of(cls, faults: list[Fault]) -> InvalidInput:
        """Several wrong places, told together."""
        detail = "; ".join(f"{f.path}: {f.message}" for f in faults[:10])
        return cls(detail, code=faults[0].code if len(faults) == 1 else "invalid_input", errors=tuple(faults))


class NotFound(RotaError):
    code = "not_found"

    @classmethod
    def task(cls, task_id: str) -> NotFound:
        return cls(
            f"no task {task_id}: it was never accepted here, or its history was removed after its time",
            code="task_not_found",
        )


class Conflict(RotaError):
    code = "conflict"


class Overloaded(RotaError):
    code = "overloaded"
    retry_after = 0
    """Microseconds to wait, where that is known better than by the kind of error; 0: it is not."""


class Unavailable(RotaError):
    code = "unavailable"


class CannotConnect(Unavailable):
    code = "cannot_connect"


class NotAuthenticated(RotaError):
    code = "not_authenticated"


class Forbidden(RotaError):
    code = "forbidden"


class RefusesToStart(RotaError):
    code = "refuses_to_start"


class SealError(RotaError):
    code = "seal_error"


class TaskError(RotaError):
    code = "task_error"


class TaskFailed(TaskError):
    """The handler raised, or the task ran out of tries.

    `error_type` is the qualified name of the exception class in the worker, `message` its text,
    `traceback` the worker's traceback as text (may be empty), `reason` why the task ended.
    """

    code = "task_failed"

    def __init__(
        self, task_id: str, error_type: str = "", message: str = "", traceback: str = "", reason: str = "failed"
    ) -> None:
        what = f"{error_type}: {message}" if error_type else (message or reason)
        super().__init__(f"task {task_id} failed ({reason}): {what}")
        self.task_id, self.error_type, self.message = task_id, error_type, message
        self.traceback, self.reason = traceback, reason

    def __reduce__(self) -> Any:
        return (type(self), (self.task_id, self.error_type, self.message, self.traceback, self.reason))


class TaskTimedOut(TaskFailed):
    code = "task_timed_out"


class TaskCancelled(TaskError):
    code = "task_cancelled"

    def __init__(self, task_id: str, reason: str = "") -> None:
        super().__init__(f"task {task_id} was cancelled" + (f": {reason}" if reason else ""))
        self.task_id, self.reason = task_id, reason

    def __reduce__(self) -> Any:
        return (type(self), (self.task_id, self.reason))


class TaskExpired(TaskError):
    code = "task_expired"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"task {task_id} expired before a worker started it")
        self.task_id = task_id

    def __reduce__(self) -> Any:
        return (type(self), (self.task_id,))


class WaitTimeout(RotaError, TimeoutError):
    """The wait ended; the task goes on and can be waited for again."""

    code = "wait_timeout"
