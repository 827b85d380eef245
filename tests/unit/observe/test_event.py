"""Which events a reader is told of."""

from __future__ import annotations

import pytest

from rota.observe.event import Event, Filter, Subscription

EU = Event(1, "task", "task", ("eu",), b"1" * 16, b"{}")
US = Event(2, "task", "task", ("us",), b"2" * 16, b"{}")
NO_GROUP = Event(3, "task", "task", ("",), b"3" * 16, b"{}")
COUNTED = Event(4, "tasks", "task", ("eu",), None, b"{}")
REMOVED = Event(5, "removed", "task", (), b"1" * 16, b"{}")
WORKER = Event(6, "worker", "worker", ("eu", "us"), None, b"{}")
PAUSED = Event(7, "group", "group", ("eu",), None, b"{}")
READY = Event(8, "node", "node", None, None, b"{}")
STATS = Event(9, "stats", "stats", (), None, b"{}")
RESET = Event(10, "reset", "", None, None, b"{}")
ALL = [EU, US, NO_GROUP, COUNTED, REMOVED, WORKER, PAUSED, READY, STATS, RESET]


def told(*subscriptions: Subscription, scope: frozenset[str] | None = None) -> list[int]:
    wanted = Filter(frozenset(subscriptions), scope)
    return [event.seq for event in ALL if wanted.lets(event)]


@pytest.mark.parametrize(
    ("subscription", "seqs"),
    [
        (Subscription(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (Subscription(frozenset({"task"})), [1, 2, 3, 4, 5, 10]),
        (Subscription(frozenset({"worker", "node"})), [6, 8, 10]),
        (Subscription(group="eu"), [1, 4, 6, 7, 8, 10]),
        (Subscription(frozenset({"task"}), group=""), [3, 10]),
        (Subscription(task=b"2" * 16), [2, 4, 10]),
    ],
)
def test_a_subscription_lets_through_what_it_says(subscription: Subscription, seqs: list[int]) -> None:
    assert told(subscription) == seqs


def test_several_subscriptions_add_up() -> None:
    assert told(Subscription(frozenset({"stats"})), Subscription(task=b"1" * 16)) == [1, 4, 5, 9, 10]


def test_no_subscription_lets_nothing_through_but_a_reset() -> None:
    assert told() == [10]


def test_a_scope_hides_what_is_in_other_groups_and_what_has_none() -> None:
    assert told(Subscription(), scope=frozenset({"eu"})) == [1, 4, 6, 7, 8, 10]
    assert told(Subscription(task=b"2" * 16), scope=frozenset({"eu"})) == [4, 10]


def test_equal_wishes_are_one_key() -> None:
    one = Filter(frozenset({Subscription(frozenset({"task"}), "eu")}))
    assert {one: 1}[Filter(frozenset({Subscription(frozenset({"task"}), "eu")}))] == 1
