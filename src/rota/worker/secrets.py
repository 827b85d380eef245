"""Secrets among the params of a run: opened for its handler, and taken out of what is said of it.

What was opened for a run does not leave by its log, its progress or its error: neither as it is, nor as JSON, an address or
`repr` would write it. Texts shorter than `SHORTEST` are left, since they may stand in any sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from rota.life.sealing import PARAMS, is_sealed, open_as
from rota.model.secret import Secret
from rota.telemetry.redaction import opened_here
from rota.worker.context import Source, running

SHORTEST = 4
"""Characters."""


class PlainSecret(Exception):
    """A value that is sealed came to a handler that would take it as plain."""


def open_hinted(kind: Any, value: Any) -> Secret[Any]:
    """What a hint calls a Secret. Raises ValueError for what is none, SealError for what cannot be opened here."""
    source = running.get(None)
    secret = open_as(kind, value, PARAMS, source.method if source is not None else "")
    if source is not None:
        _keep(source, secret)
    return secret


def open_rest(value: Any, hint: Any, name: str = "params") -> Any:
    """What no hint speaks of: sealed texts become Secrets. Raises PlainSecret where the hint wants a plain text."""
    if is_sealed(value):
        if hint is Any:
            return open_hinted(Secret, value)
        raise PlainSecret(f"{name}: the value is sealed; have the handler take it as rota.Secret[str]")
    if isinstance(value, dict):
        return {key: open_rest(each, Any) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(open_rest(each, Any) for each in value) if type(value) in (list, tuple) else value
    return value


def _keep(run: Source, secret: Secret[Any]) -> None:
    known = {*run.secrets, *(form for text in _texts(secret.reveal()) for form in _forms(text))}
    # The longer first: one secret may be the beginning of another.
    run.secrets = tuple(sorted(known, key=len, reverse=True))
    opened_here.set(run.secrets)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Secret):
        yield from _texts(value.reveal())
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield str(value)
    else:
        for name in _fields(type(value)):
            yield from _texts(getattr(value, name, None))


def _fields(kind: type) -> Iterable[str]:
    """Of a msgspec.Struct or a dataclass."""
    return getattr(kind, "__struct_fields__", ()) or getattr(kind, "__dataclass_fields__", ())


def _forms(text: str) -> Iterator[str]:
    if len(text) >= SHORTEST:
        yield from (text, quote(text, safe=""), json.dumps(text)[1:-1], repr(text)[1:-1], repr(text.encode())[2:-1])
        yield from (line for line in text.splitlines() if len(line) >= SHORTEST and line != text)
