"""Tells a repeat of a submit from another one under the same idempotency key."""

from __future__ import annotations

import hashlib

from rota.model.method import Options
from rota.model.sealed import hidden
from rota.model.submission import Submission

_FIRST = (
    "group",
    "priority",
    "retries",
    "retry_delay",
    "retry_backoff",
    "retry_max_delay",
    "retry_jitter",
    "retry_on",
    "give_up_on",
    "timeout",
    "expires",
    "delay",
    "run_at",
    "result_ttl",
    "unique_key",
    "order_key",
)
"""The options of the first release. Later ones, and what else was added since, count only where they are said, so that a
key that was answered before an upgrade is known after it."""
_LATER = ("unique_mode", "debounce", "concurrency_key", "concurrency_limit")


def fingerprint(submission: Submission) -> bytes:
    """16 bytes, the same for the same body. What is sealed counts as the same: it looks different each time it is sealed."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (submission.method.encode(), hidden(submission.params), _options(submission.options).encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    later = [(name, value) for name in _LATER if (value := getattr(submission.options, name)) is not None]
    if submission.after:
        later += [("after", submission.after), ("on_parent_failure", submission.on_parent_failure)]
    if submission.batch is not None:
        later.append(("batch", submission.batch))
    if later:
        digest.update(repr(later).encode())
    return digest.digest()


def _options(options: Options) -> str:
    return "Options(" + ", ".join(f"{name}={getattr(options, name)!r}" for name in _FIRST) + ")"
