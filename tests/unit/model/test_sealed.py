"""The text of a sealed value, and the class that hides one."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from rota.model.sealed import hidden, parts_of
from rota.model.secret import Secret, is_secret

TEXT = "rota:sealed:1:k1:Yh4FdT1vQ2N_vcuUbLrJMBOqqIyBgvZuU-D4hMbN2HYCqGxbyQ"


def test_json_is_shown_without_what_is_sealed() -> None:
    raw = json.dumps({"user": "ann", "keys": [TEXT, {"deep": TEXT}], "n": 1}).encode()
    assert json.loads(hidden(raw)) == {"user": "ann", "keys": ["***", {"deep": "***"}], "n": 1}
    plain = b'{"user":"ann"}'
    assert hidden(plain) is plain


@pytest.mark.parametrize(
    "text",
    ["rota:sealed:", "rota:sealed:1:k1:", "rota:sealed:x:k1:AAAA", "rota:sealed:1:k 1:AAAA", f"{TEXT} ", f" {TEXT}"],
)
def test_what_only_looks_like_it_has_no_parts(text: str) -> None:
    assert parts_of(text) is None


def test_its_parts() -> None:
    assert parts_of(TEXT) == (1, "k1", TEXT.rpartition(":")[2])


def test_a_secret_shows_nothing() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s %r" % (secret, secret), repr({"p": [secret]})]  # noqa: UP031
    assert not any("hunter2" in text for text in shown)
    assert copy.deepcopy({"p": secret})["p"].reveal() == "hunter2"
    assert copy.copy(secret).reveal() == "hunter2"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_a_secret_of_a_secret_is_the_same() -> None:
    assert Secret(Secret("x")).reveal() == "x"


def test_hints() -> None:
    assert is_secret(Secret)
    assert is_secret(Secret[str])
    assert not is_secret(str)
    assert not is_secret(list[str])
