"""How long the store keeps what nobody gives a time for, in microseconds, and how much it names."""

from rota.model.retry import SECOND

IDEMPOTENCY_TTL = 24 * 3600 * SECOND
"""An idempotency key is remembered so long from its first use."""
GONE_KEPT = 24 * 3600 * SECOND
"""A worker that is gone stays listed so long."""
GONE_MOST, GONE_LEAST = 1_000, 3600 * SECOND
"""Beyond so many, the longest gone are forgotten before that: after an hour, when nothing of them can come back. A worker
that crashes at every start would fill the list by the second."""
MOST_NAMED = 100
"""Parents that a task waits for, or tasks of an order key, that are named."""
