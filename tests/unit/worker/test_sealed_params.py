"""Secrets in params and results, as handlers and callers of them write it; in one process, over a real node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from rota import App, Retry, SealError, Secret, TaskCancelled, TaskFailed
from rota.client.views import TaskView
from rota.face.testing import Testing
from rota.life import keyring

PASSWORD = 'hunter2-canary "quoted" ünd / more'


@dataclass
class Account:
    user: str
    password: Secret[str]


class Login(msgspec.Struct):
    account: Account
    token: Secret[dict[str, str]] | None = None


app = App()
seen: list[Any] = []


@app.task
def log_in(user: str, password: Secret[str]) -> str:
    seen.append(password.reveal())
    return f"{user}: {len(password.reveal())}"


@app.task
def nested(login: Login, more: list[Secret[str]], by_name: dict[str, Secret[str]]) -> list[str]:
    token = login.token.reveal()["t"] if login.token else ""
    return [
        login.account.password.reveal(),
        token,
        *(s.reveal() for s in more),
        *(s.reveal() for s in by_name.values()),
    ]


@app.task
def untyped(value):  # type: ignore[no-untyped-def]
    seen.append(value)


@app.task
def plain(password: str) -> None:
    seen.append(password)


@app.task
def many(*each: Secret[str], **named: Secret[str]) -> list[str]:
    return [secret.reveal() for secret in (*each, *named.values())]


@app.task
def optional(password: Secret[str] | None = None) -> bool:
    return password is None


@app.task
async def session(user: str) -> Secret[dict[str, str]]:
    return {"token": f"{user}-session-canary"}  # type: ignore[return-value]


@app.task
def anything() -> list[object] | object:
    return {"a": 1}


@app.task
def whole(secret: Secret[dict[str, Any]]) -> int:
    return len(secret.reveal())


@app.task
def complains(password: Secret[str], how: str) -> None:
    text = password.reveal()
    if how == "retry":
        raise Retry(message=f"wrong {text}")
    raise ValueError(f"wrong {text} and {text!r} and {text.encode()!r}")


@pytest.fixture
def rota() -> Iterator[Testing]:
    seen.clear()
    with app.testing() as rota:
        yield rota


def newest(rota: Testing) -> TaskView:
    return rota.client.get(list(rota.client.list())[0].id)  # noqa: RUF015  # an iterator left half read is another test


def kept(rota: Testing) -> str:
    return repr([rota.client.get(view.id) for view in rota.client.list()])


@pytest.mark.parametrize("given", [PASSWORD, Secret(PASSWORD)])
def test_a_hint_seals(rota: Testing, given: Any) -> None:
    assert log_in.submit("ann", given).result(timeout=10) == f"ann: {len(PASSWORD)}"
    assert log_in.execute("ann", password=given, timeout=10) == f"ann: {len(PASSWORD)}"
    assert seen == [PASSWORD, PASSWORD]
    assert "hunter2" not in kept(rota)
    assert newest(rota).params == {"user": "ann", "password": "***"}


def test_it_is_sealed_before_it_travels() -> None:
    with app.testing():
        sealed = log_in.call("ann", PASSWORD).params
    assert b"hunter2" not in sealed
    assert b"rota:sealed:1:testing:" in sealed
    assert b"ann" in sealed


def test_deep_inside(rota: Testing) -> None:
    login = Login(Account("ann", Secret("one")), Secret({"t": "two"}))
    found = nested.submit(login, ["three"], {"x": "four"}).result(timeout=10)  # type: ignore[list-item,dict-item]
    assert found == ["one", "two", "three", "four"]
    assert "two" not in repr(newest(rota).raw_params)


def test_whole_objects(rota: Testing) -> None:
    assert whole.submit(Secret({"a": 1, "b": "bee-canary"})).result(timeout=10) == 2


def test_variadic(rota: Testing) -> None:
    assert many.submit("a", "b").result(timeout=10) == ["a", "b"]  # type: ignore[arg-type]
    assert many.submit(x="c").result(timeout=10) == ["c"]  # type: ignore[arg-type]


def test_none_stays_none(rota: Testing) -> None:
    assert optional.submit(None).result(timeout=10)
    assert optional.submit().result(timeout=10)
    assert not optional.submit(Secret("x")).result(timeout=10)


def test_a_caller_without_the_function_seals_too(rota: Testing) -> None:
    params = {"user": "bob", "password": Secret(PASSWORD)}
    assert rota.client.execute("log_in", params, wait_timeout=10) == f"bob: {len(PASSWORD)}"
    rota.client.submit("untyped", {"value": {"deep": [Secret("x-canary")]}}).result(timeout=10)
    opened = seen[-1]["deep"][0]
    assert isinstance(opened, Secret)
    assert opened.reveal() == "x-canary"


def test_a_plain_value_where_a_secret_belongs_is_refused(rota: Testing) -> None:
    with pytest.raises(TaskFailed, match=r"password: .*must be sealed") as caught:
        rota.client.execute("log_in", {"user": "bob", "password": PASSWORD}, wait_timeout=10)
    assert caught.value.reason == "invalid_params"
    assert "hunter2" not in str(caught.value)


def test_a_sealed_value_where_a_text_belongs_is_refused(rota: Testing) -> None:
    with pytest.raises(TaskFailed, match=r"password: .*rota.Secret") as caught:
        rota.client.execute("plain", {"password": Secret(PASSWORD)}, wait_timeout=10)
    assert caught.value.reason == "invalid_params"
    assert seen == []


def test_what_was_sealed_for_another_method_is_refused(rota: Testing) -> None:
    stolen = msgspec.json.decode(log_in.call("ann", PASSWORD).params)["password"]
    with pytest.raises(TaskFailed, match="something else") as caught:
        rota.client.execute("optional", {"password": stolen}, wait_timeout=10)
    assert caught.value.reason == "invalid_params"
    assert rota.client.execute("log_in", {"user": "x", "password": stolen}, wait_timeout=10)


def test_a_result_is_sealed_by_its_hint(rota: Testing) -> None:
    handle = session.submit("ann")
    secret = handle.result(timeout=10)
    assert secret.reveal() == {"token": "ann-session-canary"}
    assert handle.view().result == "***"
    assert b"canary" not in handle.outcome().raw
    assert "canary" not in kept(rota)


def test_an_error_says_nothing(rota: Testing) -> None:
    handle = complains.submit(PASSWORD, "raise")  # type: ignore[arg-type]
    with pytest.raises(TaskFailed) as caught:
        handle.result(timeout=10)
    words = str(caught.value) + caught.value.traceback + repr(handle.view())
    assert "wrong ***" in words
    assert 'hunter2-canary "quoted"' not in words
    assert 'hunter2-canary \\"quoted' not in words


def test_the_same_secret_again_is_the_same_submit(rota: Testing) -> None:
    first = log_in.options(idempotency_key="k").submit("ann", PASSWORD)  # type: ignore[arg-type]
    again = log_in.options(idempotency_key="k").submit("ann", PASSWORD)  # type: ignore[arg-type]
    assert (again.id, again.duplicate) == (first.id, True)


def test_without_a_key_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROTA_SEAL_KEYS", raising=False)
    monkeypatch.delenv("ROTA_SEAL_KEY_FILE", raising=False)
    before = keyring.use(None)
    try:
        with pytest.raises(SealError, match="rota seal key"):
            log_in.call("ann", PASSWORD)
    finally:
        keyring.use(before)


def test_what_cannot_travel_inside_one_is_told_without_it(rota: Testing) -> None:
    with pytest.raises(TypeError, match="password") as caught:
        log_in.call("ann", Secret(object()))  # type: ignore[arg-type]
    assert "object at" not in str(caught.value)


def test_the_schema_says_that_it_is_sealed(rota: Testing) -> None:
    schema = next(m.params_schema for m in rota.client.methods() if m.name == "log_in")
    assert schema["properties"]["password"] == {"type": "string", "format": "rota-sealed", "writeOnly": True}


def test_cancel_and_retry_say_nothing(rota: Testing) -> None:
    handle = complains.options(retries=0).submit(PASSWORD, "retry")  # type: ignore[arg-type]
    with pytest.raises((TaskFailed, TaskCancelled)) as caught:
        handle.result(timeout=10)
    assert "hunter2" not in str(caught.value)


def test_a_hint_that_nothing_becomes_is_passed_over(rota: Testing) -> None:
    assert anything.submit().result(timeout=10) == {"a": 1}
