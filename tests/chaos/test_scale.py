"""A long queue costs disk, and next to nothing else. The million is evidence; in CI it is less, and only what does not
depend on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from scale import in_words, scale
from vitals import MIB

WINDOWS_AND_CACHES = 40 * MIB
"""What a queue may take once, however long it is: the window of ready tasks, and the caches of the store."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("tasks", "lanes"), [(40_000, 1), (30_000, 500)])
def test_a_longer_queue_takes_disk_and_not_memory_nor_time(tmp_path: Path, tasks: int, lanes: int) -> None:
    figures = scale(tmp_path, tasks, lanes, claims=300, restarts=1)
    print("\n".join(in_words(figures)))
    assert (figures.full_mb - figures.empty_mb) * MIB <= WINDOWS_AND_CACHES
    assert figures.bytes_of_disk_a_task <= 1_024
    assert figures.many.cpu <= 5 * figures.few.cpu, "of the processor's time: a busy machine does not change it much"


@pytest.mark.evidence
@pytest.mark.timeout(600)
def test_a_million_queued_tasks(tmp_path: Path) -> None:
    figures = scale(tmp_path, 1_000_000, claims=3_000)
    print("\n".join(in_words(figures)))
    assert figures.bytes_of_memory_a_task <= 64
    assert figures.bytes_of_disk_a_task <= 1_024
    assert figures.many.p99 <= 2 * figures.few.p99
    assert figures.restart_s <= max(3.0, 2 * figures.restart_with_few_s)
