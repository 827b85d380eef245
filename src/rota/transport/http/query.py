"""The query of an address, as a Struct: what is unknown, given twice or out of range is refused, all of it together."""

from __future__ import annotations

import re
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from rota.model.errors import Fault, InvalidInput
from rota.transport.http.json_faults import faults_of_values, number_as_written, unknown

S = TypeVar("S", bound=msgspec.Struct)
MAX_PARAMETERS = 100
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def read_query(raw: bytes, shape: type[S]) -> S:
    """Raises InvalidInput. Of a list, values are separated by commas, or the parameter is repeated."""
    if not raw:
        return msgspec.convert({}, shape)
    faults: list[Fault] = []
    values = _values(_pairs(raw), shape, faults)
    faults += faults_of_values(values, shape)
    if faults:
        raise InvalidInput.all_of(faults)
    return msgspec.convert(values, shape, strict=False)


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except UnicodeDecodeError:
        raise InvalidInput.at("", "invalid_unicode", "the query of the address is not percent-encoded UTF-8") from None
    except ValueError:
        raise InvalidInput.at("", "too_many_parameters", f"more than {MAX_PARAMETERS} parameters") from None


def _values(pairs: list[tuple[str, str]], shape: type[msgspec.Struct], faults: list[Fault]) -> dict[str, Any]:
    known = {field.encode_name: inspect.type_info(field.type) for field in msgspec.structs.fields(shape)}
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name not in known:
            faults.append(Fault(name[:100], "unknown_parameter", unknown(name, known)))
        elif (plain := _plain(known[name])) is inspect.ListType:
            values.setdefault(name, []).extend(part for part in text.split(",") if part)
        elif name in values:
            faults.append(Fault(name, "duplicate_parameter", "is given more than once"))
        else:
            values[name] = _value(text, plain)
    return values


def _plain(found: inspect.Type) -> type[inspect.Type]:
    while isinstance(found, inspect.Metadata):
        found = found.type
    if isinstance(found, inspect.UnionType):
        return next(kind for kind in map(_plain, found.types) if kind is not inspect.NoneType)
    return type(found)


def _value(text: str, plain: type[inspect.Type]) -> Any:
    if plain in (inspect.IntType, inspect.FloatType) and _NUMBER.fullmatch(text):
        return number_as_written(text)
    if plain is inspect.BoolType and text in ("true", "false"):
        return text == "true"
    return text
