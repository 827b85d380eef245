"""A loop that is held is seen, and told in the log."""

import asyncio
import logging
import time

import pytest

from rota.telemetry.loop_lag import EVERY, LoopLag


async def beats(lag: LoopLag, count: int) -> None:
    """Returns when the loop has beaten so many times more."""
    wanted = len(lag.seconds) + count
    async with asyncio.timeout(5):
        while len(lag.seconds) < wanted:
            await asyncio.sleep(EVERY / 5)


async def test_a_held_loop_is_told_with_how_long(caplog: pytest.LogCaptureFixture) -> None:
    lag = LoopLag()
    lag.start()
    await beats(lag, 1)
    with caplog.at_level(logging.WARNING, "rota.loop"):
        time.sleep(0.4)
        await beats(lag, 1)
    lag.stop()
    (line,) = [record.getMessage() for record in caplog.records if "held" in record.getMessage()]
    assert int(line.split(" for ")[1].split(" ms")[0]) >= 400
    assert dict(lag.seconds.buckets())["0.25"] < len(lag.seconds)


async def test_a_loop_that_is_always_held_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    lag = LoopLag()
    lag.start()
    with caplog.at_level(logging.WARNING, "rota.loop"):
        for _ in range(4):
            time.sleep(0.3)
            await beats(lag, 1)
    lag.stop()
    assert len([record for record in caplog.records if "held" in record.getMessage()]) == 1


async def test_after_the_stop_nothing_beats() -> None:
    lag = LoopLag()
    lag.stop()
    lag.start()
    await beats(lag, 1)
    lag.stop()
    lag.stop()
    seen = len(lag.seconds)
    await asyncio.sleep(3 * EVERY)
    assert len(lag.seconds) == seen
