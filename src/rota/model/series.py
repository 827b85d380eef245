"""How a node did over time: one point a step, kept for a day."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """One step. Latencies are microseconds, percentiles over the tasks of the step; 0 where there were none."""

    at: int
    """The instant the step began."""
    step: int
    """Its length, microseconds."""
    submitted: int = 0
    finished: int = 0
    failed: int = 0
    rescued: int = 0
    ready: int = 0
    """Depth: tasks by state at the end of the step."""
    running: int = 0
    scheduled: int = 0
    waiting: int = 0
    workers: int = 0
    wait_p50: int = 0
    """From ready to leased."""
    wait_p99: int = 0
    run_p50: int = 0
    """From started to ended."""
    run_p99: int = 0
