"""Cursors: where a page ended, and of which question. Opaque, and good for the same question only."""

from __future__ import annotations

import hashlib
import struct

import msgspec

from rota.model.errors import InvalidInput
from rota.transport.cursor_text import cursor_bytes, cursor_text, no_such_page

_FORM = struct.Struct(">q8s")


def write_cursor(place: int, asked: msgspec.Struct) -> str:
    """`asked`: the query; its `limit` and `cursor` are not part of the question."""
    return cursor_text(_FORM.pack(place, _digest(asked)))


def read_cursor(text: str, asked: msgspec.Struct) -> int:
    """The place. Raises InvalidInput (`invalid_cursor`)."""
    try:
        place, digest = _FORM.unpack(cursor_bytes(text))
    except (struct.error, ValueError):
        raise no_such_page() from None
    if digest != _digest(asked) or place < 1:
        raise InvalidInput.at(
            "cursor", "invalid_cursor", "this cursor belongs to another question; keep the filters, or begin anew"
        )
    return place


def _digest(asked: msgspec.Struct) -> bytes:
    said = {name: value for name, value in msgspec.structs.asdict(asked).items() if name not in ("cursor", "limit")}
    return hashlib.blake2b(msgspec.json.encode(said, order="sorted"), digest_size=8).digest()
