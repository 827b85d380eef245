"""Params, JSON bytes, made into the arguments of a function: compiled once per method, from its signature and hints.

An object binds by name, an array by position, null to nothing. Values are converted by the hints as msgspec does it
(datetime, UUID, Decimal, Enum, dataclass, Struct …; pydantic models by themselves); where there is no hint, any JSON
value goes. What does not fit is BadParams, which names the parameter; trying again would not help.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import DecodeError, ValidationError
from msgspec.structs import astuple

from rota.model.errors import SealError
from rota.model.sealed import IN_JSON
from rota.model.secret import is_secret
from rota.worker import secrets
from rota.worker.context import Context

Reader = Callable[[bytes], tuple[Any, ...]]
_EMPTY, _VAR = inspect.Parameter.empty, (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_PLACE = re.compile(r" - at `\$(?:\.(\w+)|\[(\d+)\])(.*)`$")


class BadParams(Exception):
    """The params are no JSON, or do not fit the handler."""


class Parameters:
    """What a handler takes: its own parameters, in order, and where its context goes."""

    def __init__(self, fn: Callable[..., Any], *, context_first: bool = False) -> None:
        """`context_first`: the first parameter is the context, whatever its name and hint.

        Raises ValueError or TypeError for a callable without a signature.
        """
        hints = hints_of(fn)
        every = list(inspect.signature(fn).parameters.values())
        self.context = next((p for p in every if _is_context(p, hints)), every[0] if context_first and every else None)
        self.own = [p for p in every if p is not self.context]
        self.types: dict[str, Any] = {p.name: _convertible(hints.get(p.name, Any)) for p in self.own}
        self.hinted = any(p.name in hints for p in self.own)
        self.variadic = any(p.kind in _VAR for p in every)
        self.by_place = [p for p in self.own if p.kind not in (p.KEYWORD_ONLY, *_VAR)]
        self.by_name = [p for p in self.own if p.kind is p.KEYWORD_ONLY]
        self.context_place = every.index(self.context) if self.context in every else None


def hints_of(fn: Callable[..., Any]) -> dict[str, Any]:
    """Hints that cannot be resolved here (imported for type checkers only) count as absent."""
    target = fn if inspect.isroutine(fn) or inspect.isclass(fn) else type(fn).__call__
    try:
        return get_type_hints(target, include_extras=True)
    except Exception:
        return {}


def _is_context(parameter: inspect.Parameter, hints: dict[str, Any]) -> bool:
    said = hints.get(parameter.name, parameter.annotation)
    if said is _EMPTY or said is Any:
        return parameter.name == "ctx"
    if isinstance(said, str):
        return said.rpartition(".")[2] == "Context" and parameter.name in ("ctx", "context")
    return said is Context or Context in get_args(said)


def _convertible(hint: Any) -> Any:
    """The hint, or Any for a class that no JSON value can become."""
    try:
        msgspec.json.Decoder(hint)
        info = msgspec.inspect.type_info(hint)
    except Exception:
        return Any
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    foreign = isinstance(info, msgspec.inspect.CustomType) and not _is_model(inner) and not is_secret(inner)
    return Any if foreign else hint


def _is_model(kind: Any) -> bool:
    return hasattr(kind, "model_validate")


def _convert(kind: Any, value: Any) -> Any:
    """Classes that msgspec does not know: secrets are opened, pydantic's models read themselves."""
    if is_secret(kind):
        return secrets.open_hinted(kind, value)
    if _is_model(kind):
        return kind.model_validate(value)
    raise NotImplementedError(f"no JSON value becomes a {kind!r}")


# ---------------------------------------------------------------- readers


def value_reader(hint: Any) -> Callable[[bytes], Any]:
    """For a function that gets the whole value."""
    decode = msgspec.json.Decoder(hint, dec_hook=_convert).decode

    def read(params: bytes) -> Any:
        try:
            value = decode(params or b"null")
            return secrets.open_rest(value, hint) if IN_JSON in params else value
        except Exception as error:
            raise _bad(error, ()) from None

    return read


def arguments_reader(parameters: Parameters) -> Reader:
    """Gives the values of all own parameters in order, defaults filled in. Not for variadic functions."""
    own = parameters.own
    by_name = _decoder(parameters, own, array=False)
    by_place = _decoder(parameters, parameters.by_place, array=True)
    missing = [p.name for p in parameters.by_name if p.default is _EMPTY]
    rest = tuple(p.default for p in parameters.by_name)
    names = [p.name for p in own]
    types = [parameters.types[name] for name in names]

    def opened(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(map(secrets.open_rest, values, types, names))

    def read(params: bytes) -> tuple[Any, ...]:
        try:
            first = params[:1]
            if first == b"{":
                values = astuple(by_name(params))
                return opened(values) if IN_JSON in params else values
            first = params.lstrip()[:1]
            if first == b"[" and not missing:
                return opened(astuple(by_place(params)) + rest)
            if first in (b"", b"n"):
                params = b"{}" if not params or msgspec.json.decode(params) is None else params
            elif first == b"[":
                raise BadParams(f"{missing[0]} is given by name only: send an object, not an array")
            elif first != b"{":
                msgspec.json.decode(params)
                raise BadParams("params are an object (by name), an array (by position) or null")
            return opened(astuple(by_name(params)))
        except Exception as error:
            raise _bad(error, names) from None

    return read


def _decoder(parameters: Parameters, own: Sequence[inspect.Parameter], *, array: bool) -> Callable[[bytes], Any]:
    # Required ones after defaults exist among keyword-only parameters alone, so msgspec is told kw_only for objects.
    fields = [_field(p, parameters.types[p.name]) for p in own]
    struct = msgspec.defstruct("params", fields, array_like=array, forbid_unknown_fields=True, kw_only=not array)
    return msgspec.json.Decoder(struct, dec_hook=_convert).decode


def _field(parameter: inspect.Parameter, hint: Any) -> Any:
    if parameter.default is _EMPTY:
        return (parameter.name, hint)
    default = parameter.default
    return (parameter.name, hint, msgspec.field(default_factory=lambda: default))


def variadic_reader(fn: Callable[..., Any], parameters: Parameters) -> Callable[[bytes], inspect.BoundArguments]:
    """For functions with `*args` or `**kwargs`: slower, since the signature binds each time."""
    signature = inspect.Signature([p.replace(annotation=_EMPTY) for p in parameters.own])
    types = parameters.types

    def read(params: bytes) -> inspect.BoundArguments:
        try:
            value = msgspec.json.decode(params or b"null")
            args, kwargs = _spread(value)
            bound = signature.bind(*args, **kwargs)
            for name, given in bound.arguments.items():
                bound.arguments[name] = _converted(signature.parameters[name], given, types[name])
            if IN_JSON in params:
                _open_rest(bound, signature, types)
        except Exception as error:
            raise _bad(error, ()) from None
        return bound

    return read


def _open_rest(bound: inspect.BoundArguments, signature: inspect.Signature, types: dict[str, Any]) -> None:
    for name, value in bound.arguments.items():
        hint = Any if signature.parameters[name].kind in _VAR else types[name]
        bound.arguments[name] = secrets.open_rest(value, hint, name)


def _spread(value: Any) -> tuple[Sequence[Any], dict[str, Any]]:
    if value is None:
        return (), {}
    if isinstance(value, dict):
        return (), value
    if isinstance(value, list):
        return value, {}
    raise BadParams("params are an object (by name), an array (by position) or null")


def _converted(parameter: inspect.Parameter, given: Any, hint: Any) -> Any:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return tuple(_one(parameter.name, each, hint) for each in given)
    if parameter.kind is parameter.VAR_KEYWORD:
        return {name: _one(name, each, hint) for name, each in given.items()}
    return _one(parameter.name, given, hint)


def _one(name: str, value: Any, hint: Any) -> Any:
    try:
        return msgspec.convert(value, hint, dec_hook=_convert)
    except ValidationError as error:
        raise BadParams(f"{name}: {error}") from None


# ---------------------------------------------------------------- faults and schema


def _bad(error: Exception, names: Sequence[str]) -> BadParams | SealError:
    if isinstance(error, (BadParams, SealError)):
        return error
    if isinstance(error, ValidationError):
        return BadParams(_named(str(error), names))
    if isinstance(error, (DecodeError, UnicodeDecodeError)):
        return BadParams(f"the params are not JSON: {error}")
    if isinstance(error, RecursionError):
        return BadParams("the params are nested too deeply")
    return BadParams(str(error) or type(error).__name__)


def _named(message: str, names: Sequence[str]) -> str:
    """`Expected int … at $.a.b` and `… at $[0]` begin with the parameter's name instead."""
    found = _PLACE.search(message)
    if found is None:
        return message.replace("Object missing required field", "missing parameter").replace(
            "Object contains unknown field", "unknown parameter"
        )
    name, place, below = found.groups()
    if name is None:
        name = names[int(place)] if int(place) < len(names) else f"[{place}]"
    return f"{name}{below}: {message[: found.start()]}"


def schema_of(parameters: Parameters) -> bytes:
    """JSON Schema of the params as an object; empty where no parameter has a hint."""
    if not parameters.hinted:
        return b""
    named = [p for p in parameters.own if p.kind not in _VAR]
    fields = [_schema_field(p, parameters.types[p.name]) for p in named]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.own)
    return _schema(msgspec.defstruct("params", fields, kw_only=True, forbid_unknown_fields=not open_ended))


def value_schema(hint: Any) -> bytes:
    return b"" if hint is Any else _schema(hint)


def _schema_field(parameter: inspect.Parameter, hint: Any) -> Any:
    if parameter.default is _EMPTY:
        return (parameter.name, hint)
    if parameter.default is None or isinstance(parameter.default, (str, int, float, bool)):
        return (parameter.name, hint, parameter.default)
    return (parameter.name, hint, msgspec.field(default_factory=lambda: None))


def _schema(kind: Any) -> bytes:
    """Nothing where msgspec cannot say it."""
    try:
        schema = msgspec.json.schema(kind, schema_hook=_foreign_schema)
    except Exception:
        return b""
    definitions = schema.get("$defs", {})
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions:
        top = definitions.pop(name)
        schema = {**top, "$defs": definitions} if definitions else top
    return msgspec.json.encode(schema)


def _foreign_schema(kind: Any) -> dict[str, Any]:
    if is_secret(kind):
        return {"type": "string", "format": "rota-sealed", "writeOnly": True}
    return {"title": getattr(kind, "__name__", "")}
