"""The tokens that are kept in the store, as the node has them in memory: by kid, with the digests of their secrets.

Only this process changes them while it holds the store, and by these verbs. When a token was last used is written once
a minute, for all in one go.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from rota.access.made_token import kid_of, make_token
from rota.model.errors import Conflict, NotFound, RotaError
from rota.model.token import TokenRecord

USED_EVERY = 60.0
"""Seconds between two writes of when tokens were last used."""
GRACE = 24 * 3600 * 1_000_000
"""How long a rotated token still holds beside its successor, microseconds."""
_NOBODY = bytes(32)
_logger = logging.getLogger("rota.access")


class TokenStore(Protocol):
    """What of a store is used here."""

    def now(self) -> int: ...

    async def add_token(self, token: TokenRecord) -> None: ...

    async def revoke_token(self, kid: str, at: int) -> TokenRecord | None: ...

    async def touch_tokens(self, used: Mapping[str, int]) -> None: ...

    async def tokens(self) -> list[TokenRecord]: ...


class TokenBook:
    """`load` once the store is open, `stop` before it closes."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._tokens: dict[str, TokenRecord] = {}
        self._used: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Revoked and expired ones too: who has ever made a token does not want an open node."""
        return len(self._tokens)

    async def load(self) -> None:
        """Reads all from the store."""
        self._tokens = {token.kid: token for token in await self._store.tokens()}

    async def stop(self) -> None:
        """Writes when tokens were last used. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await self._writing
        await self._write()

    # --- who presents one

    def find(self, text: str, digest: bytes) -> TokenRecord | None:
        """The token that holds now for what was presented, and its digest. What it takes is the same for a kid that nobody
        has, for a wrong secret, and for a token that has expired or was revoked."""
        token = self._tokens.get(kid_of(text) or "")
        same = hmac.compare_digest(token.digest if token is not None else _NOBODY, digest)
        return token if same and token is not None and self._holds(token) else None

    def holds(self, kid: str) -> bool:
        """Whether the token of this kid holds now."""
        token = self._tokens.get(kid)
        return token is not None and self._holds(token)

    @property
    def anybody_holds(self) -> bool:
        """Some token can be presented now."""
        return any(self._holds(token) for token in self._tokens.values())

    def used(self, kid: str) -> None:
        """It was presented now."""
        self._used[kid] = self._store.now()
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(USED_EVERY, self._begin)

    # --- verbs

    def all(self) -> list[TokenRecord]:
        """Every token, revoked ones too, oldest first."""
        listed = (replace(t, last_used_at=self._used.get(t.kid, t.last_used_at)) for t in self._tokens.values())
        return sorted(listed, key=lambda token: (token.created_at, token.kid))

    def get(self, kid: str) -> TokenRecord:
        """Raises NotFound (`token_not_found`)."""
        if (token := self._tokens.get(kid)) is None:
            raise NotFound(
                f"no token has the kid {kid[:64]!r}; list them to see which there are", code="token_not_found"
            )
        return token

    async def create(
        self, name: str, roles: Iterable[str], groups: Iterable[str] | None, expires_in: int | None, by: str
    ) -> tuple[TokenRecord, str]:
        """The record, and the text to present, which nobody can find out again. Raises InvalidInput, Conflict (`name_taken`)."""
        token, text = make_token(name, roles, groups, now=self._store.now(), expires_in=expires_in, by=by)
        await self._store.add_token(token)
        self._tokens[token.kid] = token
        return token, text

    async def rotate(self, kid: str, by: str) -> tuple[TokenRecord, str]:
        """Another secret with the same name, roles, groups and lifetime. The old one holds for GRACE beside it.

        Raises NotFound, Conflict (`token_revoked`) for one that holds no longer, or has a successor.
        """
        old, now = self.get(kid), self._store.now()
        if not self._holds(old) or old.revoked_at is not None:
            raise Conflict(
                f"the token {kid} was revoked, has expired, or was rotated before: make another", code="token_revoked"
            )
        lifetime = None if old.expires_at is None else old.expires_at - old.created_at
        token, text = make_token(old.name, old.roles, old.groups, now=now, expires_in=lifetime, by=by)
        await self._revoke(kid, now + GRACE)
        await self._store.add_token(token)
        self._tokens[token.kid] = token
        return token, text

    async def revoke(self, kid: str) -> TokenRecord:
        """It holds no more, from now on. Revoked again: as it was. Raises NotFound."""
        self.get(kid)
        return await self._revoke(kid, self._store.now())

    async def drop(self, kid: str) -> None:
        """As if it had never been given out: it holds no more, whether the store can be told or not."""
        self._tokens[kid] = replace(self._tokens[kid], revoked_at=self._store.now())
        with contextlib.suppress(RotaError):
            await self._store.revoke_token(kid, self._store.now())

    # --- inside

    def _holds(self, token: TokenRecord) -> bool:
        now = self._store.now()
        return (token.revoked_at is None or now < token.revoked_at) and (
            token.expires_at is None or now < token.expires_at
        )

    async def _revoke(self, kid: str, at: int) -> TokenRecord:
        token = await self._store.revoke_token(kid, at)
        if token is None:
            raise NotFound(f"the token {kid} is not in the store", code="token_not_found")
        self._tokens[kid] = token
        return token

    def _begin(self) -> None:
        self._timer = None
        self._writing = asyncio.get_running_loop().create_task(self._write())
        self._writing.add_done_callback(self._written)

    def _written(self, _: object) -> None:
        self._writing = None
        if self._used and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(USED_EVERY, self._begin)

    async def _write(self) -> None:
        used = self._used
        self._used = {}
        if not used:
            return
        try:
            await self._store.touch_tokens(used)
        except RotaError as error:
            self._used = used | self._used
            _logger.info("when tokens were last used could not be written: %s", error.detail)
            return
        for kid, at in used.items():
            if (token := self._tokens.get(kid)) is not None:
                self._tokens[kid] = replace(token, last_used_at=at)
