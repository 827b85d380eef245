"""Exceptions of handlers as they travel: class names, message, traceback without Rota's own frames."""

from __future__ import annotations

import traceback
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from rota.model.failure import MAX_MESSAGE, MAX_TRACEBACK, Failure
from rota.telemetry.redaction import redactor, without

_OWN = str(Path(__file__).parent)


def failure_of(error: BaseException, secrets: tuple[str, ...] = ()) -> Failure:
    """Never raises, whatever the exception's own `__str__` does."""
    return cleaned(class_names(type(error)), _message(error), _traceback(error), secrets)


def cleaned(types: tuple[str, ...], message: str, traceback: str = "", secrets: tuple[str, ...] = ()) -> Failure:
    """Without the secrets of this process and of the run, and cut to what travels: in that order, lest half a secret is left."""
    message, traceback = (without(redactor.own(text), secrets) for text in (message, traceback))
    return Failure(types, message[:MAX_MESSAGE], traceback[-MAX_TRACEBACK:])


@lru_cache(512)
def class_names(kind: type[BaseException]) -> tuple[str, ...]:
    """The class and its bases, up to Exception; builtins by their bare names."""
    return tuple(_name(base) for base in kind.__mro__ if base not in (object, BaseException) or base is kind)


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as another:
        return f"(the text of this {type(error).__name__} cannot be had: {type(another).__name__})"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, _below(error.__traceback__)))
    except Exception as another:
        return f"(the traceback cannot be had: {type(another).__name__})"


def _below(trace: TracebackType | None) -> TracebackType | None:
    """What lies below Rota's own frames; all of it where there is nothing else."""
    start = trace
    while start is not None and start.tb_frame.f_code.co_filename.startswith(_OWN):
        start = start.tb_next
    return start
