"""A handler: a function made callable with (params as bytes, run), with everything that can be known of it beforehand."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from rota.life.sealing import as_secret, mentions_secret
from rota.model.method import Method
from rota.worker.binding import (
    BadParams,
    Parameters,
    arguments_reader,
    hints_of,
    schema_of,
    value_reader,
    value_schema,
    variadic_reader,
)
from rota.worker.context import Source
from rota.worker.processes.messages import Origin
from rota.worker.result import encode_result

__all__ = ["BadParams", "Call", "Handler", "UnknownMethod", "WrongSignature", "call_with_arguments", "call_with_value"]

Call = Callable[[bytes, Source], Any]
"""Raises BadParams before the function is entered. For an `async def` it gives the coroutine."""


class UnknownMethod(Exception):
    """The node gave this worker a task of a method that it does not offer."""


class WrongSignature(Exception):
    """The function cannot be called as a handler is."""


class Handler:
    """Made at registration. `place` is the function's file and line."""

    __slots__ = ("call", "close", "is_async", "isolated", "method", "name", "origin", "place", "returns", "version")

    def __init__(
        self,
        method: Method,
        call: Call,
        *,
        is_async: bool,
        place: str,
        close: Callable[[], Any] | None = None,
        origin: Origin | None = None,
        returns: Any = None,
    ) -> None:
        self.method = method
        self.name, self.version = method.name, method.version
        self.call = call
        self.is_async = is_async and origin is None
        """It runs on this process's loop."""
        self.isolated = origin is not None
        """It runs in a child process, which finds it by its origin."""
        self.origin = origin
        self.place = place
        self.close = close
        """Called once when the worker stops; of the kind that `is_async` says."""

        self.returns = returns
        """What it says it returns, where that is to be sealed."""

    def encode(self, value: Any) -> bytes:
        """A result as JSON. Raises what `encode_result` raises."""
        return encode_result(value if self.returns is None else as_secret(value, self.returns), self.name)


# ---------------------------------------------------------------- making calls


def is_async(fn: Callable[..., Any]) -> bool:
    while isinstance(fn, functools.partial):
        fn = fn.func
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004


def place_of(fn: Callable[..., Any]) -> str:
    """`file:line`, as far as it can be told."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(fn)


def secret_returned(fn: Callable[..., Any]) -> Any:
    """The hint of its result, where a Secret is in it."""
    hint = hints_of(fn).get("return")
    return hint if mentions_secret(hint) else None


def examine(fn: Callable[..., Any], *, context_first: bool = False) -> Parameters:
    """Raises WrongSignature for what cannot be a handler."""
    if not callable(fn):
        raise WrongSignature(f"{fn!r} cannot be called")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise WrongSignature("a generator gives no result; return a value, or wrap it in a function that does")
    try:
        return Parameters(fn, context_first=context_first)
    except (TypeError, ValueError) as error:
        raise WrongSignature(f"its signature cannot be read: {error}") from error


def call_with_value(fn: Callable[..., Any], *, context_first: bool = False) -> tuple[Call, bytes]:
    """For a function that takes the whole decoded value, and the context where it asks for it. With its schema."""
    parameters = examine(fn, context_first=context_first)
    needed = [p for p in parameters.own if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    takers = [p for p in parameters.own if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    if len(needed) > 1 or not takers:
        raise WrongSignature(
            f"it takes {len(needed)} arguments besides ctx, and is called with one, the params; "
            "write fn(params) or fn(ctx, params), or use @app.task for named arguments"
        )
    hint = parameters.types[takers[0].name]
    read = value_reader(hint)
    schema = value_schema(hint)
    if parameters.context is None:
        return lambda params, source: fn(read(params)), schema
    if parameters.context.kind is parameters.context.KEYWORD_ONLY:
        name = parameters.context.name
        return lambda params, source: fn(read(params), **{name: source.context}), schema
    if parameters.context_place == 0:
        return lambda params, source: fn(source.context, read(params)), schema
    return lambda params, source: fn(read(params), source.context), schema


def call_with_arguments(fn: Callable[..., Any]) -> tuple[Call, bytes]:
    """For a function whose arguments are bound from the params. With its schema."""
    parameters = examine(fn)
    schema = schema_of(parameters)
    if parameters.variadic:
        return _variadic(fn, parameters), schema
    read = arguments_reader(parameters)
    if not parameters.by_name and parameters.context is None:
        return lambda params, source: fn(*read(params)), schema
    if not parameters.by_name and parameters.context_place == 0:
        return lambda params, source: fn(source.context, *read(params)), schema
    return _mixed(fn, parameters), schema


def _mixed(fn: Callable[..., Any], parameters: Parameters) -> Call:
    read = arguments_reader(parameters)
    count = len(parameters.by_place)
    names = [p.name for p in parameters.by_name]
    insert = _context_inserter(parameters)

    def call(params: bytes, source: Source) -> Any:
        values = read(params)
        args, kwargs = list(values[:count]), dict(zip(names, values[count:], strict=True))
        insert(args, kwargs, source)
        return fn(*args, **kwargs)

    return call


def _variadic(fn: Callable[..., Any], parameters: Parameters) -> Call:
    read = variadic_reader(fn, parameters)
    insert = _context_inserter(parameters)

    def call(params: bytes, source: Source) -> Any:
        bound = read(params)
        args, kwargs = list(bound.args), dict(bound.kwargs)
        insert(args, kwargs, source)
        return fn(*args, **kwargs)

    return call


def _context_inserter(parameters: Parameters) -> Callable[[list[Any], dict[str, Any], Source], None]:
    context, place = parameters.context, parameters.context_place

    def insert(args: list[Any], kwargs: dict[str, Any], source: Source) -> None:
        if context is None:
            return
        if context.kind is context.KEYWORD_ONLY or (place or 0) > len(args):
            kwargs[context.name] = source.context
        else:
            args.insert(place or 0, source.context)

    return insert
