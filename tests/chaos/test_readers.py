"""Who watches costs little, whether it reads or not: fifty readers of events and one that takes a byte a second."""

from __future__ import annotations

from pathlib import Path

import pytest
from readers_load import READERS, Figures, Phase, run

RING_AND_CONNECTIONS = 32.0
"""MB that may come with the readers once: the last events, and what the connections hold."""


def what_must_hold(figures: Figures) -> None:
    """Everybody who reads was told how every task ended, nobody had to be told that it had missed something, and memory is
    what the ring and the connections take."""
    seen = figures.seen
    assert seen["missed"] == 0
    assert seen["succeeded"] == [figures.submitted_while_watched] * READERS
    assert seen["ended"] == 0
    memory = [mb for _, mb in figures.watched.rss_mb]
    assert max(memory) - memory[0] <= RING_AND_CONNECTIONS


@pytest.mark.timeout(120)
def test_readers_learn_how_every_task_ends_and_submits_do_not_feel_them(tmp_path: Path) -> None:
    figures = run(tmp_path, alone=4, watched=9)
    print(figures.in_words())
    what_must_hold(figures)
    # Both stretches are of one run, but a shared machine is not the same for both.
    assert figures.watched.percentile(0.5) <= 4 * figures.alone.percentile(0.5) + 20
    assert figures.watched.percentile(0.99) <= 4 * figures.alone.percentile(0.99) + 100


@pytest.mark.evidence
@pytest.mark.timeout(400)
def test_the_same_for_minutes_and_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    figures = run(tmp_path, alone=30, watched=150)
    print(figures.in_words())
    what_must_hold(figures)
    assert figures.watched.percentile(0.99) <= 2 * figures.alone.percentile(0.99) + 20
    assert figures.seen["stalled_ended_after"] is not None
    growth = _growth(figures.watched, since=90.0) - _growth(figures.alone, since=10.0)
    assert growth <= 0.05, "MB a second beyond what the tasks themselves take, once the ring is full"


def _growth(phase: Phase, since: float) -> float:
    """Of the node's memory, MB a second."""
    later = [(at, mb) for at, mb in phase.rss_mb if at >= since]
    (begin, before), (end, after) = later[0], later[-1]
    return (after - before) / (end - begin)
