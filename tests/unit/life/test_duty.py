"""Duties that do not die, failpoints that fire when told, clocks that do not go back."""

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.life import duty, failpoint
from rota.life.clock import ManualClock, SystemClock
from rota.model.errors import Unavailable


async def test_a_duty_goes_on_after_a_fault_and_tells_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(duty, "AFTER_A_FAULT", 0.0)
    beats = 0
    enough = asyncio.Event()

    async def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 1:
            raise Unavailable("the disk is full", code="store_full")
        if beats == 2:
            raise ZeroDivisionError
        enough.set()
        await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(duty.keep("the sweeper", beat))
        await asyncio.wait_for(enough.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert "the sweeper: the disk is full" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_errands_are_waited_for_and_their_faults_told(caplog: pytest.LogCaptureFixture) -> None:
    errands = duty.Errands("the courier")
    done: list[int] = []

    async def deliver(number: int) -> None:
        await asyncio.sleep(0)
        if number == 1:
            raise KeyError("lost")
        done.append(number)
        if number == 0:
            errands.run(deliver(2))

    for number in (0, 1):
        errands.run(deliver(number))
    await errands.done()
    assert done == [0, 2]
    assert "the courier failed" in caplog.text


def test_a_failpoint_acts_at_the_passage_it_was_told() -> None:
    failpoint.arm_from("here=error@2")
    try:
        failpoint.failpoint("here")
        failpoint.failpoint("elsewhere")
        with pytest.raises(failpoint.FailpointError):
            failpoint.failpoint("here")
        failpoint.failpoint("here")
    finally:
        failpoint.disarm()


def test_a_failpoint_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="write name=action"):
        failpoint.arm_from("nonsense")


def test_the_system_clock_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.now() for _ in range(1_000)]
    assert readings == sorted(readings)


@given(st.floats(0, 1e6))
def test_a_manual_clock_moves_by_what_it_is_told(seconds: float) -> None:
    clock = ManualClock()
    before = clock.now()
    clock.advance(seconds)
    assert clock.now() - before == int(seconds * 1e6)
