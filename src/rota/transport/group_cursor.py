"""Where a page of groups ended: after which name. The same behind every door."""

from __future__ import annotations

import base64
import binascii

from rota.model.errors import InvalidInput

LARGEST_PAGE = 200
"""Groups, and as many where no limit is said."""
MAX_CURSOR = 700
"""Characters: a name has up to 128, of up to four bytes."""
_MARK = b"g"


def write_group_cursor(name: str | None) -> str:
    """`name`: of the last group of the page."""
    return base64.urlsafe_b64encode(_MARK + (name or "").encode()).decode().rstrip("=")


def read_group_cursor(text: str) -> str:
    """The name. Raises InvalidInput (`invalid_cursor`)."""
    try:
        raw = base64.b64decode(text[:MAX_CURSOR] + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if raw[:1] != _MARK:
            raise ValueError
        return raw[1:].decode()
    except (binascii.Error, ValueError):
        words = "no page ended with this cursor; begin anew without one"
        raise InvalidInput.at("cursor", "invalid_cursor", words) from None
