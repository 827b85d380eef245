"""Tasks to tell of, and a reader that keeps what it is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import uuid_utils

from rota.life.clock import ManualClock
from rota.model.task import Lane, Reason, Spec, State, Task
from rota.observe.event import Filter, Subscription
from rota.observe.event_forms import MESSAGES, Form
from rota.observe.event_reader import Reader
from rota.observe.events import Events

EVERYTHING = Filter(frozenset({Subscription()}))


def make_events(**settings: Any) -> Events:
    return Events(ManualClock().now, lambda number: f"worker-{number}", **settings)


def make_task(group: str | None = None, state: State = State.READY, method: str = "add") -> Task:
    return Task(uuid_utils.uuid7().bytes, Spec(Lane(method, group)), state, Reason.SUBMITTED, 0)


class Listener:
    """Reads as fast as it is told to."""

    def __init__(self, events: Events, wants: Filter = EVERYTHING, last: str = "", form: Form = MESSAGES) -> None:
        self.reader: Reader = events.join(wants, form, last)
        self.last = last

    async def message(self, within: float = 2.0) -> dict[str, Any] | None:
        """The next message; None at the end."""
        async with asyncio.timeout(within):
            chunk = await self.reader.next()
        if chunk is None:
            return None
        message = json.loads(chunk)
        self.last = message["last"]
        return message

    async def events(self, count: int) -> list[dict[str, Any]]:
        """At least so many events."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = await self.message()
            assert message is not None, f"the stream ended with {self.reader.ended!r} after {len(found)} events"
            found += message.get("events", [])
        return found

    async def silence(self, within: float = 0.3) -> None:
        """Nothing comes."""
        try:
            message = await self.message(within)
        except TimeoutError:
            return
        raise AssertionError(f"told of {message}")
