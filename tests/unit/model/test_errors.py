"""Errors keep what they say on their way between processes."""

import pickle

import pytest

from rota.model import errors
from rota.model.failure import Failure
from rota.model.names import check_name
from rota.model.text import task_id_bytes, task_id_text


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInput.at("a.b", "out_of_range", "too much"),
        errors.NotFound.task("x"),
        errors.TaskFailed("id", "ValueError", "boom", "tb", "raised"),
        errors.TaskTimedOut("id", reason="timed_out"),
        errors.TaskCancelled("id", "why"),
        errors.TaskExpired("id"),
        errors.RefusesToStart("no", code="store_locked"),
    ],
)
def test_an_error_survives_pickling_with_its_code_and_facts(error: errors.RotaError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code) == (type(error), str(error), error.code)
    assert getattr(again, "error_type", None) == getattr(error, "error_type", None)


def test_a_wait_that_ran_out_is_a_timeout_error() -> None:
    assert issubclass(errors.WaitTimeout, TimeoutError)


def test_a_failure_is_cut_to_its_limits_and_read_back() -> None:
    packed = Failure(("a.B",), "m" * 10_000, "t" * 100_000).pack()
    back = Failure.unpack(packed)
    assert (back.error_type, len(back.message), len(back.traceback)) == ("a.B", 4_096, 32_768)


def test_a_failure_with_a_lone_surrogate_can_be_kept() -> None:
    assert Failure.unpack(Failure(("E",), "bad \ud800 text").pack()).message.startswith("bad ")


@pytest.mark.parametrize("name", ["add", "send-mail", "发邮件", "a.b:c", "x" * 128])
def test_ordinary_names_pass_chinese_ones_too(name: str) -> None:
    assert check_name(name, "method") == name


@pytest.mark.parametrize("name", ["", " a", "a\n", "a\x00b", "a\u202eb", "x" * 129, "e\u0301", "\ud800"])
def test_names_that_deceive_or_break_are_refused(name: str) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        check_name(name, "method")
    assert refused.value.code == "invalid_name"


def test_task_ids_read_as_uuids() -> None:
    raw = bytes(range(16))
    assert task_id_bytes(task_id_text(raw)) == raw
    with pytest.raises(errors.InvalidInput):
        task_id_bytes("nonsense")
