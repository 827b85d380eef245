"""What a client asks for: one task to be accepted."""

from __future__ import annotations

from rota.model.method import NO_OPTIONS, Options
from rota.model.record import record


@record
class Submission:
    """Not checked yet; intake checks it and makes the record."""

    id: bytes
    """16 bytes, a UUIDv7 made by the client. Sending it again names the same task."""
    method: str
    params: bytes = b"null"
    """JSON."""
    options: Options = NO_OPTIONS
    idempotency_key: str | None = None
    """The caller's own; kept for a day."""
    version: int | None = None
    labels: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    """A worker's id that alone may run it."""
