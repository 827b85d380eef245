"""What all links of a node share, and who is in."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Protocol

import psutil

from rota.access.audit import AuditLog, Recorder
from rota.access.grant import Grant
from rota.access.policy import Policy
from rota.access.token_book import TokenBook
from rota.contract.store import Store
from rota.engine.engine import Engine
from rota.life.duty import Errands
from rota.link.codes import Close
from rota.link.node_end import Terms
from rota.model.series import Point
from rota.observe.events import Events
from rota.transport.verbs import ReadSeries, Verbs

NOT_SERVING = frozenset({"starting", "draining"})
"""What `readiness` may answer where no new link or call is taken. Any other word: the node lives, but something is away."""
LONGEST_TICK = 1.0
"""Seconds between looks at every link (who is silent, who has not said Hello, who does not read); less than a heartbeat."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node tells of itself."""

    node_id: str
    version: str
    mode: str
    """embedded or cluster."""
    store: str
    """Its URL without a password."""
    durability: str
    data_dir: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """What the verbs of access and of the series are asked of."""

    tokens: TokenBook
    audit: AuditLog
    series: ReadSeries

    @classmethod
    def of(cls, store: Store, series: ReadSeries | None = None) -> Books:
        """Over a store that is opened later. `series`: where it is not given, the points as the store keeps them."""

        async def points(since: int, _: int) -> list[Point]:
            return await store.points(since)

        return cls(TokenBook(store), AuditLog(store), series or points)


class Guest(Protocol):
    """A session, or a stream of a door, as the lobby sees it."""

    @property
    def grant(self) -> Grant | None:
        """What it was let in with; None while it has not said who it is."""
        ...

    @property
    def is_client(self) -> bool: ...

    @property
    def under_way(self) -> set[asyncio.Task[None]]: ...

    def tick(self) -> None: ...

    def wind_down(self) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Hall:
    """Keeps the sessions of the running loop, and looks after them. `Lobby` opens them."""

    def __init__(
        self, engine: Engine, policy: Policy, terms: Terms, facts: NodeFacts, books: Books, events: Events
    ) -> None:
        self.events = events
        self.engine, self.policy, self.terms, self.facts, self.books = engine, policy, terms, facts, books
        self._guests: set[Guest] = set()
        self._errands = Errands("the end of a link")
        self._somebody_left = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._pause = min(LONGEST_TICK, terms.heartbeat / 4)
        self._process = psutil.Process(os.getpid())

    def __len__(self) -> int:
        """How many links are open."""
        return len(self._guests)

    @property
    def clients(self) -> int:
        """Links that are not a worker's."""
        return sum(guest.is_client for guest in self._guests)

    @property
    def memory_bytes(self) -> int:
        """Resident memory of this process."""
        return self._process.memory_info().rss

    def enter(self, guest: Guest) -> None:
        """A session begins."""
        self._guests.add(guest)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._tick)

    def left(self, guest: Guest) -> None:
        """A session is over."""
        self._guests.discard(guest)
        self._somebody_left.set()

    def verbs(self, grant: Grant, door: str, source: str = "") -> Verbs:
        """What a caller may ask who was let in so. `door`: http, grpc or link; `source`: the address it comes from."""
        record = Recorder(self.books.audit, door, source)
        return Verbs(self.engine, grant, record, self.books.tokens, self.books.series)

    def errand(self, work: Coroutine[None, None, None]) -> None:
        """Does something that outlives a link; `leave` waits for it."""
        self._errands.run(work)

    async def leave(self, reason: str = "the node stops", within: float = 5.0) -> None:
        """Begins no further request, and closes every link as going away once those under way are answered.

        Takes up to `within` seconds, what the engine does about links that end included. May be called twice.
        """
        deadline = asyncio.get_running_loop().time() + within
        for guest in self._guests:
            guest.wind_down()
        if work := set().union(*(guest.under_way for guest in self._guests)):
            await asyncio.wait(work, timeout=within / 2)
        for guest in list(self._guests):
            guest.close(Close.GOING_AWAY, reason)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._emptied()

    async def _emptied(self) -> None:
        """Carriers tell of their end a little after it was asked for, and then the engine has its errands."""
        while self._guests:
            self._somebody_left.clear()
            await self._somebody_left.wait()
        await self._errands.done()

    def _tick(self) -> None:
        self._timer = None
        for guest in list(self._guests):
            if guest.grant is not None and not self.policy.still_good(guest.grant):
                guest.close(Close.NOT_AUTHENTICATED, "the token holds no longer: it was revoked, or has expired")
            else:
                guest.tick()
        if self._guests:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._tick)
