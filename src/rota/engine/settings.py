"""What an engine can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from rota.model.lifecycle import Retention
from rota.model.retry import SECOND


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Durations are microseconds, sizes bytes."""

    lease_ttl: int = 30 * SECOND
    closed_lease_ttl: int = 5 * SECOND
    """What is left of a lease when the link of its worker closes without a drain."""
    retention: Retention = field(default_factory=Retention)
    keep_succeeded: int = 1_000_000
    """Rows; older succeeded tasks beyond it are removed before their time."""
    keep_audit: int = 100_000
    """Lines of the audit log; older ones beyond it are removed."""
    max_payload: int = 1024 * 1024
    max_batch: int = 1_000
    max_queued: int = 10_000_000
    """Unended tasks; beyond it a submit is refused with `queue_full`."""
    prefetch: int = 1_000
    """The most that a worker is given beyond its slots, however short its tasks."""
    prefetch_for: int = SECOND // 10
    """A worker is given about so much work ahead."""
