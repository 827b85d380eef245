"""Rates and leases, counted: never more than was allowed, and nothing counted twice or lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rota.engine.bucket import Bucket
from rota.engine.ledger import Ledger
from rota.model.control import Rate
from rota.model.latency import Latencies
from rota.model.task import Lane, Reason, Spec, State, Task

SECOND = 1_000_000


@given(
    st.integers(1, 50),
    st.integers(1_000, 100 * SECOND),
    st.lists(st.tuples(st.integers(0, 40 * SECOND), st.integers(0, 60)), max_size=60),
)
def test_a_bucket_lets_at_most_the_burst_and_the_rate_through(
    count: int, period: int, asks: list[tuple[int, int]]
) -> None:
    bucket, now = Bucket(Rate(count, period), 0), 0
    starts: list[int] = []
    for wait, wanted in asks:
        now += wait
        taken = min(wanted, bucket.room(now))
        bucket.take(taken)
        starts += [now] * taken
        for begin in set(starts):
            within = sum(begin <= at <= now for at in starts)
            assert within <= count + (now - begin) * count / period + 1e-9
    if not bucket.room(now):
        instant = bucket.next_at(now)
        assert instant > now
        assert bucket.room(instant - 1) == 0, "not a moment too late"
        assert bucket.room(instant) >= 1, "nor too early"
    else:
        assert bucket.next_at(now) == now


def test_what_is_given_back_never_makes_more_than_a_burst() -> None:
    bucket = Bucket(Rate(2, SECOND), 0)
    bucket.take(1)
    bucket.take(-5)
    assert bucket.room(0) == 2


def task(name: int, attempt: int = 0, state: State = State.READY) -> Task:
    return Task(bytes([name]) * 16, Spec(Lane("m")), state, Reason.DUE, 0, seq=name, attempt=attempt)


def test_a_lease_is_counted_once_and_ends_once() -> None:
    ledger, record = Ledger(), task(1)
    assert ledger.enter(record)
    assert not ledger.enter(task(1)), "an older look at the same task"
    assert not ledger.void(task(1)), "that look is refused; the lease stands"
    assert not ledger.left(record.id, 7), "another attempt"
    assert ledger.left(record.id, 1)
    assert not ledger.left(record.id, 1), "told twice"
    assert not ledger.counting


def test_a_claim_that_came_to_nothing_is_not_counted_any_more() -> None:
    ledger, record = Ledger(), task(1)
    ledger.enter(record)
    assert ledger.void(record)
    assert not ledger.counting


def test_a_grant_takes_the_place_of_a_lease_that_nobody_ended() -> None:
    ledger, later = Ledger(), task(1, 1)
    ledger.enter(task(1))
    assert not ledger.enter(later)
    later.attempt, later.state = 2, State.RUNNING
    ledger.granted(later)
    assert not ledger.left(later.id, 1)
    assert ledger.left(later.id, 2)


def test_learning_finds_who_runs_and_who_does_not() -> None:
    ledger, claimed, ended = Ledger(), task(1), task(2)
    ledger.enter(claimed)
    ledger.enter(ended)
    ledger.begin_learning()
    assert not ledger.left(task(3).id, 1)
    assert not ledger.learn(task(3, 1, State.RUNNING)), "it left after the page was read"
    assert ledger.learn(task(4, 2, State.RUNNING))
    assert set(ledger.unseen()) == {claimed.id, ended.id}
    assert not ledger.disproved(task(1)), "its claim is being written"
    assert ledger.disproved(task(2, 1, State.SUCCEEDED))
    ledger.end_learning()
    assert ledger.left(claimed.id, 1)
    assert ledger.left(task(4).id, 2)
    assert not ledger.counting


@given(st.lists(st.integers(2, 10**12), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_right_within_a_tenth(durations: list[int], share: float) -> None:
    latencies = Latencies()
    for duration in durations:
        latencies.add(duration)
    place = max(1, -(-int(share * 100) * len(durations) // 100))
    exact = sorted(durations)[place - 1]
    assert abs(latencies.percentile(share) - exact) <= exact * 0.1 + 1


def test_of_nothing_and_of_no_time_a_percentile_is_told_too() -> None:
    latencies = Latencies()
    assert latencies.percentile(0.99) == 0
    latencies.add(0)
    latencies.add(-5)
    assert latencies.percentile(0.99) <= 1
