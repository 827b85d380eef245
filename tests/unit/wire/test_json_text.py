"""Rows 1 to 6 where params and results come as bytes: well-formed JSON goes on as it is, anything else is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.model.errors import InvalidInput
from rota.model.report import Verdict
from rota.wire import codec
from rota.wire.json_text import check_json
from rota.wire.v1 import link_pb2 as pb

ID = b"i" * 16
NO_JSON = [
    pytest.param(b"", "invalid_json", id="1-empty"),
    pytest.param(b"hello", "invalid_json", id="1-words"),
    pytest.param(b'{"a":', "invalid_json", id="1-truncated"),
    pytest.param(b'null,"state":"succeeded"', "invalid_json", id="1-a-field-of-the-answer"),
    pytest.param(b"[" * 100_000, "too_deep", id="2-brackets"),
    pytest.param(b'{"a":' * 100_000, "too_deep", id="2-braces"),
    pytest.param(b"[NaN]", "invalid_json", id="4-nan"),
    pytest.param(b"-Infinity", "invalid_json", id="4-infinity"),
    pytest.param(b'"\\ud800"', "invalid_json", id="6-surrogate"),
    pytest.param(b'"\xff"', "invalid_unicode", id="14-utf8"),
    pytest.param(b'"\x00"', "invalid_json", id="7-nul"),
    pytest.param(b'"\x1b[31m"', "invalid_json", id="7-escape"),
]


@pytest.mark.parametrize(("text", "code"), NO_JSON)
def test_what_is_no_json_is_refused_with_its_place(text: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_json(text, "tasks[3].params")
    assert (caught.value.code, caught.value.errors[0].path) == (code, "tasks[3].params")
    assert len(caught.value.detail) < 300


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_json_goes_on_as_it_was_written(value: object) -> None:
    for text in (
        json.dumps(value).encode(),
        json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace"),
    ):
        if b"Infinity" not in text:
            assert check_json(text, "") is text


@given(st.binary())
def test_nothing_but_a_refusal_comes_out(text: bytes) -> None:
    try:
        assert check_json(text, "params") is text
    except InvalidInput as refusal:
        assert refusal.code  # noqa: PT017
    else:
        json.loads(text)


@pytest.mark.parametrize("text", [b"9" * 5_000, b"1e999", b'{"a":1,"a":2}', b" [1] "])
def test_what_only_an_envelope_forbids_is_left_alone(text: bytes) -> None:
    assert check_json(text, "") is text


@pytest.mark.parametrize(("text", "code"), [each for each in NO_JSON if each.id != "1-empty"])
def test_a_result_that_is_no_json_fails_its_task(text: bytes, code: str) -> None:
    report = codec.read_report(pb.Result(id=ID, attempt=1, verdict=1, result=text), 0)
    assert (report.verdict, report.result) == (Verdict.RAISED, b"")
    assert report.failure is not None
    assert report.failure.error_type == "ResultNotJson"
