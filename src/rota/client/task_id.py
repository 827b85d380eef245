"""Ids of tasks: made here, and read however they are given."""

from __future__ import annotations

from uuid import UUID

from uuid_utils import uuid7

from rota.model.errors import InvalidInput
from rota.model.text import task_id_text


def new_id() -> bytes:
    """A new id; later ones sort after earlier ones."""
    return uuid7().bytes


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
            "id", "invalid_id", f"{task_id!r} is not the id of a task; ids look like {task_id_text(bytes(16))}"
        ) from None
