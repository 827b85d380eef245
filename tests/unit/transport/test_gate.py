"""How many connections are let in, from where, and how soon again."""

from __future__ import annotations

import logging

import pytest

from rota.model.errors import Overloaded
from rota.transport import gate as gates
from rota.transport.gate import BARREN_A_SECOND, Gate, Limits


class Watch:
    """A clock in the hand of the test."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def refusal(gate: Gate, source: str) -> str:
    with pytest.raises(Overloaded) as error:
        gate.enter(source)
    assert error.value.code == "too_many_connections"
    return error.value.detail


def test_the_limit_of_all_counts_what_is_open(watch: Watch) -> None:
    gate = Gate(Limits(connections=2), watch)
    first, _ = gate.enter("a"), gate.enter("b")
    assert "takes 2 connections" in refusal(gate, "c")
    first.leave()
    first.leave()
    assert len(gate) == 1
    gate.enter("c")
    refusal(gate, "d")


def test_an_address_has_a_limit_of_its_own(watch: Watch) -> None:
    gate = Gate(Limits(per_address=2), watch)
    first, _ = gate.enter("a"), gate.enter("a")
    assert "2 connections are open from this address" in refusal(gate, "a")
    gate.enter("b")
    first.fruitful()
    first.leave()
    gate.enter("a")


def test_barren_connections_run_out_and_come_back_with_time(watch: Watch) -> None:
    gate = Gate(Limits(per_address=10), watch)
    for _ in range(10):
        gate.enter("a").leave()
    assert "does nothing with them" in refusal(gate, "a")
    gate.enter("b")
    watch.now += 1 / BARREN_A_SECOND
    gate.enter("a").leave()
    refusal(gate, "a")
    watch.now += 3_600
    for _ in range(10):
        gate.enter("a").leave()
    refusal(gate, "a")


def test_fruitful_connections_never_run_out(watch: Watch) -> None:
    gate = Gate(Limits(per_address=10), watch)
    for _ in range(1_000):
        entry = gate.enter("a")
        entry.fruitful()
        entry.fruitful()
        entry.leave()
        entry.fruitful()
    for _ in range(10):
        gate.enter("a").leave()
    refusal(gate, "a")


def test_behind_a_proxy_addresses_do_not_count(watch: Watch) -> None:
    gate = Gate(Limits(connections=100, per_address=1), watch, by_address=False)
    for _ in range(100):
        gate.enter("proxy").leave()
    for _ in range(100):
        gate.enter("proxy")
    refusal(gate, "proxy")


def test_what_is_remembered_of_addresses_is_bounded(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "MOST_SOURCES", 100)
    gate = Gate(Limits(), watch)
    for number in range(1_000):
        gate.enter(str(number)).leave()
    assert len(gate._spent) == 100
    assert not gate._open


def test_a_flood_is_told_once_a_minute(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(Limits(connections=0), watch)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            refusal(gate, "203.0.113.7")
        watch.now += 61
        refusal(gate, "203.0.113.8")
    first, second = (record.getMessage() for record in caplog.records)
    assert "203.0.113.7 is refused" in first
    assert "99 more" in second
