"""Ids of tasks: 16 bytes of a UUIDv7 on the wire, the canonical text for people."""

from __future__ import annotations

from uuid import UUID

from uuid_utils import uuid7

from rota.model.errors import InvalidInput


def new_id() -> bytes:
    """A new id; later ones sort after earlier ones."""
    return uuid7().bytes


def shown(task_id: bytes) -> str:
    """As canonical text: 0198c0de-…"""
    text = task_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def read_id(task_id: str | bytes | UUID) -> bytes:
    """The bytes of an id, however it was given. Raises InvalidInput (`invalid_id`)."""
    if isinstance(task_id, bytes) and len(task_id) == 16:
        return task_id
    if isinstance(task_id, UUID):
        return task_id.bytes
    try:
        return UUID(task_id).bytes  # pyrefly: ignore[bad-argument-type]
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput.at(
            "id", "invalid_id", f"{task_id!r} is not the id of a task; ids look like {shown(bytes(16))}"
        ) from None
