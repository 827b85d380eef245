"""Secrets taken out of texts: those that this process was given, and what looks like one.

`redactor` is the process's own. Whoever reads a secret from a variable, a file or an address tells it (`learn`). Log
lines and errors of the program pass through `clean`; lines and errors of tasks through `own`, which knows the program's
secrets only: what a handler writes is its own affair, but the keys of the house do not leave by it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from urllib.parse import quote, unquote, urlsplit

MASK = "***"
SHORTEST = 8
"""Characters. A shorter word may stand in any sentence."""
MOST = 1_000
"""Secrets that are remembered; of more, the oldest are forgotten."""
_PATTERNS = (
    (("rota_",), re.compile(r"\brota_([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{16,}"), rf"rota_\1.{MASK}"),
    (
        ("bearer", "basic"),
        re.compile(r"\b(bearer|basic)\s+(?=[^\s\d]{0,64}\d)[\w.~+/=-]{16,}", re.IGNORECASE),
        rf"\1 {MASK}",
    ),
    (
        ("://",),
        re.compile(r"([a-z][a-z0-9+.-]{0,30}://[^\s/:@]{0,256}):[^\s/@]{1,512}@", re.IGNORECASE),
        rf"\1:{MASK}@",
    ),
)
"""A made token, what stands in an Authorization header, the password of an address; each with words, one of which is in
every text that it fits."""


opened_here: ContextVar[tuple[str, ...]] = ContextVar("rota_opened", default=())
"""Secrets that the code running here was given, the longer first: those of the task that a worker runs."""


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` in their place."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


class Redactor:
    """Learns in any thread. Without secrets `own` costs the look at an empty tuple; with some, one search each."""

    def __init__(self) -> None:
        self._learnt: dict[str, None] = {}
        self._secrets: tuple[str, ...] = ()
        self._hands = threading.Lock()

    def learn(self, *secrets: str | None) -> None:
        """Words that must not be seen from now on; None and what is shorter than `SHORTEST` are passed over."""
        wanted = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
        with self._hands:
            self._learnt.update(dict.fromkeys(secret for secret in wanted if len(secret) >= SHORTEST))
            while len(self._learnt) > MOST:
                del self._learnt[next(iter(self._learnt))]
            # The longer first: one secret may be the beginning of another.
            self._secrets = tuple(sorted(self._learnt, key=len, reverse=True))

    def learn_address(self, url: str) -> None:
        """The password in an address, if there is one, as it stands there and as it is meant."""
        try:
            password = urlsplit(url).password
        except ValueError:
            return
        if password:
            self.learn(password, unquote(password))

    def own(self, text: str) -> str:
        """Without the secrets of this process, and those of the task that runs here."""
        return without(without(text, opened_here.get()), self._secrets)

    def clean(self, text: str) -> str:
        """Without those, and without what looks like a secret."""
        text = self.own(text)
        lower = text.lower()
        for words, pattern, mask in _PATTERNS:
            if any(word in lower for word in words):
                text = pattern.sub(mask, text)
        return text


redactor = Redactor()
