"""Results as JSON; never pickle. What cannot be written, or would arrive as something else, names its place."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from rota.life.sealing import RESULT, SealNeeded, hook, sealer

_encode = msgspec.json.Encoder(enc_hook=hook).encode


def encode_result(value: Any, method: str = "") -> bytes:
    """JSON. `method`: for whose result Secrets are sealed.

    Raises TypeError naming the place of what cannot be written, and SealError where there is a Secret and no key.
    """
    if value is None:
        return b"null"
    try:
        data = _encode(value)
    except SealNeeded:
        return _sealed(value, method)
    except RecursionError:
        raise TypeError("the result is nested too deeply, or contains itself") from None
    except Exception as error:
        raise TypeError(f"{_unwritable(value, 'result') or 'the result'} cannot be written as JSON: {error}") from None
    if b"null" in data and (place := _no_number(msgspec.to_builtins(value, str_keys=True), "result")):
        raise TypeError(f"{place}: NaN and infinity have no form in JSON; return None or a text")
    return data


def _sealed(value: Any, method: str) -> bytes:
    seal = sealer(RESULT, method)
    try:
        return msgspec.json.encode(value, enc_hook=seal)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise TypeError(f"the result cannot be written as JSON: {error}") from None


def _unwritable(value: Any, path: str) -> str | None:
    """The path of the first part that cannot be encoded by itself."""
    if isinstance(value, dict):
        for key, each in value.items():
            try:
                _encode({key: None})
            except Exception:
                return f"the key {key!r} of {path}"
            if found := _unwritable(each, f"{path}[{key!r}]"):
                return found
        return None
    if isinstance(value, (list, tuple, set, frozenset)):
        return next((found for i, each in enumerate(value) if (found := _unwritable(each, f"{path}[{i}]"))), None)
    try:
        _encode(value)
    except Exception:
        return f"{path} ({type(value).__qualname__})"
    return None


def _no_number(value: Any, path: str) -> str | None:
    """The path of the first number that JSON would hold as null."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    if isinstance(value, dict):
        return next((found for key, each in value.items() if (found := _no_number(each, f"{path}[{key!r}]"))), None)
    if isinstance(value, (list, tuple, set, frozenset)):
        return next((found for i, each in enumerate(value) if (found := _no_number(each, f"{path}[{i}]"))), None)
    return None
