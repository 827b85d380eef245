"""Params to arguments: by name, by position, by hints; what does not fit is named."""

import enum
import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.worker.binding import BadParams
from rota.worker.context import Context
from rota.worker.handler import WrongSignature, call_with_arguments, call_with_value
from rota.worker.result import encode_result

from .sources import FakeSource


def bound(fn: Any, params: bytes) -> Any:
    call, _ = call_with_arguments(fn)
    return call(params, FakeSource())


def plain(a, b=2, *, c=3):  # type: ignore[no-untyped-def]
    return (a, b, c)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (b'{"a": 1}', (1, 2, 3)),
        (b' {"a": 1, "c": 5}', (1, 2, 5)),
        (b'{"c": null, "b": [1], "a": "x"}', ("x", [1], None)),
        (b"[1]", (1, 2, 3)),
        (b"\n[1, 9]", (1, 9, 3)),
    ],
)
def test_an_object_binds_by_name_and_an_array_by_position(params: bytes, expected: Any) -> None:
    assert bound(plain, params) == expected


@pytest.mark.parametrize("params", [b"", b"null", b" null ", b"{}", b"[]"])
def test_null_and_nothing_bind_to_no_arguments(params: bytes) -> None:
    assert bound(lambda: "called", params) == "called"
    assert bound(lambda x=4: x, params) == 4


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (b"{}", "missing parameter `a`"),
        (b'{"a":1,"z":2}', "unknown parameter `z`"),
        (b"[1,2,3]", "at most length 2"),
        (b"[]", "at least length 1"),
        (b"7", "an object"),
        (b'"x"', "an object"),
        (b"nul", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a":1} x', "not JSON"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_params_that_do_not_fit_are_named(params: bytes, sentence: str) -> None:
    with pytest.raises(BadParams, match=sentence):
        bound(plain, params)


def test_required_keyword_only_parameters_are_given_by_name() -> None:
    def fn(a, *, key):  # type: ignore[no-untyped-def]
        return (a, key)

    assert bound(fn, b'{"a":1,"key":2}') == (1, 2)
    with pytest.raises(BadParams, match="key is given by name only"):
        bound(fn, b"[1]")


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


class Size(msgspec.Struct):
    width: float


@pytest.mark.parametrize(
    ("hint", "text", "expected"),
    [
        (datetime, '"2026-01-02T03:04:05Z"', datetime.fromisoformat("2026-01-02T03:04:05Z")),
        (date, '"2026-01-02"', date(2026, 1, 2)),
        (uuid.UUID, '"00000000-0000-0000-0000-000000000005"', uuid.UUID(int=5)),
        (Decimal, '"1.50"', Decimal("1.50")),
        (Decimal, "1.5", Decimal("1.5")),
        (Colour, '"red"', Colour.RED),
        (Point, '{"x":1,"y":2}', Point(1, 2)),
        (Size, '{"width":1}', Size(1.0)),
        (float, "1", 1.0),
        (bytes, '"aGk="', b"hi"),
        (tuple[int, str], '[1,"a"]', (1, "a")),
        (set[int], "[1,1]", {1}),
        (int | None, "null", None),
        (object, '{"a":1}', {"a": 1}),
    ],
)
def test_json_becomes_what_the_hint_says(hint: Any, text: str, expected: Any) -> None:
    def fn(value):  # type: ignore[no-untyped-def]
        return value

    fn.__annotations__["value"] = hint
    assert bound(fn, f'{{"value":{text}}}'.encode()) == expected
    assert bound(fn, f"[{text}]".encode()) == expected


def typed(first: int, point: Point) -> None: ...


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (b'{"first":"1","point":{"x":1,"y":2}}', "first: Expected `int`, got `str`"),
        (b'["1",{"x":1,"y":2}]', "first: Expected `int`, got `str`"),
        (b'[1,{"x":1,"y":[]}]', r"point\.y: Expected `int`, got `array`"),
        (b'{"first":1.5,"point":{"x":1,"y":2}}', "first: Expected `int`, got `float`"),
        (b'{"first":true,"point":{"x":1,"y":2}}', "first: Expected `int`, got `bool`"),
    ],
)
def test_a_value_of_the_wrong_type_names_its_parameter(params: bytes, sentence: str) -> None:
    with pytest.raises(BadParams, match=sentence):
        bound(typed, params)


def test_a_class_that_no_json_becomes_takes_any_value() -> None:
    class Strange: ...

    def fn(value: Strange) -> Any:
        return value

    fn.__annotations__["value"] = Strange
    assert bound(fn, b'{"value":[1]}') == [1]


def test_models_that_validate_themselves_do() -> None:
    class Model:
        def __init__(self, value: Any) -> None:
            self.value = value

        @classmethod
        def model_validate(cls, value: Any) -> "Model":
            if value == "bad":
                raise ValueError("cannot be bad")
            return cls(value)

    def fn(value):  # type: ignore[no-untyped-def]
        return value

    fn.__annotations__["value"] = Model
    assert bound(fn, b'{"value":5}').value == 5
    with pytest.raises(BadParams, match="cannot be bad"):
        bound(fn, b'{"value":"bad"}')


def test_variadic_functions_take_what_comes() -> None:
    def fn(a: int, *rest: int, key: str = "k", **more: Any) -> Any:
        return (a, rest, key, more)

    assert bound(fn, b"[1,2,3]") == (1, (2, 3), "k", {})
    assert bound(fn, b'{"a":1,"key":"x","other":[2]}') == (1, (), "x", {"other": [2]})
    for params in (b"[]", b'["x"]', b'[1,"x"]', b'{"b":1}', b"3"):
        with pytest.raises(BadParams):
            bound(fn, params)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_context_goes_where_the_function_asks_for_it(place: int) -> None:
    source = FakeSource()
    functions = [
        lambda ctx, a, b: (ctx, a, b),
        lambda a, ctx, b: (ctx, a, b),
        lambda a, *, ctx, b=2: (ctx, a, b),
    ]
    call, schema = call_with_arguments(functions[place])
    assert call(b'{"a":1,"b":2}', source) == (source.context, 1, 2)
    assert schema == b""


def test_a_context_is_known_by_its_hint_whatever_its_name() -> None:
    def fn(c: Context, ctx: int) -> Any:
        return (c, ctx)

    source = FakeSource()
    assert call_with_arguments(fn)[0](b"[7]", source) == (source.context, 7)


def test_a_mutable_default_is_the_functions_own_object() -> None:
    default: list[int] = []

    def fn(items: list[int] = default) -> list[int]:
        return items

    assert bound(fn, b"{}") is default


# ---------------------------------------------------------------- the whole value


def test_a_registered_function_gets_the_whole_value() -> None:
    source = FakeSource()
    assert call_with_value(lambda value: value)[0](b'{"a":[1]}', source) == {"a": [1]}
    assert call_with_value(lambda value: value)[0](b"", source) is None
    assert call_with_value(lambda ctx, value: (ctx, value))[0](b"5", source) == (source.context, 5)
    assert call_with_value(lambda value, ctx: (ctx, value))[0](b"5", source) == (source.context, 5)
    assert call_with_value(lambda value, *, ctx: (ctx, value))[0](b"5", source) == (source.context, 5)


def generator(value: Any) -> Any:
    yield value


@pytest.mark.parametrize("fn", [lambda: 1, lambda ctx: 1, lambda a, b: 1, generator, 5, lambda *, a: 1])
def test_what_cannot_be_called_with_one_value_is_refused(fn: Any) -> None:
    with pytest.raises(WrongSignature):
        call_with_value(fn)


# ---------------------------------------------------------------- schema


def test_the_schema_says_types_defaults_and_requirements() -> None:
    def fn(ctx: Context, a: int, b: str = "x", c=None) -> None: ...  # type: ignore[no-untyped-def]

    schema = json.loads(call_with_arguments(fn)[1])
    assert schema["type"] == "object"
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"] == {"type": "integer"}
    assert schema["properties"]["b"] == {"type": "string", "default": "x"}
    assert "ctx" not in schema["properties"]
    assert schema["additionalProperties"] is False


def test_without_hints_there_is_no_schema() -> None:
    assert call_with_arguments(lambda a, b: 1)[1] == b""
    assert call_with_value(lambda a: 1)[1] == b""


def test_a_schema_with_parts_keeps_its_definitions() -> None:
    schema = json.loads(call_with_arguments(typed)[1])
    assert schema["properties"]["point"] == {"$ref": "#/$defs/Point"}
    assert set(schema["$defs"]) == {"Point"}


# ---------------------------------------------------------------- results


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), r"result \(object\)"),
        ({"a": [1, {"b": object()}]}, r"result\['a'\]\[1\]\['b'\]"),
        ({(1, 2): 3}, r"the key \(1, 2\) of result"),
        ("\ud800", "result"),
        (float("nan"), "result: NaN"),
        ({"a": [None, float("-inf")]}, r"result\['a'\]\[1\]: NaN and infinity"),
    ],
)
def test_a_result_that_is_no_json_names_the_place(value: Any, place: str) -> None:
    with pytest.raises(TypeError, match=place):
        encode_result(value)


def test_a_result_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TypeError, match="contains itself"):
        encode_result(loop)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_goes_in_and_comes_out_as_it_was(value: Any) -> None:
    call, _ = call_with_value(lambda value: value)
    once = call(encode_result(value), FakeSource())
    assert once == value


@given(st.binary(max_size=60))
def test_garbage_is_bad_params_never_anything_else(params: bytes) -> None:
    for call in (call_with_arguments(plain)[0], call_with_arguments(typed)[0], call_with_value(lambda v: v)[0]):
        try:
            call(params, FakeSource())
        except BadParams:
            continue
