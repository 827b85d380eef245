"""Taking connections where descriptors run out, and where too many come at once."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from rota.life.clock import SystemClock
from rota.model.errors import Overloaded
from rota.transport import acceptor as acceptors
from rota.transport.acceptor import AT_ONCE, Acceptor
from rota.transport.gate import Entry, Gate, Limits
from rota.transport.http_server import bind


class Poor:
    """A listener that is out of descriptors for a number of tries."""

    def __init__(self, listener: socket.socket, tries: int, code: int = errno.EMFILE) -> None:
        self._listener, self.tries, self._code = listener, tries, code

    def fileno(self) -> int:
        return self._listener.fileno()

    def accept(self) -> tuple[socket.socket, object]:
        if self.tries:
            self.tries -= 1
            raise OSError(self._code, "nothing left")
        return self._listener.accept()


class Greets(asyncio.Protocol):
    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.write(b"hello")

    def connection_lost(self, exc: Exception | None) -> None:
        self._entry.leave()


@pytest.fixture
async def listener() -> AsyncIterator[socket.socket]:
    with bind("127.0.0.1", 0) as made:
        yield made


def an_acceptor(listener: object, **limits: int) -> tuple[Acceptor, Gate]:
    gate = Gate(Limits(**limits), SystemClock().monotonic)

    def refuse(error: Overloaded) -> bytes:
        return f"no: {error.detail}".encode()

    return Acceptor(listener, gate, Greets, refuse), gate  # type: ignore[arg-type]


async def heard(listener: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    async with asyncio.timeout(10):
        said = await reader.read(100)
    writer.transport.abort()
    return said


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_without_descriptors_it_rests_tells_once_and_comes_back(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    monkeypatch.setattr(acceptors, "REST", 0.01)
    poor = Poor(listener, 5, code)
    acceptor, _ = an_acceptor(poor)
    acceptor.start()
    with caplog.at_level(logging.ERROR):
        assert await heard(listener) == b"hello"
    assert poor.tries == 0
    (told,) = caplog.records
    assert "LimitNOFILE" in told.getMessage()
    acceptor.close()


async def test_while_it_rests_it_does_not_try(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptors, "REST", 3_600.0)
    poor = Poor(listener, 1_000)
    acceptor, _ = an_acceptor(poor)
    acceptor.start()
    callers = [await asyncio.open_connection(*listener.getsockname()) for _ in range(5)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert poor.tries == 999
    acceptor.close()
    for _, writer in callers:
        writer.transport.abort()


async def test_more_than_one_turn_of_callers_are_all_taken(listener: socket.socket) -> None:
    acceptor, gate = an_acceptor(listener)
    callers = [await asyncio.open_connection(*listener.getsockname()) for _ in range(5 * AT_ONCE)]
    acceptor.start()
    async with asyncio.timeout(10):
        assert {await reader.read(100) for reader, _ in callers} == {b"hello"}
    assert len(gate) == 5 * AT_ONCE
    for _, writer in callers:
        writer.transport.abort()
    async with asyncio.timeout(10):
        while len(gate):
            await asyncio.sleep(0.01)
    acceptor.close()


async def test_who_is_not_let_in_is_told_why(listener: socket.socket) -> None:
    acceptor, _ = an_acceptor(listener, connections=0)
    acceptor.start()
    assert (await heard(listener)).startswith(b"no: this node takes 0 connections")
    acceptor.close()
