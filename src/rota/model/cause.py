"""Why a task does not run: exact causes, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that holds a task back, or tells where it is."""

    code: str
    """Stable: no_worker, no_worker_in_group, worker_gone, paused, rate_limited, concurrency_full, key_concurrency_full,
    queued_behind, workers_full, workers_draining, waiting_for_parents, waiting_for_order_key, retry_wait, delayed,
    node_draining, store_unavailable, store_full, running, running_not_started, cancel_asked, ended."""
    message: str
    """A sentence: what holds it back and, where somebody can do something about it, what to do."""
    until: int | None = None
    """The instant at which this cause is over by itself, where that is known."""
    by: tuple[str, ...] = ()
    """What holds it back: ids of tasks as text, or of workers, or names."""
    count: int | None = None
    """How many, where a number belongs to it: tasks ahead, free slots that lack."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one task; the first cause is the one to look at first."""

    task_id: bytes
    state: str
    summary: str
    """The first cause's message."""
    causes: tuple[Cause, ...] = field(default_factory=tuple)
