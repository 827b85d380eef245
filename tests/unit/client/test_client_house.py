"""What a client says of the house, before it leaves: limits, filters, parents; its sync twin; what it trusts over TLS."""

import inspect
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from rota.client.batch_handle import BatchHandle
from rota.client.call import call
from rota.client.filters import filter_fields
from rota.client.handle import Handle
from rota.client.house import AsyncHouse
from rota.client.house_views import BatchInfo, NewToken, RateView, TokenView
from rota.client.limits import control_of
from rota.client.sync_house import House
from rota.client.tls import Tls, tls_dial
from rota.client.views import Receipt
from rota.config.client import ClientSettings
from rota.model.errors import InvalidInput, RefusesToStart
from rota.wire.v1 import house_pb2 as pb

A, B = str(UUID(int=1)), str(UUID(int=2))
SECOND, MINUTE = 1_000_000, 60_000_000


class Client:
    """Nothing of it is asked here."""


def handle(task_id: str) -> Handle[Any]:
    return Handle(Client(), Receipt(task_id))  # type: ignore[arg-type]


# --- limits


@pytest.mark.parametrize(
    ("said", "count", "period"),
    [
        ("10/s", 10, SECOND),
        ("100/m", 100, MINUTE),
        ("5/30s", 5, 30 * SECOND),
        ("1/0.5s", 1, SECOND // 2),
        (" 7 / 2 h ", 7, 120 * MINUTE),
        (3, 3, SECOND),
        (0.1, 1, 10 * SECOND),
        ((2, timedelta(minutes=1)), 2, MINUTE),
        ((2, 0.25), 2, SECOND // 4),
    ],
)
def test_a_rate_is_said_in_many_ways(said: Any, count: int, period: int) -> None:
    assert control_of("group", "g", {"rate": said}).rate == pb.Rate(count=count, period=period)


@pytest.mark.parametrize("said", ["", "10", "10/", "ten/s", "0/s", "10/0s", "10/x", 0, -1, (0, 1), (1, 0)])
def test_what_is_no_rate_is_told_with_how_to_write_one(said: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        control_of("group", "g", {"key_rate": said})
    assert refused.value.errors[0].path == "key_rate"


def test_what_is_not_said_stays_and_none_takes_away() -> None:
    asked = control_of("method", "add", {"concurrency": None, "rate": None})
    assert [asked.HasField(name) for name in ("concurrency", "rate", "key_rate", "paused", "note")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert (asked.concurrency, asked.rate.count) == (0, 0)


def test_a_limit_that_there_is_not_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="speed"):
        control_of("node", "", {"speed": 3})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(InvalidInput):
        control_of("node", "", {"concurrency": 0})


def test_a_rate_is_shown_as_it_would_be_written() -> None:
    assert [str(RateView(*pair)) for pair in ((10, 1.0), (1, 60.0), (5, 30.0), (2, 3600.0))] == [
        "10/s",
        "1/m",
        "5/30s",
        "2/h",
    ]


# --- which tasks, and after which


def test_parents_are_handles_ids_and_collections_of_them_each_once() -> None:
    batch = BatchHandle(Client(), "b", [handle(A), handle(B)])  # type: ignore[arg-type]
    parents = (UUID(A).bytes, UUID(B).bytes)
    for after in ([handle(A), handle(B)], batch, [batch], [A, UUID(B)], [[A], (B, A)], (Receipt(A), UUID(B).bytes)):
        assert call("add", after=after).after == parents
    assert call("add", after=handle(A)).after == parents[:1]
    assert call("add", after=[]).after == ()


@pytest.mark.parametrize(("after", "error"), [(5, TypeError), ([5], TypeError), (["x"], InvalidInput)])
def test_what_names_no_task_is_told_where_it_was_said(after: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call("add", after=after)


def test_a_call_carries_its_parents_batch_and_keys() -> None:
    made = call(
        "add", [1], after=[A], on_parent_failure="run", batch="night", unique_key="u", unique_mode="replace",
        concurrency_key="k", concurrency_limit=3,
    )  # fmt: skip
    new = made.new()
    assert (list(new.after), new.on_parent_failure, new.batch) == ([UUID(A).bytes], "run", "night")
    assert (new.options.unique_mode, new.options.concurrency_key, new.options.concurrency_limit) == ("replace", "k", 3)
    assert call("add", debounce=timedelta(seconds=2)).new().options.debounce == 2 * SECOND


def test_a_plain_call_says_nothing_of_all_that() -> None:
    assert {field.name for field, _ in call("add", [1]).new().ListFields()} == {"id", "method", "params"}


def test_a_filter_says_what_was_said() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    asked = pb.Filter(**filter_fields({"states": "failed", "label": "a=b", "text": "x", "created_after": since}))
    assert asked == pb.Filter(states=["failed"], label="a=b", text="x", created_after=round(since.timestamp()) * SECOND)
    with pytest.raises(ValueError, match="time zone"):
        filter_fields({"created_before": datetime(2026, 1, 1)})


def test_a_batch_knows_when_it_is_finished() -> None:
    info = BatchInfo("b", {"succeeded": 3, "failed": 1, "expired": 1, "running": 1}, None)
    assert (info.total, info.done, info.succeeded, info.failed, info.finished) == (6, 5, 3, 2, False)
    assert BatchInfo("b", {"succeeded": 3, "cancelled": 1}, None).finished


def test_a_new_token_is_not_in_its_own_words() -> None:
    made = NewToken("rota_kid.the-secret", TokenView("kid", "ci", (), None, None, "", None, None, None))
    assert "the-secret" not in f"{made} {made!r}"


# --- the sync twin


def test_every_verb_of_the_house_has_a_sync_and_an_async_twin() -> None:
    verbs = {name for name in vars(AsyncHouse) if not name.startswith("_")} - {"core", "audit_pages"}
    mine = {name for name in vars(House) if not name.startswith("_")}
    assert {name for name in verbs if name not in mine or f"a{name}" not in mine} == set()
    assert mine - verbs - {f"a{name}" for name in verbs} == {"wait_batch", "await_batch"}
    for name in verbs - {"audit"}:
        asked, told = inspect.signature(getattr(AsyncHouse, name)), inspect.signature(getattr(House, name))
        assert list(asked.parameters.values()) == list(told.parameters.values()), name
        assert list(told.parameters) == list(inspect.signature(getattr(House, f"a{name}")).parameters), name


# --- whom it trusts


def test_what_is_said_of_tls_by_variables_counts_where_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert tls_dial(None) is None
    monkeypatch.setenv("ROTA_TLS_CA", str(tmp_path / "ca.pem"))
    assert Tls.of_variables() == Tls(tmp_path / "ca.pem")
    assert tls_dial(None) is not None
    assert tls_dial(Tls()) is None


def files(folder: Path) -> tuple[Path, Path]:
    (folder / "cert.pem").write_text("not a certificate")
    return folder / "cert.pem", folder / "missing.pem"


@pytest.mark.parametrize(
    "make",
    [
        lambda cert, missing: Tls(ca=missing),
        lambda cert, missing: Tls(ca=cert),
        lambda cert, missing: Tls(cert=cert),
        lambda cert, missing: Tls(key=cert),
        lambda cert, missing: Tls(cert=cert, key=cert),
    ],
)
def test_files_that_cannot_be_used_are_told(tmp_path: Path, make: Callable[[Path, Path], Tls]) -> None:
    with pytest.raises(RefusesToStart) as refused:
        make(*files(tmp_path)).context()
    assert refused.value.code == "bad_tls"


def test_nodes_are_checked_by_the_systems_authorities_unless_others_are_given() -> None:
    context = Tls().context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


# --- the token that a node on this machine made


@pytest.fixture
def first_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROTA_DATA", str(tmp_path))
    path = tmp_path / "admin-token"
    path.touch(0o600)
    path.write_text("rota_kid.a-long-text-that-nobody-else-has\n")
    return path


@pytest.mark.parametrize(
    ("urls", "used"),
    [
        (("http://127.0.0.1:8080",), True),
        (("http://localhost:8080", "http://[::1]:8080"), True),
        (("https://rota.example",), False),
        (("http://127.0.0.1:8080", "http://10.0.0.7:8080"), False),
    ],
)
def test_the_nodes_first_token_is_shown_to_nodes_on_this_machine_alone(
    first_token: Path, urls: tuple[str, ...], used: bool
) -> None:
    assert (ClientSettings(url=urls).secret() is not None) == used


def test_a_token_that_was_given_goes_before_the_first_one(first_token: Path) -> None:
    assert ClientSettings(token="given").secret() == "given"


def test_a_first_token_that_others_can_read_or_that_is_not_there_is_none(first_token: Path) -> None:
    assert ClientSettings().secret() == "rota_kid.a-long-text-that-nobody-else-has"
    first_token.chmod(0o644)
    assert ClientSettings().secret() is None
    first_token.unlink()
    assert ClientSettings().secret() is None
