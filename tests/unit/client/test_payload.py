"""Params and results: what travels, and how what does not is told."""

import enum
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from rota.client.payload import check_size, decode, encode
from rota.model.errors import InvalidInput


@dataclass
class Point:
    x: int
    y: Any = 0


class Shape(msgspec.Struct):
    name: str


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (None, None),
        ({"a": [1, 2.5, "é", True]}, {"a": [1, 2.5, "é", True]}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (Colour.RED, "red"),
        (Point(1, Shape("box")), {"x": 1, "y": {"name": "box"}}),
        ((1, 2), [1, 2]),
        (b"abc", "YWJj"),
        ({"none": None}, {"none": None}),
    ],
)
def test_values_with_a_form_in_json_travel(value: Any, arrives: Any) -> None:
    assert decode(encode(value)) == arrives


def looped() -> list[Any]:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, 2, 3, object()]}, "params.a[3]: an object of type builtins.object"),
        ({"p": Point(1, {2, 1j})}, "params.p.y["),
        (looped(), "params[1].again: contains itself"),
        ({"a": {(1, 2): 3}}, "params.a: a key of type tuple"),
        ({"a": "\ud800"}, "params.a: a text with a lone surrogate"),
        ({"a": [None, float("nan")]}, "params.a[1]: NaN"),
        (float("inf"), "params: NaN and infinity"),
        (object(), "params: an object of type builtins.object"),
    ],
)
def test_what_cannot_travel_is_told_with_its_place(value: Any, place: str) -> None:
    with pytest.raises(TypeError) as raised:
        encode(value)
    assert str(raised.value).startswith(place)


def test_deep_nesting_is_told_and_does_not_crash() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(TypeError, match="deep"):
        encode(value)


def test_bad_json_is_an_error_of_ours() -> None:
    with pytest.raises(InvalidInput) as raised:
        decode(b"{")
    assert raised.value.code == "invalid_json"


def test_the_limit_is_told_with_the_way_out() -> None:
    check_size(b"x" * 10, 10)
    with pytest.raises(InvalidInput, match=r"11 bytes; the limit is 10\. Store") as raised:
        check_size(b"x" * 11, 10)
    assert raised.value.code == "payload_too_large"
