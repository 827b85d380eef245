"""Where tokens are kept, as `rota token` works on them: behind a node, or in a data folder that no node is using."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from rota.cli.output import Output
from rota.cli.reach import reach
from rota.config import ClientSettings, NodeSettings
from rota.config.client import FIRST_TOKEN
from rota.config.secret import token_of
from rota.model.errors import CannotConnect, RefusesToStart

if TYPE_CHECKING:
    from rota.client.house_views import NewToken, TokenView
    from rota.client.sync import Client
    from rota.house.offline import TokenDesk
    from rota.model.token import TokenRecord

T = TypeVar("T")
FOLDER = ("data", "store")
"""The settings that name a folder."""


class Desk(Protocol):
    """The verbs on tokens. `expires_in` is in seconds."""

    def all(self) -> Sequence[TokenView]: ...

    def create(
        self, name: str, roles: Sequence[str], groups: Sequence[str] | None, expires_in: float | None
    ) -> NewToken: ...

    def rotate(self, kid: str) -> NewToken: ...

    def revoke(self, kid: str) -> TokenView: ...


@contextmanager
def open_desk(folder: NodeSettings, settings: ClientSettings, said: frozenset[str], out: Output) -> Iterator[Desk]:
    """The node at the URL. Its data folder where that is a flag and no node holds it, or where no node answers on this
    machine and its store is here. `said`: what was given as flags.

    Raises CannotConnect where there is neither.
    """
    here = not said.isdisjoint(FOLDER)
    if here and not _held(folder):
        yield _InFolder(folder)
        return
    with reach(settings, _token_beside(folder, settings) if here else None) as client:
        try:
            client.tokens()
        except CannotConnect:
            if not _is_here(settings) or not _has_store(folder) or _held(folder):
                raise
        else:
            yield _AtNode(client)
            return
    out.note(f"no node answers: this is done in its store, {folder.store_path}")
    yield _InFolder(folder)


def _token_beside(folder: NodeSettings, settings: ClientSettings) -> str | None:
    """The one that the node made at its first start, where no other is given."""
    path = folder.data / FIRST_TOKEN
    if settings.token or settings.token_file or not os.access(path, os.R_OK):
        return None
    return token_of(None, path)


def _has_store(folder: NodeSettings) -> bool:
    return folder.store_path is not None and folder.store_path.is_file()


def _held(folder: NodeSettings) -> bool:
    """By a node that runs."""
    from rota.storage.lock import StoreLock

    path = folder.store_path
    if path is None or not path.parent.is_dir():
        return False
    lock = StoreLock(path)
    try:
        lock.acquire()
    except RefusesToStart as error:
        if error.code == "store_locked":
            return True
        raise
    lock.release()
    return False


def _is_here(settings: ClientSettings) -> bool:
    """The address is one of this machine: only then does its data folder stand for the node."""
    return all(urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1") for url in settings.url)


class _AtNode:
    def __init__(self, client: Client) -> None:
        self._client = client

    def all(self) -> Sequence[TokenView]:
        return self._client.tokens()

    def create(
        self, name: str, roles: Sequence[str], groups: Sequence[str] | None, expires_in: float | None
    ) -> NewToken:
        return self._client.create_token(name, roles, groups, expires_in)

    def rotate(self, kid: str) -> NewToken:
        return self._client.rotate_token(kid)

    def revoke(self, kid: str) -> TokenView:
        return self._client.revoke_token(kid)


class _InFolder:
    """Holds the store for each verb anew, for a moment."""

    def __init__(self, folder: NodeSettings) -> None:
        self._folder = folder

    def all(self) -> Sequence[TokenView]:
        return self._run(lambda desk: _at_once([_view(token) for token in desk.all()]))

    def create(
        self, name: str, roles: Sequence[str], groups: Sequence[str] | None, expires_in: float | None
    ) -> NewToken:
        holds = None if expires_in is None else round(expires_in * 1_000_000)
        return _new(self._run(lambda desk: desk.create(name, roles, groups, holds)))

    def rotate(self, kid: str) -> NewToken:
        return _new(self._run(lambda desk: desk.rotate(kid)))

    def revoke(self, kid: str) -> TokenView:
        return _view(self._run(lambda desk: desk.revoke(kid)))

    def _run(self, act: Callable[[TokenDesk], Awaitable[T]]) -> T:
        import asyncio

        from rota.house.offline import token_desk

        async def run() -> T:
            async with token_desk(self._folder) as desk:
                return await act(desk)

        return asyncio.run(run())


async def _at_once(value: T) -> T:
    return value


def _new(made: tuple[TokenRecord, str]) -> NewToken:
    from rota.client.house_views import NewToken

    record, text = made
    return NewToken(text, _view(record))


def _view(token: TokenRecord) -> TokenView:
    from rota.client.house_views import TokenView

    return TokenView(
        token.kid,
        token.name,
        tuple(sorted(token.roles)),
        None if token.groups is None else tuple(sorted(token.groups)),
        _instant(token.created_at),
        token.created_by,
        _instant(token.expires_at),
        _instant(token.last_used_at),
        _instant(token.revoked_at),
    )


def _instant(at: int | None) -> datetime | None:
    return datetime.fromtimestamp(at / 1e6, UTC) if at is not None else None
