"""Requests a second of one token, and of one address."""

import pytest

from rota.access.policy import Policy
from rota.access.rate_limit import MOST_KEYS, RateLimit
from rota.access.tokens import Token, Tokens, make_secret
from rota.life.clock import ManualClock
from rota.model.errors import NotAuthenticated, Overloaded
from rota.wire.codec_refusal import look_of


def spent(limit: RateLimit, key: str, now: float) -> int:
    """How many requests are let through at once."""
    count = 0
    while True:
        try:
            limit.spend(key, now)
        except Overloaded:
            return count
        count += 1


def test_row_31_a_burst_is_twice_the_rate_and_then_the_rate_holds() -> None:
    limit = RateLimit(10)
    assert spent(limit, "a", 0.0) == 20
    assert spent(limit, "b", 0.0) == 20, "another key has its own"
    assert [spent(limit, "a", 1.0), spent(limit, "a", 1.5)] == [10, 5]


def test_row_31_the_refusal_says_when_to_come_again() -> None:
    limit = RateLimit(2)
    spent(limit, "a", 0.0)
    with pytest.raises(Overloaded) as error:
        limit.spend("a", 0.0)
    assert error.value.code == "too_many_requests"
    look = look_of(error.value)
    assert (look.http, look.grpc, look.retry_after) == (429, "RESOURCE_EXHAUSTED", 500_000)
    limit.spend("a", 0.5)


def test_what_is_remembered_is_bounded() -> None:
    limit = RateLimit(1)
    for number in range(MOST_KEYS + 100):
        limit.spend(str(number), 0.0)
    assert len(limit._spent) == MOST_KEYS


def test_row_31_tokens_and_addresses_are_counted_each() -> None:
    one, two = make_secret(), make_secret()
    clock = ManualClock()
    policy = Policy(False, Tokens([Token.of(one), Token.of(two)]), clock, requests_a_second=1)
    for source in ("10.0.0.1", "10.0.0.2"):
        policy.admit(one, source)
    with pytest.raises(Overloaded):
        policy.admit(one, "10.0.0.3")
    policy.admit(two, "10.0.0.4")
    policy.admit(two, "10.0.0.4")
    with pytest.raises(Overloaded):
        policy.admit(None, "10.0.0.4")
    clock.advance(10)
    with pytest.raises(NotAuthenticated):
        policy.admit(None, "10.0.0.4")


def test_without_a_limit_nothing_is_counted() -> None:
    policy = Policy(open_mode=True)
    for _ in range(10_000):
        policy.admit(None, "10.0.0.1")
