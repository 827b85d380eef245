from pathlib import Path

import pytest
from results import MACHINE

from benchmarks.measure.machine import portrait, warnings


def test_the_portrait_has_all_that_the_table_prints(tmp_path: Path) -> None:
    found = portrait(tmp_path)
    assert set(found) == set(MACHINE)
    assert 0 < found["fdatasync_p50_ms"] <= found["fdatasync_p99_ms"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("machine", "words"), [({}, ""), ({"file_system": "tmpfs"}, "in memory"), ({"load": 1.5}, "load 1.5 on 2 cores")]
)
def test_a_machine_whose_figures_mean_little_is_warned_of(machine: dict, words: str) -> None:
    told = " ".join(warnings(MACHINE | machine))
    assert (words in told) if words else told == ""
