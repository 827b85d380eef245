"""A sealed value as it stands in params and results: a text that says nothing to those who have no key.

`rota:sealed:1:KID:BODY`. KID names the key; BODY is base64url, without padding, of the nonce (12 bytes), the ciphertext
and the tag (16 bytes) of AES-256-GCM. A node never opens one: it shows `***` in its place.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BEGIN = "rota:sealed:"
IN_JSON = b'"rota:sealed:'
SHOWN = b'"***"'
_IN_JSON = re.compile(rb'"rota:sealed:[0-9]{1,4}:[A-Za-z0-9._-]{1,64}:[A-Za-z0-9_-]+"')
_WHOLE = re.compile(r"rota:sealed:(?P<form>[0-9]{1,4}):(?P<kid>[A-Za-z0-9._-]{1,64}):(?P<body>[A-Za-z0-9_-]+)")


class Sealed(NamedTuple):
    """The parts of the text."""

    form: int
    kid: str
    body: str


def hidden(json: bytes) -> bytes:
    """JSON with `***` in the place of each sealed value."""
    return _IN_JSON.sub(SHOWN, json) if IN_JSON in json else json


def parts_of(text: str) -> Sealed | None:
    """None: it is no sealed value."""
    found = _WHOLE.fullmatch(text)
    return Sealed(int(found["form"]), found["kid"], found["body"]) if found else None
