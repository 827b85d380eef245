"""The carrier over a real WebSocket, and what is told when there is none to be had."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeResponse, WSUpgradeResponseWithListener

from picows import ws_create_server  # isort: skip

from rota.client.websocket import dial_websocket
from rota.link.codes import Close
from rota.model.errors import CannotConnect, Forbidden, NotAuthenticated, RotaError


class Heard:
    """A receiver that notes."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def message(self, data: bytes) -> None:
        self.messages.put_nowait(data)

    def closed(self, code: int, reason: str) -> None:
        self.ended.set_result((code, reason))


class Echo(WSListener):
    """Sends back what it gets; `bye` makes it close, `split` come in two fragments."""

    requests: list[object] = []

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        data = frame.get_payload_as_bytes()
        if frame.msg_type == WSMsgType.CLOSE:
            self.told = int.from_bytes(data[:2], "big"), data[2:]
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif data == b"bye":
            transport.send_close(Close.SUPERSEDED, b"another one came")  # type: ignore[arg-type]
        elif data == b"break":
            transport.disconnect(False)
        elif data == b"split":
            transport.send(WSMsgType.BINARY, b"sp", fin=False)
            transport.send(WSMsgType.CONTINUATION, b"lit")
        elif data == b"text":
            transport.send(WSMsgType.TEXT, b"hello")
        else:
            transport.send(WSMsgType.BINARY, data)


@asynccontextmanager
async def serving(listener: Callable[..., object]) -> AsyncIterator[str]:
    server = await ws_create_server(listener, "127.0.0.1", 0)  # type: ignore[arg-type]
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_messages_go_both_ways_and_the_close_is_said() -> None:
    echo = Echo()
    asked = []
    async with serving(lambda request: asked.append(request) or echo) as url:
        heard = Heard()
        carrier = await dial_websocket(url, "secret", heard)
        carrier.write(b"\x00" * 100_000)
        carrier.write(b"split")
        assert await heard.messages.get() == b"\x00" * 100_000
        assert await heard.messages.get() == b"split"
        carrier.close(Close.NORMAL, "done")
        carrier.write(b"after the close")
        carrier.close(Close.NORMAL, "twice")
        assert await heard.ended == (Close.NORMAL, "done")
    assert asked[0].path == b"/api/v1/link"
    assert asked[0].headers["Authorization"] == "Bearer secret"
    assert "Sec-WebSocket-Extensions" not in asked[0].headers
    assert echo.told == (1000, b"done")


@pytest.mark.parametrize(
    ("message", "ending"),
    [
        (b"bye", (Close.SUPERSEDED, "another one came")),
        (b"break", (Close.ABNORMAL, "the connection broke")),
        (b"text", (Close.BAD_MESSAGE, "a text message where frames are binary")),
    ],
)
async def test_the_end_is_told_once_with_its_reason(message: bytes, ending: tuple[int, str]) -> None:
    async with serving(lambda request: Echo()) as url:
        heard = Heard()
        carrier = await dial_websocket(url, None, heard)
        carrier.write(message)
        async with asyncio.timeout(5):
            assert await heard.ended == ending


@pytest.mark.parametrize(
    ("response", "error", "words"),
    [
        (WSUpgradeResponse.create_error_response(401), NotAuthenticated, "ROTA_TOKEN"),
        (WSUpgradeResponse.create_error_response(403), Forbidden, "roles"),
        (WSUpgradeResponse.create_error_response(404), CannotConnect, "HTTP 404 where a Rota node"),
        (WSUpgradeResponse.create_error_response(429), CannotConnect, "too many wrong tokens"),
        (WSUpgradeResponse.create_error_response(503), CannotConnect, "not ready"),
        (WSUpgradeResponse.create_redirect_response(308, "https://b/"), CannotConnect, "redirects to https://b/"),
    ],
)
async def test_a_refused_handshake_is_told_in_words(
    response: WSUpgradeResponse, error: type[RotaError], words: str
) -> None:
    async with serving(lambda request: WSUpgradeResponseWithListener(response, None)) as url:
        with pytest.raises(error, match=words):
            await dial_websocket(url, "t", Heard())


async def test_nothing_listens_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(CannotConnect, match="nothing listens there"):
        await dial_websocket(f"http://127.0.0.1:{port}", None, Heard())


async def test_what_speaks_no_http_is_no_node() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        with pytest.raises(CannotConnect):
            await dial_websocket(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", None, Heard())


async def test_a_silent_address_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.client.websocket.CONNECT_TIMEOUT", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(CannotConnect, match="no answer within"):
            await dial_websocket(f"http://127.0.0.1:{silent.getsockname()[1]}", None, Heard())
