"""What is wrong with a body, told in full: read with the standard library's JSON, token by token, by the shape it should have.

Slow, and only for bodies that have failed, or that the quick way is not sure of. Params are walked over, not into.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from typing import Any

import msgspec
from msgspec import inspect

from rota.model.errors import Fault, InvalidInput

MAX_DEPTH = 64
MAX_FAULTS = 100
MAX_DIGITS = 400
"""Of a number in the envelope."""
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_CONSTANT = re.compile(rb"-?(?:NaN|Infinity)")


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, with its repeats."""


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _NoNumber(ValueError):
    """NaN, Infinity."""


def check_well(body: bytes) -> None:
    """Raises InvalidInput (`invalid_unicode`, `too_deep`) for what well-formed JSON may still be."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise _malformed(
            "invalid_unicode", f"byte {error.start} is not UTF-8; JSON is sent as UTF-8", body, error.start
        ) from None
    if is_deep(body):
        raise InvalidInput.at("", "too_deep", f"lists and objects stand in each other more than {MAX_DEPTH} deep")


def is_deep(body: bytes) -> bool:
    """Brackets inside of each other, those in texts left out: each round takes the innermost away."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRINGS.sub(b"", body).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            return brackets.count(b"[") > MAX_DEPTH
        brackets = fewer
    return bool(brackets)


def faults_of(body: bytes, shape: type[msgspec.Struct], said: str) -> InvalidInput:
    """Why a body is not of this shape. `said`: what the quick reader said of it; without faults it is in order."""
    try:
        check_well(body)
        value = _parse(body, said)
    except InvalidInput as refusal:
        return refusal
    faults: list[Fault] = []
    _walk(value, _type_of(shape), "", faults)
    for code in ("duplicate_key", "number_out_of_range", "invalid_number"):
        if of_code := [fault for fault in faults if fault.code == code]:
            return InvalidInput(of_code[0].message, code=code, errors=tuple(of_code[:MAX_FAULTS]))
    if faults and not faults[0].path:
        return InvalidInput.at("", faults[0].code, f"the body {faults[0].message}")
    if not faults and said:
        return InvalidInput.at("", "invalid_json", f"the body cannot be read: {said}")
    return InvalidInput.all_of(faults[:MAX_FAULTS]) if faults else InvalidInput("")


def faults_of_values(values: dict[str, Any], shape: type[msgspec.Struct]) -> list[Fault]:
    """The same for values that did not come as JSON: the query of an address."""
    faults: list[Fault] = []
    _walk(_Pairs(values.items()), _type_of(shape), "", faults)
    return [
        Fault(each.path, "out_of_range", each.message)
        if each.code in ("number_out_of_range", "invalid_number")
        else each
        for each in faults
    ]


@functools.cache
def _type_of(shape: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(shape)


def number_as_written(text: str) -> str:
    """How `faults_of_values` wants to see a number."""
    return _Number(text)


def _parse(body: bytes, said: str) -> Any:
    text = body.decode()
    try:
        value = json.loads(
            text, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_no_number
        )
    except _NoNumber as error:
        found = _CONSTANT.search(_STRINGS.sub(_blanked, body))
        raise _malformed(
            "invalid_number", f"{error} is not a number of JSON", body, found.start() if found else 0
        ) from None
    except json.JSONDecodeError as error:
        raise InvalidInput.at(
            "", "invalid_json", f"{error.msg.lower()}, at line {error.lineno}, column {error.colno} of the body"
        ) from None
    if _has_lone_surrogate(text):
        raise InvalidInput.at("", "invalid_unicode", "half of a surrogate pair (\\ud800 … \\udfff) is not a character")
    if "malformed" in said and (at := _AT_BYTE.search(said)) is not None:
        raise _malformed("invalid_json", said.partition(" (byte")[0], body, int(at[1]))
    return value


def _blanked(text: re.Match[bytes]) -> bytes:
    return b" " * len(text[0])


def _no_number(word: str) -> Any:
    raise _NoNumber(word)


_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")


def _has_lone_surrogate(text: str) -> bool:
    """Of valid JSON: whether an escape stands for half of a pair."""
    if "\\u" not in text:
        return False
    high_ends = -1
    for found in _ESCAPED.finditer(text):
        code = int(found[1], 16) if found[1] else 0
        if 0xDC00 <= code <= 0xDFFF:
            if high_ends != found.start():
                return True
            high_ends = -1
            continue
        if high_ends >= 0:
            return True
        if 0xD800 <= code <= 0xDBFF:
            high_ends = found.end()
    return high_ends >= 0


def _malformed(code: str, what: str, body: bytes, place: int) -> InvalidInput:
    before = body[:place]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return InvalidInput.at("", code, f"{what}, at line {line}, column {column} of the body")


# ---------------------------------------------------------------- by shape


def _walk(value: Any, wanted: inspect.Type, path: str, faults: list[Fault]) -> None:
    """Adds the faults of a value that should be of this type."""
    extra, wanted = _bare(wanted)
    if isinstance(wanted, (inspect.RawType, inspect.AnyType)) or _is_absence(value, wanted):
        return
    if isinstance(wanted, inspect.UnionType):
        wanted = next(each for each in wanted.types if not isinstance(each, inspect.NoneType))
        more, wanted = _bare(wanted)
        extra = extra or more
    if isinstance(wanted, inspect.StructType) and isinstance(value, _Pairs):
        _walk_struct(value, wanted, path, faults)
    elif isinstance(wanted, inspect.DictType) and isinstance(value, _Pairs):
        for name, item in _once(value, path, faults).items():
            _walk(item, wanted.value_type, _under(path, name), faults)
    elif isinstance(wanted, inspect.ListType) and isinstance(value, list) and not isinstance(value, _Pairs):
        _check_length(value, wanted, path, faults)
        for place, item in enumerate(value):
            if len(faults) > MAX_FAULTS:
                return
            _walk(item, wanted.item_type, f"{path}[{place}]", faults)
    else:
        _check_value(value, wanted, extra, path, faults)


def _walk_struct(value: _Pairs, wanted: inspect.StructType, path: str, faults: list[Fault]) -> None:
    given = _once(value, path, faults)
    known = {field.encode_name: field for field in wanted.fields}
    for name, item in given.items():
        if name in known:
            _walk(item, known[name].type, _under(path, name), faults)
        else:
            faults.append(Fault(_under(path, name[:100]), "unknown_field", unknown(name, known)))
    faults.extend(
        Fault(_under(path, field.encode_name), "missing_field", "is needed")
        for field in wanted.fields
        if field.required and field.encode_name not in given
    )


def unknown(name: str, known: Any) -> str:
    """A sentence on a name that is not known here, with the nearest one that is."""
    near = difflib.get_close_matches(name[:100], known, 1)
    return f"no such field; did you mean {near[0]}?" if near else f"no such field; there are {', '.join(known)}"


def _once(value: _Pairs, path: str, faults: list[Fault]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, item in value:
        if name in given:
            place = _under(path, name[:100])
            faults.append(Fault(place, "duplicate_key", f"{place} is given more than once"))
        given[name] = item
    return given


def _check_value(value: Any, wanted: inspect.Type, extra: str, path: str, faults: list[Fault]) -> None:
    plain = value
    if isinstance(value, _Number):
        if len(value) > MAX_DIGITS or (number := _number(value)) is None:
            shown = f"{value[:20]}…" if len(value) > 20 else str(value)
            code = "number_out_of_range" if len(value) > MAX_DIGITS else "invalid_number"
            faults.append(Fault(path, code, f"{path}: the number {shown} is out of every range"))
            return
        plain = number
    if not _fits_kind(plain, wanted):
        faults.append(Fault(path, "wrong_type", f"must be {extra or expected(wanted)}, not {_kind(value)}"))
    elif not _fits(plain, wanted):
        faults.append(Fault(path, _code_of(wanted), f"must be {extra or expected(wanted)}, not {_shown(value)}"))


def _fits_kind(value: Any, wanted: inspect.Type) -> bool:
    if isinstance(wanted, inspect.BoolType):
        return isinstance(value, bool)
    if isinstance(wanted, inspect.IntType):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(wanted, inspect.FloatType):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(wanted, (inspect.StrType, inspect.LiteralType)) and isinstance(value, str)


def _fits(value: Any, wanted: inspect.Type) -> bool:
    if isinstance(wanted, inspect.LiteralType):
        return value in wanted.values
    if isinstance(wanted, (inspect.IntType, inspect.FloatType)):
        return (wanted.ge is None or value >= wanted.ge) and (wanted.le is None or value <= wanted.le)
    if isinstance(wanted, inspect.StrType):
        low, high = wanted.min_length or 0, wanted.max_length
        return low <= len(value) and (high is None or len(value) <= high)
    return True


def _check_length(value: list[Any], wanted: inspect.ListType, path: str, faults: list[Fault]) -> None:
    low, high = wanted.min_length or 0, wanted.max_length
    if len(value) < low or (high is not None and len(value) > high):
        faults.append(Fault(path, "out_of_range", f"must be {expected(wanted)}, not {len(value)}"))


def expected(wanted: inspect.Type) -> str:
    """A type in words, as in `a number from 0 to 9`."""
    extra, wanted = _bare(wanted)
    if extra:
        return extra
    if isinstance(wanted, inspect.UnionType):
        return expected(next(each for each in wanted.types if not isinstance(each, inspect.NoneType)))
    if isinstance(wanted, inspect.LiteralType):
        return "one of " + ", ".join(map(str, wanted.values))
    if isinstance(wanted, (inspect.IntType, inspect.FloatType)):
        words = "a whole number" if isinstance(wanted, inspect.IntType) else "a number"
        if wanted.ge is not None and wanted.le is not None:
            return f"{words} from {wanted.ge:g} to {wanted.le:.15g}"
        return words if wanted.ge is None else f"{words} of {wanted.ge:g} or more"
    if isinstance(wanted, inspect.BoolType):
        return "true or false"
    if isinstance(wanted, inspect.StrType):
        return f"text of {wanted.min_length or 0} to {wanted.max_length} characters" if wanted.max_length else "text"
    if isinstance(wanted, inspect.ListType):
        many = f" of {wanted.min_length or 0} to {wanted.max_length}" if wanted.max_length is not None else ""
        return f"a list{many}"
    return "an object"


def _bare(found: inspect.Type) -> tuple[str, inspect.Type]:
    """A type without its metadata, and the words that stand there for it."""
    extra = ""
    while isinstance(found, inspect.Metadata):
        extra = extra or (found.extra or {}).get("expected", "")
        found = found.type
    return extra, found


def _is_absence(value: Any, wanted: inspect.Type) -> bool:
    return (
        value is None
        and isinstance(wanted, inspect.UnionType)
        and any(isinstance(each, inspect.NoneType) for each in wanted.types)
    )


def _number(text: str) -> int | float | None:
    """None: out of range of every field."""
    try:
        number = int(text)
    except ValueError:
        number = float(text)
        return number if abs(number) <= 1.7e308 else None
    return number


def _code_of(wanted: inspect.Type) -> str:
    return "out_of_range" if isinstance(wanted, (inspect.IntType, inspect.FloatType)) else "invalid_value"


def _kind(value: Any) -> str:
    if isinstance(value, _Number):
        return "a number"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, _Pairs):
        return "an object"
    return "a list" if isinstance(value, list) else "text"


def _shown(value: Any) -> str:
    if isinstance(value, _Number):
        return value if len(value) <= 24 else f"{value[:24]}…"
    return f"{value[:40]!r}" if isinstance(value, str) else _kind(value)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
