"""Arguments of a local call made into params, and results made into what the function says it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args, get_type_hints

import msgspec

from rota.client.views import Outcome
from rota.life.sealing import RESULT, as_secret, is_sealed, mentions_secret, open_as
from rota.model.errors import SealError
from rota.model.secret import Secret, is_secret

_EMPTY = inspect.Parameter.empty
_PLAIN = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)


class Binder:
    """Called with positional and named arguments, it gives the params: an object by name.

    Only a function with `*args` that is given more than its names takes an array. Raises TypeError as the call would.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        signature = inspect.signature(fn)
        hints = _hints(fn)
        own = [p for p in signature.parameters.values() if not _is_context(p, hints)]
        self._fn = fn
        self._signature = signature.replace(parameters=own)
        self._names = tuple(p.name for p in own)
        self._plain = all(p.kind in _PLAIN for p in own)
        self._rest = next((p.name for p in own if p.kind is p.VAR_POSITIONAL), None)
        self._more = next((p.name for p in own if p.kind is p.VAR_KEYWORD), None)
        self._secret = {p.name: hints[p.name] for p in own if mentions_secret(hints.get(p.name))}

    def __call__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any] | list[Any]:
        if self._plain and not kwargs and len(args) == len(self._names):
            return self._marked(dict(zip(self._names, args, strict=True)))
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._fn.__qualname__}{self._signature}: {error}") from None
        named = self._marked(bound.arguments)
        if self._rest is not None and named.get(self._rest):
            return self._as_array(bound)
        if self._rest is not None:
            named.pop(self._rest, None)
        if self._more is not None:
            named.update(named.pop(self._more, {}))
        return named

    def _marked(self, named: dict[str, Any]) -> dict[str, Any]:
        """What the hints call a Secret is one, given as one or as it is."""
        for name, hint in self._secret.items():
            if name in named:
                named[name] = _as_secret(named[name], hint, self._signature.parameters[name].kind)
        return named

    def _as_array(self, bound: inspect.BoundArguments) -> list[Any]:
        if bound.kwargs:
            raise TypeError(
                f"{self._fn.__qualname__}: params are an array or an object, so that *{self._rest} and "
                f"{', '.join(bound.kwargs)} by name cannot travel together"
            )
        return list(bound.args)


def _as_secret(value: Any, hint: Any, kind: Any) -> Any:
    if kind is inspect.Parameter.VAR_POSITIONAL:
        return tuple(as_secret(each, hint) for each in value)
    if kind is inspect.Parameter.VAR_KEYWORD:
        return {name: as_secret(each, hint) for name, each in value.items()}
    return as_secret(value, hint)


def result_reader(fn: Callable[..., Any], method: str) -> Callable[[Outcome], Any]:
    """Reads an outcome's result as the function's return hint says; as plain JSON where that says nothing or does not fit.

    A Secret in it is opened, which raises SealError where that cannot be done.
    """
    hint = _hints(fn).get("return", Any)
    if hint in (Any, None, type(None), int, str, float, bool, dict, list):
        return Outcome.value
    try:
        decode = msgspec.json.Decoder(hint, dec_hook=_opener(method)).decode
    except Exception:  # a class of which msgspec knows nothing
        return Outcome.value

    def read(outcome: Outcome) -> Any:
        if outcome.ok:
            try:
                return decode(outcome.raw)
            except msgspec.MsgspecError:
                return outcome.value()
        return outcome.value()

    return read


def _opener(method: str) -> Callable[[Any, Any], Any]:
    def read(kind: Any, value: Any) -> Any:
        if is_secret(kind):
            return _opened(kind, value, method)
        raise TypeError(f"no JSON value becomes a {kind!r}")  # which msgspec makes an error of its own

    return read


def _opened(kind: Any, value: Any, method: str) -> Secret[Any]:
    """What a worker without the hint returned comes as it is."""
    if not is_sealed(value):
        return Secret(value)
    try:
        return open_as(kind, value, RESULT, method)
    except ValueError as error:
        raise SealError(f"the result of {method}: {error}", code="cannot_unseal") from None


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    """Hints that cannot be resolved here (imported for type checkers only) count as absent."""
    try:
        return get_type_hints(fn)
    except Exception:
        return {}


def _is_context(parameter: inspect.Parameter, hints: dict[str, Any]) -> bool:
    """As a worker sees it."""
    said = hints.get(parameter.name, parameter.annotation)
    if said is _EMPTY:
        return parameter.name == "ctx"
    if isinstance(said, str):
        return said.rpartition(".")[2] == "Context" and parameter.name in ("ctx", "context")
    return any(
        getattr(each, "__module__", "") == "rota.worker.context" and each.__name__ == "Context"
        for each in (said, *get_args(said))
    )
