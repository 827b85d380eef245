"""Keys: what is sealed opens with the same key for the same use, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.life import keyring
from rota.model.errors import SealError
from rota.model.sealed import hidden, parts_of

OLD, NEW = f"old {'o' * 42}A", f"new {'n' * 42}A"
KEYS = keyring.read_keys(OLD)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROTA_SEAL_KEYS", raising=False)
    monkeypatch.delenv("ROTA_SEAL_KEY_FILE", raising=False)


@given(plain=st.binary(max_size=300), use=st.text(max_size=40))
def test_what_is_sealed_opens(plain: bytes, use: str) -> None:
    text = KEYS.seal(plain, use)
    assert KEYS.unseal(text, use) == plain
    assert parts_of(text) is not None
    assert hidden(f'["{text}"]'.encode()) == b'["***"]'


@given(plain=st.binary(min_size=1, max_size=40), place=st.integers(0, 10_000), to=st.sampled_from("ABab01-_"))
def test_what_was_changed_does_not(plain: bytes, place: int, to: str) -> None:
    head, _, body = KEYS.seal(plain, "params:a").rpartition(":")
    place %= len(body) - 1  # the last character holds bits that are not used
    changed = f"{head}:{body[:place]}{to}{body[place + 1 :]}"
    if changed == f"{head}:{body}":
        return
    with pytest.raises(SealError) as caught:
        KEYS.unseal(changed, "params:a")
    assert caught.value.code == "cannot_unseal"


def test_the_same_value_looks_different_each_time() -> None:
    assert len({KEYS.seal(b"x", "params:a") for _ in range(100)}) == 100


@pytest.mark.parametrize("use", ["params:b", "result:a", "", "params:a "])
def test_for_another_use_it_does_not_open(use: str) -> None:
    with pytest.raises(SealError) as caught:
        KEYS.unseal(KEYS.seal(b"x", "params:a"), use)
    assert caught.value.code == "cannot_unseal"


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    both = keyring.read_keys(f"# since May\n{NEW}\n\n{OLD}  # till June\n")
    old_text, new_text = KEYS.seal(b"x", "u"), both.seal(b"y", "u")
    assert both.unseal(old_text, "u") == b"x"
    assert (sealed := parts_of(new_text)) is not None
    assert sealed.kid == "new"
    with pytest.raises(SealError, match="'new'") as caught:
        KEYS.unseal(new_text, "u")
    assert caught.value.code == "unknown_seal_key"


def test_another_kid_on_it_does_not_open() -> None:
    same = keyring.read_keys(f"{OLD}\nother {OLD.split()[1]}")
    with pytest.raises(SealError) as caught:
        same.unseal(same.seal(b"x", "u").replace(":old:", ":other:"), "u")
    assert caught.value.code == "cannot_unseal"


@pytest.mark.parametrize(
    "text", ["", "# nothing", "alone", "a b c", "k short", f"k {'!' * 43}", f"{OLD}\n{OLD}", f"k/1 {OLD.split()[1]}"]
)
def test_keys_that_cannot_be_used_are_not_repeated(text: str) -> None:
    with pytest.raises(SealError) as caught:
        keyring.read_keys(text)
    assert caught.value.code == "bad_seal_key"
    assert OLD.split()[1] not in str(caught.value)
    assert "!!!" not in str(caught.value)


def test_a_file_that_others_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(OLD)
    path.chmod(0o644)
    with pytest.raises(SealError, match="chmod 600") as caught:
        keyring.read_key_file(path)
    assert caught.value.code == "bad_seal_key"
    path.chmod(0o600)
    assert keyring.read_key_file(path).unseal(KEYS.seal(b"x", "u"), "u") == b"x"
    with pytest.raises(SealError):
        keyring.read_key_file(tmp_path / "not there")


def test_the_environment_says_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = keyring.use(None)
    try:
        assert not keyring.has_own()
        assert keyring.lines() == ""
        with pytest.raises(SealError, match="rota seal key") as caught:
            keyring.own()
        assert caught.value.code == "no_seal_key"
        monkeypatch.setenv("ROTA_SEAL_KEYS", f"{NEW},{OLD}")
        assert keyring.has_own()
        assert keyring.own().unseal(KEYS.seal(b"x", "u"), "u") == b"x"
        assert keyring.lines() == f"{NEW}\n{OLD}"
        keyring.use(None)
        monkeypatch.setenv("ROTA_SEAL_KEY_FILE", str(tmp_path / "keys"))
        with pytest.raises(SealError, match="both"):
            keyring.own()
    finally:
        keyring.use(before)


def test_a_new_key_can_be_used() -> None:
    lines = {keyring.new_key("k") for _ in range(10)}
    assert len(lines) == 10
    for line in lines:
        keys = keyring.read_keys(line)
        assert keys.unseal(keys.seal(b"x", "u"), "u") == b"x"


def test_no_repr_shows_a_key() -> None:
    key = keyring.Key("k", b"s" * 32)
    assert "sss" not in repr(key)
