"""Params and results as JSON, by msgspec; never pickle.

What JSON has no form of travels where msgspec has an agreed one: datetime, date, time, timedelta, UUID, Decimal and bytes
(as base64) as text, Enum by value, dataclasses and msgspec.Struct as objects, sets and tuples as arrays. A Secret is sealed.
All else, and a value that contains itself, is a TypeError that names the place: `params.a[3]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rota.life.sealing import PARAMS, SealNeeded, hook, sealer
from rota.model.errors import InvalidInput
from rota.model.secret import Secret

_encode = msgspec.json.Encoder(enc_hook=hook).encode
_decode = msgspec.json.Decoder().decode
_DEEPEST = 200


def encode(value: Any, path: str = "params", *, method: str = "") -> bytes:
    """JSON. `method`: for which Secrets are sealed.

    Raises TypeError naming the place of what cannot travel, and SealError where there is a Secret and no key.
    """
    try:
        data = _encode(value)
    except SealNeeded:
        data = _encode_sealed(value, path, method)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise TypeError(_explain(value, path, error)) from None
    if b"null" in data and (place := _not_a_number(value, path)):
        raise TypeError(f"{place}: NaN and infinity have no form in JSON; send None or a text")
    return data


def decode(data: bytes) -> Any:
    """The value of JSON; None for nothing. Raises InvalidInput (`invalid_json`)."""
    if not data:
        return None
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"not JSON: {error}", code="invalid_json") from error


def check_size(data: bytes, limit: int, path: str = "params") -> None:
    """Raises InvalidInput (`payload_too_large`) beyond the node's limit."""
    if len(data) > limit:
        raise InvalidInput.at(
            path,
            "payload_too_large",
            f"{len(data)} bytes; the limit is {limit}. Store the data elsewhere and send its address",
        )


def _encode_sealed(value: Any, path: str, method: str) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=sealer(PARAMS, method))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise TypeError(_explain(value, path, error)) from None


def _explain(value: Any, path: str, error: Exception) -> str:
    found = _unfit(value, path, ())
    place, why = found or (path, str(error))
    return f"{place}: {why}; params travel as JSON: send numbers, texts, lists, dicts, dataclasses, datetimes …"


def _unfit(value: Any, path: str, above: tuple[int, ...]) -> tuple[str, str] | None:
    """The place of the first part that cannot travel, and why."""
    if id(value) in above:
        return path, "contains itself"
    if len(above) > _DEEPEST:
        return path, f"is nested deeper than {_DEEPEST} levels"
    if isinstance(value, Mapping) and (bad := next((key for key in value if not _is_key(key)), None)) is not None:
        return path, f"a key of type {type(bad).__qualname__} has no form in JSON"
    parts = list(_parts(value, path))
    for place, part in parts:
        if (found := _unfit(part, place, (*above, id(value)))) is not None:
            return found
    return None if parts else _unfit_leaf(value, path)


def _unfit_leaf(value: Any, path: str) -> tuple[str, str] | None:
    if isinstance(value, Secret):
        return _unfit(value.reveal(), f"{path} (secret)", ())
    try:
        _encode(value)
    except UnicodeEncodeError:
        return path, "a text with a lone surrogate cannot travel"
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        return path, f"an object of type {type(value).__module__}.{type(value).__qualname__} cannot travel"
    return None


def _is_key(key: Any) -> bool:
    try:
        _encode({key: None})
    except (TypeError, ValueError, msgspec.MsgspecError):
        return False
    return True


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"{path}.{key}", part) for key, part in value.items())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"{path}[{place}]", part) for place, part in enumerate(value))
    elif hasattr(type(value), "__struct_fields__") or hasattr(type(value), "__dataclass_fields__"):
        names = getattr(type(value), "__struct_fields__", None) or type(value).__dataclass_fields__
        yield from ((f"{path}.{name}", getattr(value, name, None)) for name in names)


def _not_a_number(value: Any, path: str) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return path
    return next(
        (found for place, part in _parts(value, path) if (found := _not_a_number(part, place))),
        None,
    )
