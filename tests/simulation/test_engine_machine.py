"""Random histories of a whole node, in virtual time: whatever people, workers, time and the disk do, the rules hold at
every write, every task that does not run can say why, and in the end nothing is left behind.

`ROTA_EXAMPLES` says how many histories are told; a failing one is told again by the seed that is printed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from last_things import all_ends, nothing_is_left
from random_history import STEPS, WEIGHTS
from rest_rules import look_at_rest
from simulated_house import House
from virtual_time import VirtualLoop

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
KINDS = [name for name in STEPS for _ in range(WEIGHTS.get(name, 1))]
HISTORIES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 10_000)), min_size=10, max_size=45)
NUMBER = int(os.environ.get("ROTA_EXAMPLES", "120"))
pytestmark = pytest.mark.timeout(400 + NUMBER)


async def tell(loop: VirtualLoop, steps: list[tuple[str, int]], folder: Path | None) -> None:
    house = House(loop, folder, Random(len(steps)))
    await house.open()
    try:
        for name, seed in steps:
            await STEPS[name](house, Random(seed))
            await house.rest()
            house.settle_controls()
            await look_at_rest(house)
        await all_ends(house)
        await nothing_is_left(house)
    finally:
        await house.close()


def run(steps: list[tuple[str, int]], folder: Path | None = None) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(tell(loop, steps, folder))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@given(HISTORIES)
@examples(NUMBER)
def test_over_the_store_in_memory(steps: list[tuple[str, int]]) -> None:
    note(f"steps = {steps!r}")
    run(steps)


@given(HISTORIES)
@examples(max(1, NUMBER // 5))
def test_over_sqlite_which_does_as_the_store_in_memory_does(steps: list[tuple[str, int]]) -> None:
    note(f"steps = {steps!r}")
    folder = Path(tempfile.mkdtemp(dir=FAST))
    try:
        run(steps, folder)
    finally:
        shutil.rmtree(folder)
