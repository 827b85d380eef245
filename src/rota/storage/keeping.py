"""How long the store keeps what nobody gives a time for, in microseconds."""

from rota.model.retry import SECOND

IDEMPOTENCY_TTL = 24 * 3600 * SECOND
"""An idempotency key is remembered so long from its first use."""
GONE_KEPT = 24 * 3600 * SECOND
"""A worker that is gone stays listed so long."""
