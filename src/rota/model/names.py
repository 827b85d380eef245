"""What a name may be: printable Unicode in NFC, up to 128 bytes, no control or bidirectional characters."""

from __future__ import annotations

import unicodedata

from rota.model.errors import InvalidInput

MAX_NAME_BYTES = 128
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def check_name(value: str, path: str) -> str:
    """The name itself, or InvalidInput (`invalid_name`). Chinese names are fine."""
    if not value.isascii() or not value.isprintable() or not 0 < len(value) <= MAX_NAME_BYTES or value != value.strip():
        _check_slowly(value, path)
    return value


def _check_slowly(value: str, path: str) -> None:
    problem = ""
    if not value:
        problem = "is empty"
    elif len(value.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        problem = f"is longer than {MAX_NAME_BYTES} bytes"
    elif value != value.strip():
        problem = "begins or ends with a blank"
    elif any(unicodedata.category(c) in ("Cc", "Cs", "Cn", "Zl", "Zp") or c in _BIDI for c in value):
        problem = "has a control, bidirectional or unassigned character"
    elif not unicodedata.is_normalized("NFC", value):
        problem = "is not in Unicode normal form NFC"
    if problem:
        raise InvalidInput.at(
            path,
            "invalid_name",
            f"the name {problem}; a name is 1 to {MAX_NAME_BYTES} bytes of printable text, as in 'send-mail' or '发邮件'",
        )
