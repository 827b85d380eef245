"""What a worker and its child processes say to each other: MessagePack, each message with its length before it.

Instants are microseconds of wall time by the worker's clock, durations are microseconds.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

HEAD = 4
"""Bytes of a length, big-endian."""


class Origin(Struct, array_like=True, gc=False):
    """How a child finds the handler of a method.

    `kind`: `target` (among the tasks of the worker's targets), `task` or `value` (a function at `module` and
    `qualname`, whose arguments are bound from the params, or that gets the whole value), `object` (with `execute`, at
    that place, or pickled).
    """

    kind: str
    name: str
    version: int
    module: str = ""
    qualname: str = ""
    pickled: bytes = b""


class Hello(Struct, array_like=True, gc=False, tag="hello"):
    """The first message to a child."""

    clock_base: int
    argv: list[str]
    main_name: str
    main_path: str
    targets: list[str]
    max_memory: int
    log_level: int
    """Of the root logger."""
    seal_keys: str = ""
    """As in a file of keys: a child's environment has no secrets."""


class Offer(Struct, array_like=True, gc=False, tag="offer"):
    """Methods; jobs name them by their place among all that were offered."""

    origins: list[Origin]


class Job(Struct, array_like=True, gc=False):
    serial: int
    """Counts the jobs of one child, from 1."""
    place: int
    id: bytes
    attempt: int
    params: bytes
    method: str
    timeout: int = 0
    created_at: int = 0
    fire_at: int = 0
    failures: int = 0
    retries: int = 0
    group: str = ""
    labels: dict[str, str] | None = None
    after: tuple[bytes, ...] = ()
    batch: str = ""


class Work(Struct, array_like=True, gc=False, tag="work"):
    max_payload: int
    jobs: list[Job]


class End(Struct, array_like=True, gc=False, tag="end"):
    """No more will come: tear down and go."""


class Ready(Struct, array_like=True, gc=False, tag="ready"):
    """The first message of a child: it has loaded what it was offered so far."""


class Answer(Struct, array_like=True, gc=False, tag="answer"):
    serial: int
    verdict: int
    result: bytes
    started_at: int
    ran: int
    retry_after: int | None = None
    failure: tuple[tuple[str, ...], str, str] | None = None


class Skipped(Struct, array_like=True, gc=False, tag="skipped"):
    """Called back before it began."""

    serial: int


class Full(Struct, array_like=True, gc=False, tag="full"):
    """The child is near its memory ceiling, and begins nothing more."""

    memory: int


class Line(Struct, array_like=True, gc=False, tag="line"):
    serial: int
    level: int
    text: str
    at: int


class Mark(Struct, array_like=True, gc=False, tag="mark"):
    serial: int
    share: float
    note: str


ToChild = Hello | Offer | Work | End
ToWorker = Ready | Answer | Skipped | Full | Line | Mark

_encode = msgspec.msgpack.Encoder().encode
read_to_child = msgspec.msgpack.Decoder(ToChild).decode
read_to_worker = msgspec.msgpack.Decoder(ToWorker).decode


def write(message: ToChild | ToWorker) -> bytes:
    body = _encode(message)
    return len(body).to_bytes(HEAD, "big") + body


def cut(buffer: bytearray) -> list[bytes]:
    """Takes the whole messages off the front of the buffer."""
    bodies: list[bytes] = []
    at = 0
    while len(buffer) - at >= HEAD:
        end = at + HEAD + int.from_bytes(buffer[at : at + HEAD], "big")
        if end > len(buffer):
            break
        bodies.append(bytes(buffer[at + HEAD : end]))
        at = end
    del buffer[:at]
    return bodies
