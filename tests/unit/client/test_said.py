"""Options as people say them, addresses, ids, calls."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from rota.client.address import addresses, link_url
from rota.client.call import as_calls, call
from rota.client.said import read_options
from rota.client.task_id import new_id, read_id
from rota.model.errors import InvalidInput
from rota.model.method import NO_OPTIONS, Options
from rota.model.text import task_id_text


class OwnError(Exception):
    pass


def test_durations_are_seconds_or_timedelta_and_instants_datetimes() -> None:
    assert read_options(
        {
            "timeout": 1.5,
            "retry_delay": timedelta(minutes=1),
            "run_at": datetime(2026, 1, 1, tzinfo=UTC),
            "retry_backoff": 2,
            "priority": None,
        }
    ) == Options(timeout=1_500_000, retry_delay=60_000_000, run_at=1_767_225_600_000_000, retry_backoff=2.0)


def test_nothing_said_is_no_options() -> None:
    assert read_options({}) is NO_OPTIONS
    assert read_options({"timeout": None}) is NO_OPTIONS


def test_the_names_of_other_libraries_are_understood() -> None:
    assert read_options({"countdown": 5}) == read_options({"delay": 5})
    when = datetime(2026, 1, 1, tzinfo=UTC)
    assert read_options({"eta": when}) == read_options({"run_at": when})
    with pytest.raises(TypeError, match="alias"):
        read_options({"delay": 1, "countdown": 1})


def test_exceptions_are_said_as_classes_or_names() -> None:
    said = read_options({"retry_on": [ValueError, OwnError, "requests.Timeout"], "give_up_on": KeyError})
    assert said.retry_on == ("ValueError", f"{__name__}.OwnError", "requests.Timeout")
    assert said.give_up_on == ("KeyError",)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"cron": "* * * * *"}, "'cron' is not an option"),
        ({"timeout": "5m"}, "timeout is a duration"),
        ({"timeout": True}, "timeout is a duration"),
        ({"timeout": -1}, "0 or more"),
        ({"timeout": float("nan")}, "0 or more"),
        ({"run_at": "tomorrow"}, "with a time zone"),
        ({"run_at": datetime(2026, 1, 1)}, "has no time zone"),
        ({"priority": "high"}, "priority is of type int"),
        ({"retries": 1.5}, "retries is of type int"),
        ({"group": 3}, "group is of type str"),
        ({"retry_on": [3]}, "exception classes"),
    ],
)
def test_what_is_wrong_is_told_where_it_was_said(said: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        read_options(said)


def test_a_call_pins_a_version_by_name() -> None:
    assert (call("add@2", 1).method, call("add@2", 1).version) == ("add", 2)
    for wrong in ("add@x", "add@0", "add@"):
        with pytest.raises(InvalidInput, match="pins a version"):
            call(wrong)
    with pytest.raises(InvalidInput):
        call("add@2", version=3)


def test_a_call_makes_a_new_task_each_time() -> None:
    made = call("add", {"a": 1}, priority=3, idempotency_key="k", labels={"x": "y"}, target="w")
    one, two = made.new(), made.new()
    assert one.id != two.id
    assert (one.params, one.options.priority, one.idempotency_key, one.labels["x"], one.target) == (
        b'{"a":1}', 3, "k", "y", "w",
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="cannot be sent"):
        call("\ud800").new()


def test_a_number_below_nothing_is_told_with_the_least() -> None:
    with pytest.raises(InvalidInput, match="retries: -1 cannot be sent: it must be 0 or more"):
        call("add", retries=-1)


def test_calls_may_be_tuples() -> None:
    made = list(as_calls([("a", 1), ("b@2", None, {"priority": 1}), call("c")]))
    assert [(each.method, each.version) for each in made] == [("a", 0), ("b", 2), ("c", 0)]


def test_ids_are_shown_as_canonical_text_and_sort_by_time() -> None:
    first, second = new_id(), new_id()
    assert first < second
    assert task_id_text(first) == str(UUID(bytes=first))
    assert read_id(task_id_text(first)) == read_id(UUID(bytes=first)) == read_id(first) == first
    for wrong in ("x", b"short", 3):
        with pytest.raises(InvalidInput, match="not the id"):
            read_id(wrong)  # type: ignore[arg-type]


def test_addresses_are_one_or_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROTA_URL", raising=False)
    assert addresses(None) == ("http://127.0.0.1:8080",)
    monkeypatch.setenv("ROTA_URL", "http://a:1, https://b")
    assert addresses(None) == ("http://a:1", "https://b")
    assert addresses(["embedded:", "embedded:///tmp/x"]) == ("embedded:", "embedded:///tmp/x")


@pytest.mark.parametrize("wrong", ["", "127.0.0.1:8080", "ftp://a", "http://", "http://a:99999", "http://user:pw@a"])
def test_a_wrong_address_is_told(wrong: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        addresses(wrong)
    assert raised.value.code == "invalid_url"
    assert "pw" not in str(raised.value)


def test_the_link_is_below_the_address() -> None:
    assert link_url("http://a:1") == "ws://a:1/api/v1/link"
    assert link_url("https://a/rota/") == "wss://a/rota/api/v1/link"
