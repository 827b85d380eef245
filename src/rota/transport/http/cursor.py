"""Cursors: where a page ended, and of which question. Opaque, and good for the same question only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct

import msgspec

from rota.model.errors import InvalidInput

_FORM = struct.Struct(">q8s")


def write_cursor(place: int, asked: msgspec.Struct) -> str:
    """`asked`: the query; its `limit` and `cursor` are not part of the question."""
    return base64.urlsafe_b64encode(_FORM.pack(place, _digest(asked))).decode().rstrip("=")


def read_cursor(text: str, asked: msgspec.Struct) -> int:
    """The place. Raises InvalidInput (`invalid_cursor`)."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        place, digest = _FORM.unpack(raw)
    except (binascii.Error, struct.error, ValueError):
        raise InvalidInput.at(
            "cursor", "invalid_cursor", "no page ended with this cursor; begin anew without one"
        ) from None
    if digest != _digest(asked) or place < 1:
        raise InvalidInput.at(
            "cursor", "invalid_cursor", "this cursor belongs to another question; keep the filters, or begin anew"
        )
    return place


def _digest(asked: msgspec.Struct) -> bytes:
    said = {name: value for name, value in msgspec.structs.asdict(asked).items() if name not in ("cursor", "limit")}
    return hashlib.blake2b(msgspec.json.encode(said, order="sorted"), digest_size=8).digest()
