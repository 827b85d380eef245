"""Ids as people read them."""

from __future__ import annotations

import uuid

from rota.model.errors import InvalidInput


def task_id_text(task_id: bytes) -> str:
    """The canonical UUID form of 16 bytes."""
    text = task_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def task_id_bytes(text: str) -> bytes:
    """The 16 bytes of an id as people write it. Raises InvalidInput (`invalid_id`)."""
    try:
        return uuid.UUID(text).bytes
    except (ValueError, AttributeError, TypeError):
        raise InvalidInput.at(
            "id",
            "invalid_id",
            f"{str(text)[:64]!r} is not a task id; one looks like 0191f3c2-7b1e-7c3a-9d2e-5f0a1b2c3d4e",
        ) from None
