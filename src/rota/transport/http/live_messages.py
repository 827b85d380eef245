"""The messages of `/live`, but for events: JSON objects told apart by `type`."""

from __future__ import annotations

import json
from typing import Annotated

import msgspec
from msgspec import Meta

from rota.model.errors import InvalidInput
from rota.transport.http.subscriptions import Group, TaskId, Topics

# --- from a reader


class Auth(msgspec.Struct, tag="auth", forbid_unknown_fields=True):
    """The first message where the handshake had no token."""

    token: Annotated[str, Meta(max_length=4_096)]


class Subscribe(msgspec.Struct, tag="subscribe", forbid_unknown_fields=True):
    """Adds events: of all topics or some, of a group, or of a task."""

    topics: Topics | None = None
    group: Group | None = None
    task: TaskId | None = None


class Unsubscribe(msgspec.Struct, tag="unsubscribe", forbid_unknown_fields=True):
    """Ends the subscription that says the same; without fields, all of them."""

    topics: Topics | None = None
    group: Group | None = None
    task: TaskId | None = None

    @property
    def everything(self) -> bool:
        return self.topics is None and self.group is None and self.task is None


class Resume(msgspec.Struct, tag="resume", forbid_unknown_fields=True):
    """Goes on behind the place that an earlier message said as `last`."""

    last: Annotated[str, Meta(max_length=64)]


class Ping(msgspec.Struct, tag="ping", forbid_unknown_fields=True):
    """Is answered with a pong."""


FromReader = Auth | Subscribe | Unsubscribe | Resume | Ping

# --- from the node


class Welcome(msgspec.Struct, tag="welcome"):
    """`last`: where the stream is; `heartbeat`: seconds between signs of life."""

    node: str
    last: str
    heartbeat: float


class Subscribed(msgspec.Struct, tag="subscribed"):
    """How many subscriptions there are now."""

    subscriptions: int
    last: str


class Pong(msgspec.Struct, tag="pong"):
    pass


class Refusal(msgspec.Struct, tag="error"):
    """The connection goes on."""

    code: str
    detail: str


encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(FromReader)


def decode(text: str) -> FromReader:
    """Raises InvalidInput (`not_json`, `duplicate_key`, `invalid_message`)."""
    try:
        message = _decoder.decode(text)
        json.loads(text, object_pairs_hook=_each_once)  # readers say little; of two equal names either could be meant
        return message
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"{error}; a message has a `type`: auth, subscribe, unsubscribe, resume or ping", code="invalid_message"
        ) from None
    except (msgspec.DecodeError, RecursionError):
        raise InvalidInput("a message is one JSON object", code="not_json") from None


def _each_once(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise InvalidInput("a message says each of its fields once", code="duplicate_key")
