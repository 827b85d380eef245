"""Ids and instants as people read them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from rota.model.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def instant_text(microseconds: int) -> str:
    """RFC 3339, UTC, always with microseconds, so that text sorts as time does."""
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")[:-6] + "Z"
