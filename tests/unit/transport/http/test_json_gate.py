"""Bodies: what is taken, what is refused, and that nothing but a refusal ever comes out."""

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Raw

from rota.model.errors import InvalidInput
from rota.transport.http.json_faults import MAX_DEPTH, is_deep
from rota.transport.http.json_gate import Gates, JsonGate
from rota.transport.http.new_task import NewTask, NewTasks, submission_of


class Rate(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1, le=10)]


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    params: Raw = Raw(b"null")
    share: Annotated[float, Meta(ge=0, le=1)] | None = None
    kind: Literal["a", "b"] = "a"
    labels: dict[str, str] | None = None
    rates: list[Rate] = []


class Things(msgspec.Struct, forbid_unknown_fields=True):
    things: Annotated[list[Thing], Meta(min_length=1, max_length=3)]


GATE, MANY = JsonGate(Thing), JsonGate(Things)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
LAYOUTS = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}])


def code_of(gate: JsonGate[Any], body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        gate.read(body)
    return caught.value.code


@given(ANY_JSON, LAYOUTS, st.dictionaries(st.text(), st.text(), max_size=3))
def test_params_come_through_as_they_were_written(params: Any, layout: dict[str, Any], labels: dict[str, str]) -> None:
    body = json.dumps({"name": "n:a", "params": params, "labels": labels}, **layout).encode()
    read = GATE.read(body)

    assert json.loads(bytes(read.params)) == params
    assert bytes(read.params) in body
    assert read.labels == labels


@given(ANY_JSON, LAYOUTS, st.sampled_from(["name", "params", "share", "kind"]))
def test_a_field_that_is_given_twice_is_always_seen(params: Any, layout: dict[str, Any], twice: str) -> None:
    whole = {"name": "n", "params": params, "share": 0.5, "kind": "a"}
    again = json.dumps({twice: whole[twice]}, **layout).strip()[1:-1]
    body = json.dumps(whole, **layout).strip()[:-1] + "," + again + "}"

    assert code_of(GATE, body.encode()) == "duplicate_key"
    assert code_of(MANY, f'{{"things": [{body}]}}'.encode()) == "duplicate_key"


@given(st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_a_refusal_comes_out(body: bytes) -> None:
    for gate in (GATE, MANY, JsonGate(NewTask), JsonGate(NewTasks)):
        try:
            gate.read(body)
        except InvalidInput as error:
            assert error.code  # noqa: PT017
            assert error.detail  # noqa: PT017


@given(st.data())
def test_a_broken_body_is_refused(data: st.DataObject) -> None:
    body = bytearray(b'{"name":"n","params":{"a":[12,"\\u00fc"]},"labels":{"a":"b"}}')
    place = data.draw(st.integers(0, len(body) - 1))
    whole = json.loads(bytes(body))
    del body[place]
    try:
        read = GATE.read(bytes(body))
    except InvalidInput:
        return
    assert json.loads(body)["name"] == read.name
    assert json.loads(body) != whole


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")], ids=["lists", "objects", "both"]
)
def test_depth_is_counted_exactly(opening: bytes, closing: bytes) -> None:
    levels = MAX_DEPTH // (opening.count(b"[") + opening.count(b"{"))
    assert not is_deep(opening * levels + b"1" + closing * levels)
    assert is_deep(b"[" + opening * levels + b"1" + closing * levels + b"]")


def test_brackets_in_texts_are_no_depth() -> None:
    body = json.dumps({"name": "[{" * 500, "params": ['[\\"[' * 200, {"[": "}"}]}).encode()
    assert GATE.read(body).name == "[{" * 500


def test_many_lists_beside_each_other_are_not_deep() -> None:
    assert GATE.read(b'{"name":"n","params":[' + b",".join([b"[[]]"] * 10_000) + b"]}").name == "n"


def test_all_wrong_places_are_told_together() -> None:
    body = b'{"nam":1,"share":2,"kind":"c","labels":{"x":1},"rates":[{"count":0},{"count":"1"},{"cuont":1}]}'
    with pytest.raises(InvalidInput) as caught:
        GATE.read(body)

    assert {(fault.path, fault.code) for fault in caught.value.errors} == {
        ("nam", "unknown_field"),
        ("name", "missing_field"),
        ("share", "out_of_range"),
        ("kind", "invalid_value"),
        ("labels.x", "wrong_type"),
        ("rates[0].count", "out_of_range"),
        ("rates[1].count", "wrong_type"),
        ("rates[2].cuont", "unknown_field"),
        ("rates[2].count", "missing_field"),
    }
    messages = {fault.path: fault.message for fault in caught.value.errors}
    assert messages["share"] == "must be a number from 0 to 1, not 2"
    assert messages["kind"] == "must be one of a, b, not 'c'"
    assert messages["rates[2].cuont"] == "no such field; did you mean count?"


def test_the_first_hundred_faults_are_enough() -> None:
    with pytest.raises(InvalidInput) as caught:
        GATE.read(json.dumps({"name": "n", "rates": [{"x": 1}] * 10_000}).encode())
    assert len(caught.value.errors) == 100


@pytest.mark.parametrize("half", [r"\ud800", r"\udfff", r"\ud800x", r"\udc00\ud800", r"\ud83d\ud83d\ude00"])
def test_half_of_a_pair_is_no_character(half: str) -> None:
    assert code_of(GATE, f'{{"name":"{half}"}}'.encode()) == "invalid_unicode"
    assert code_of(GATE, f'{{"name":"n","params":["{half}"]}}'.encode()) == "invalid_unicode"


def test_a_whole_pair_is_one() -> None:
    assert GATE.read(rb'{"name":"\ud83d\ude00\\ud800"}').name == "\U0001f600\\ud800"


@pytest.mark.parametrize(
    ("body", "several"),
    [
        (b'{"method":"m"}', False),
        (b'{"tasks":[{"method":"m"}]}', True),
        (b'{ "tasks" : [{"method":"m"}]}', True),
        (b'{"method":"m","params":{"tasks":[]}}', False),
    ],
)
def test_one_task_or_several(body: bytes, several: bool) -> None:
    assert isinstance(Gates((NewTask, NewTasks)).read(body), NewTasks if several else NewTask)


def test_spans_become_microseconds_and_lists_tuples() -> None:
    new = JsonGate(NewTask).read(
        b'{"method":"m","timeout":0.25,"retry_delay":2,"retry_on":["E"],"run_at":"2026-11-21T20:00:00.5+08:00",'
        b'"labels":{"b":"2","a":"1"},"params":[ 1 ]}'
    )
    submission = submission_of(new)
    options = submission.options

    assert (options.timeout, options.retry_delay, options.retry_on) == (250_000, 2_000_000, ("E",))
    assert options.run_at == 1_795_262_400_500_000
    assert submission.labels == (("a", "1"), ("b", "2"))
    assert submission.params == b"[ 1 ]"
    assert len(submission.id) == 16
