"""A page of groups, and where it ended: after which name. The same behind every door."""

from __future__ import annotations

from collections.abc import Sequence

from rota.model.group import GroupView
from rota.transport.cursor_text import cursor_bytes, cursor_text, no_such_page
from rota.transport.verbs import Verbs

LARGEST_PAGE = 200
"""Groups, and as many where no limit is said."""
MAX_CURSOR = 700
"""Characters: a name has up to 128, of up to four bytes."""
_MARK = b"g"


async def group_page(verbs: Verbs, cursor: str | None, limit: int) -> tuple[Sequence[GroupView], str | None]:
    """Up to `limit` groups from a cursor (None: from the first), and where the next page begins; None: there is none.

    Raises InvalidInput (`invalid_cursor`).
    """
    views = await verbs.groups(None if cursor is None else _read(cursor), limit)
    return views, _write(views[-1].name) if len(views) == limit else None


def _write(name: str | None) -> str:
    """`name`: of the last group of the page."""
    return cursor_text(_MARK + (name or "").encode())


def _read(text: str) -> str:
    try:
        raw = cursor_bytes(text)
        if len(text) > MAX_CURSOR or raw[:1] != _MARK:
            raise ValueError
        return raw[1:].decode()
    except ValueError:
        raise no_such_page() from None
