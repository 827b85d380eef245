"""Tokens of a data folder that no node is using: made and revoked in its store, which is held meanwhile as by a node."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rota.access.audit import AuditLog, Recorder
from rota.access.grant import Grant
from rota.access.roles import ALL_ROLES
from rota.access.token_book import TokenBook
from rota.config import NodeSettings
from rota.house.parts import choose_store
from rota.model.token import TokenRecord
from rota.transport import audited


class TokenDesk:
    """The verbs on tokens. Each that changes something writes one line into the audit log, through the door `cli`."""

    def __init__(self, book: TokenBook, record: Recorder, grant: Grant) -> None:
        self._book, self._record, self._grant = book, record, grant

    def all(self) -> list[TokenRecord]:
        """Revoked ones too, oldest first."""
        return self._book.all()

    async def create(
        self, name: str, roles: Sequence[str], groups: Sequence[str] | None, expires_in: int | None
    ) -> tuple[TokenRecord, str]:
        """`expires_in`: microseconds. Raises InvalidInput, Conflict (`name_taken`)."""
        with audited.refusal(self._record, "token.create", name, self._grant):
            made = await self._book.create(name, roles, groups, expires_in, self._grant.name)
        await self._done("token.create", made[0].kid, made[0])
        return made

    async def rotate(self, kid: str) -> tuple[TokenRecord, str]:
        """The old one holds for a day beside the new one. Raises NotFound, Conflict."""
        with audited.refusal(self._record, "token.rotate", kid, self._grant):
            made = await self._book.rotate(kid, self._grant.name)
        await self._done("token.rotate", kid, made[0])
        return made

    async def revoke(self, kid: str) -> TokenRecord:
        """Raises NotFound."""
        with audited.refusal(self._record, "token.revoke", kid, self._grant):
            token = await self._book.revoke(kid)
        await self._done("token.revoke", kid, token)
        return token

    async def _done(self, action: str, target: str, token: TokenRecord) -> None:
        line = self._record.line(action, target, self._grant, "ok", None, audited.token_facts(token))
        await self._record.log.through(line)


@asynccontextmanager
async def token_desk(settings: NodeSettings) -> AsyncIterator[TokenDesk]:
    """The store is made where it is not there yet. Raises RefusesToStart (`store_locked`) while a node holds it."""
    store = choose_store(settings.store_url, settings.durability)
    await store.open()
    log = AuditLog(store)
    try:
        book = TokenBook(store)
        await book.load()
        grant = Grant(ALL_ROLES, name=f"{getpass.getuser()} on this machine")
        yield TokenDesk(book, Recorder(log, "cli"), grant)
    finally:
        await log.stop()
        await store.close()
