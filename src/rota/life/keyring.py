"""The keys with which secret params and results are sealed and opened: AES-256-GCM, by the cryptography package.

A file of keys has one a line, `KID KEY`, KEY being 32 random bytes in base64url. The first seals, all of them open: to
change keys put a new one before the old, and take the old away when nothing that it sealed is needed any more.

What is sealed is bound to the use it was made for (a method's params, or its result): it opens nowhere else.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rota.life.secret_file import check_private
from rota.model.errors import RefusesToStart, SealError
from rota.model.sealed import BEGIN, parts_of
from rota.telemetry.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

FORM = 1
KEY_BYTES = 32
NONCE_BYTES = 12
_KID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST = 64 * 1024
"""Bytes of a file of keys."""
_HOW = (
    "make a key with `rota seal key > seal.keys` (mode 0600), and give it to those who submit and to the workers: "
    "ROTA_SEAL_KEY_FILE, or ROTA_SEAL_KEYS"
)


class Key(NamedTuple):
    kid: str
    key: bytes

    def __repr__(self) -> str:
        return f"Key({self.kid!r})"


class Keyring:
    """The first key seals, all of them open. Raises SealError (`bad_seal_key`) for none, and for one kid twice."""

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise SealError(f"there is no key among the seal keys; {_HOW}", code="bad_seal_key")
        self._keys = tuple(keys)
        self._first = keys[0].kid
        self._ciphers = {key.kid: _cipher(key.key) for key in keys}
        if len(self._ciphers) < len(keys):
            raise SealError("two seal keys have the same KID; give each its own", code="bad_seal_key")

    def lines(self) -> str:
        """As in a file of keys."""
        return "\n".join(f"{each.kid} {_text(each.key)}" for each in self._keys)

    def seal(self, plain: bytes, use: str) -> str:
        """A sealed text. `use` says what for; it is not secret, and opens only with the same."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, plain, _bound(self._first, use))
        return f"{BEGIN}{FORM}:{self._first}:{_text(nonce + sealed)}"

    def unseal(self, text: str, use: str) -> bytes:
        """Raises SealError: `unknown_seal_key` where another key is needed, `cannot_unseal` for what was changed."""
        sealed = parts_of(text)
        if sealed is None or sealed.form != FORM:
            raise SealError("not a sealed value that this version can read", code="cannot_unseal")
        cipher = self._ciphers.get(sealed.kid)
        if cipher is None:
            raise SealError(
                f"sealed with the key {sealed.kid!r}, which is not among this program's ({', '.join(self._ciphers)}); "
                "add it to the seal keys",
                code="unknown_seal_key",
            )
        try:
            raw = _raw(sealed.body)
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(sealed.kid, use))
        except Exception:
            raise SealError(
                f"it was changed, or sealed for something else than {use.replace(':', ' of ')}; seal it anew",
                code="cannot_unseal",
            ) from None


def new_key(kid: str) -> str:
    """A line of a file of keys. Raises SealError (`bad_seal_key`) for a KID that cannot be."""
    _check_kid(kid)
    return f"{kid} {_text(secrets.token_bytes(KEY_BYTES))}"


def read_keys(text: str) -> Keyring:
    """Lines as in a file; commas part them too. Raises SealError (`bad_seal_key`), which repeats no key."""
    lines = [words for line in text.replace(",", "\n").splitlines() if (words := line.partition("#")[0].split())]
    return Keyring([_read(words) for words in lines])


def read_key_file(path: Path) -> Keyring:
    """Raises SealError (`bad_seal_key`) for a file that cannot be read, or that others can."""
    try:
        check_private(path, "seal key", "bad_seal_key")
        with path.open("rb") as file:
            text = file.read(_MOST).decode("ascii")
    except RefusesToStart as error:
        raise SealError(error.detail, code="bad_seal_key") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"the seal key file {path} cannot be read: {error}", code="bad_seal_key") from None
    return read_keys(text)


def keys_given(keys: str | None, path: Path | None) -> Keyring | None:
    """Those of a variable or of a file; None where neither is given. Raises SealError (`bad_seal_key`)."""
    if keys is not None and path is not None:
        raise SealError("both ROTA_SEAL_KEYS and a seal key file are given; take one away", code="bad_seal_key")
    if path is not None:
        return read_key_file(path)
    return read_keys(keys) if keys is not None else None


# ---------------------------------------------------------------- of this process

_own: list[Keyring] = []


def use(keyring: Keyring | None) -> Keyring | None:
    """This process's keys from now on; answers those before. None: what the environment says, when it is needed."""
    before = _own.pop() if _own else None
    if keyring is not None:
        _own.append(keyring)
    return before


def own() -> Keyring:
    """This process's keys. Raises SealError (`no_seal_key`) where it has none."""
    if not _own:
        _own.append(_of_environment())
    return _own[0]


def has_own() -> bool:
    """It was given keys, one way or another."""
    return bool(_own or os.environ.get("ROTA_SEAL_KEYS") or os.environ.get("ROTA_SEAL_KEY_FILE"))


def lines() -> str:
    """This process's keys as in a file of keys, for a child; nothing where it has none."""
    return own().lines() if has_own() else ""


def _of_environment() -> Keyring:
    keys, path = os.environ.get("ROTA_SEAL_KEYS"), os.environ.get("ROTA_SEAL_KEY_FILE")
    if (given := keys_given(keys or None, Path(path) if path else None)) is not None:
        return given
    raise SealError(
        f"a Secret is sealed before it travels, and this program has no seal key: {_HOW}", code="no_seal_key"
    )


# ---------------------------------------------------------------- parts


def _read(words: list[str]) -> Key:
    if len(words) != 2:
        raise SealError("a line of seal keys is `KID KEY`", code="bad_seal_key")
    kid, text = words
    redactor.learn(text)
    _check_kid(kid)
    try:
        key = _raw(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SealError(f"the seal key {kid!r} is not {KEY_BYTES} bytes in base64url; {_HOW}", code="bad_seal_key")
    return Key(kid, key)


def _check_kid(kid: str) -> None:
    if not _KID.fullmatch(kid):
        raise SealError(
            "a KID is 1 to 64 of the characters A–Z, a–z, 0–9, '.', '_' and '-'; write `KID KEY` on a line",
            code="bad_seal_key",
        )


def _bound(kid: str, use: str) -> bytes:
    """The additional data: nothing of it can be changed."""
    return f"{BEGIN}{FORM}:{kid}:{use}".encode()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    """Raises ValueError for what is no base64url."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise SealError(
            "sealing needs the cryptography package: pip install 'rota[seal]'", code="no_seal_key"
        ) from None
    return AESGCM(key)
