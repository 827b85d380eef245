"""Secrets inside params and results: sealed where JSON is written, opened where it is read.

Encoders of JSON get `hook` as their `enc_hook`; it raises SealNeeded for a Secret, so that what has none pays nothing, and
the whole is encoded once more by `sealer`. Readers know a Secret by its hint, or by the look of a text (`is_sealed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from rota.life import keyring
from rota.model.errors import SealError
from rota.model.sealed import BEGIN
from rota.model.secret import Secret, is_secret

PARAMS, RESULT = "params", "result"


class SealNeeded(Exception):
    """There is a Secret in it."""


def hook(value: Any) -> Any:
    """For encoders: raises SealNeeded for a Secret, else TypeError as msgspec does."""
    if isinstance(value, Secret):
        raise SealNeeded
    raise TypeError(f"Encoding objects of type {type(value).__qualname__} is unsupported")


def use_of(what: str, method: str) -> str:
    """What a value is sealed for: a method's params, or its result."""
    return f"{what}:{method}"


def sealer(what: str, method: str) -> Callable[[Any], Any]:
    """The `enc_hook` that writes each Secret as a sealed text. Raises SealError where there is no key."""
    use, keys = use_of(what, method), keyring.own()

    def seal(value: Any) -> Any:
        if isinstance(value, Secret):
            return keys.seal(_plain(value), use)
        return hook(value)

    return seal


def seal(secret: Secret[Any], what: str, method: str) -> str:
    """One value, sealed."""
    return keyring.own().seal(_plain(secret), use_of(what, method))


def open_as(kind: Any, text: Any, what: str, method: str) -> Secret[Any]:
    """A sealed text as the hint says (`Secret[str]`). Raises ValueError for what is none, SealError for what it cannot open."""
    if not is_sealed(text):
        raise ValueError(
            "it must be sealed and came as it is; submit a rota.Secret, or the text that `rota seal value` prints"
        )
    try:
        plain = keyring.own().unseal(text, use_of(what, method))
    except SealError as error:
        if error.code == "cannot_unseal":
            raise ValueError(error.detail) from None
        raise
    inner = get_args(kind)
    return Secret(msgspec.json.decode(plain, type=inner[0] if inner else Any))


def is_sealed(value: Any) -> bool:
    """By its look."""
    return isinstance(value, str) and value.startswith(BEGIN)


def mentions_secret(hint: Any) -> bool:
    """A hint that has a Secret somewhere in it, classes not looked into."""
    return is_secret(hint) or any(mentions_secret(part) for part in get_args(hint))


def as_secret(value: Any, hint: Any) -> Any:
    """What the hint calls a Secret made one: `Secret[str]`, `Secret[str] | None`, `list[Secret[str]]`, `dict[str, Secret[str]]`."""
    if value is None or isinstance(value, Secret):
        return value
    inner = [part for part in get_args(hint) if mentions_secret(part)]
    if is_secret(hint) or not inner:
        return Secret(value)
    if isinstance(value, Mapping):
        return {key: as_secret(each, inner[0]) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_secret(each, inner[0]) for each in value]
    return as_secret(value, inner[0])


def _plain(secret: Secret[Any]) -> bytes:
    return msgspec.json.encode(secret.reveal())
