"""Submits on time while a thousand workers are connected and tasks run. The real bounds are evidence; in CI there are fewer
workers for a few seconds, and machines are noisy."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from load import DOORS, Door, Figures, in_words, load

SUBMIT_P99, SUBMIT_P999 = 50.0, 250.0
START_P50, START_P99 = 15.0, 150.0
LAG_P99 = 20.0
"""Milliseconds."""
TURNS = 3
IDLE_CPU, KB_A_WORKER = 0.25, 150.0


def what_must_hold(figures: Figures, slack: float) -> None:
    print("\n".join(in_words(figures)))
    assert figures.links_lost == 0
    assert figures.kb_a_worker <= KB_A_WORKER, "of memory, which no noise adds to"
    assert figures.idle_cpu <= IDLE_CPU * slack
    for name in DOORS:
        door: Door = getattr(figures, name)
        assert door.submit_p99 <= SUBMIT_P99 * slack, name
        assert door.submit_p999 <= SUBMIT_P999 * slack, name
        assert door.start_p50 <= START_P50 * slack, name
        assert door.start_p99 <= START_P99 * slack, name
        assert door.lag_p99 <= LAG_P99 * slack, name


@pytest.mark.timeout(180)
def test_submits_are_answered_in_time_beside_many_workers(tmp_path: Path) -> None:
    """Once of a few times: what others do on the machine may spoil one, but a node that is slow is slow in all."""
    for turn in range(TURNS):
        folder = tmp_path / str(turn)
        folder.mkdir()
        with contextlib.suppress(AssertionError) if turn < TURNS - 1 else contextlib.nullcontext():
            what_must_hold(load(folder, workers=200, seconds=4, idle=2), slack=3)
            return


@pytest.mark.evidence
@pytest.mark.timeout(400)
def test_submits_are_answered_in_time_beside_a_thousand_workers(tmp_path: Path) -> None:
    what_must_hold(load(tmp_path), slack=1)
