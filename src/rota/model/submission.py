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
    after: tuple[bytes, ...] = ()
    """Ids of tasks that must have ended before; of this batch (earlier places), or accepted before."""
    on_parent_failure: str = "fail"
    """When one of them does not succeed: `fail`, or `run` anyway."""
    batch: str | None = None
    """A name that counts are kept under: see Store.batch."""
    trace: str = ""
    """A W3C traceparent; empty: not traced."""
    bound: frozenset[str] | None = None
    """The groups that the caller's token is bound to; None: to none. Said by the door, never by the caller."""
