"""One who listens: a place in the ring. Nothing is kept for it, so one that takes little costs as much as any other."""

from __future__ import annotations

import asyncio
from typing import Protocol

from rota.observe.event import Filter
from rota.observe.event_forms import Form


class Source(Protocol):
    """Where a reader reads."""

    @property
    def seq(self) -> int:
        """The number of the last event."""
        ...

    def read(self, after: int, wants: Filter, form: Form) -> tuple[bytes, int]:
        """What comes after a number, empty where that is nothing, and the place behind it."""
        ...

    def beat(self, form: Form) -> bytes:
        """A sign of life."""
        ...

    def reset(self, form: Form) -> bytes:
        """What a reader is told whose place is not known."""
        ...

    def left(self, reader: Reader) -> None:
        """It listens no more."""
        ...


class Reader:
    """Made by `Events.join`. One task asks for `next` over and over; `leave` is called once at the end."""

    def __init__(self, source: Source, form: Form, wants: Filter) -> None:
        self._source, self._form, self._wants = source, form, wants
        self._at = source.seq
        self._placed = False
        self._lost = self._beat = False
        self._news = asyncio.Event()
        self._closing = ""
        self.ended = ""
        """Why nothing more comes; empty while it may."""

    @property
    def wants(self) -> Filter:
        return self._wants

    def ask(self, wants: Filter) -> None:
        """Something else from now on. The first subscription begins now, or where the reader was placed."""
        if not self._wants.subscriptions and not self._placed:
            self._at = self._source.seq
        self._wants = wants
        self._placed = False
        self._news.set()

    def begin_after(self, seq: int | None) -> None:
        """Goes on behind a number; None: it is not known, which the reader is told."""
        self._lost = seq is None
        self._at = self._source.seq if seq is None else seq
        self._placed = True
        self._news.set()

    async def next(self) -> bytes | None:
        """What to send next; None at the end."""
        while not self.ended:
            if chunk := self._look():
                return chunk
            if self._closing:
                self.end(self._closing)
            else:
                self._news.clear()
                await self._news.wait()
        return None

    def wake(self) -> None:
        """There are new events."""
        self._news.set()

    def beat(self) -> None:
        """Sends a sign of life soon, where nothing else is to be sent."""
        self._beat = True
        self._news.set()

    def end(self, reason: str) -> None:
        """Nothing more comes. The first reason stays."""
        self.ended = self.ended or reason
        self._news.set()

    def end_soon(self, reason: str) -> None:
        """Nothing comes after what is there by now."""
        self._closing = reason
        self._news.set()

    def leave(self) -> None:
        self.end("left")
        self._source.left(self)

    def _look(self) -> bytes:
        if self._lost:
            self._lost = False
            return self._source.reset(self._form)
        if self._wants.subscriptions:
            chunk, self._at = self._source.read(self._at, self._wants, self._form)
            if chunk:
                self._beat = False
                return chunk
        if self._beat:
            self._beat = False
            return self._source.beat(self._form)
        return b""
