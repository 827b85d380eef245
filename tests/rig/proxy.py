"""A TCP proxy in a thread of the test, that can be told to misbehave: swallow bytes one way or both, or reset."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator


class Proxy:
    """Listens on a free port of loopback and forwards to another. Flags apply to open connections and new ones."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.swallow_up = False
        """Bytes from the caller are read and dropped: a half-open connection without FIN."""
        self.swallow_down = False
        self.delay = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(5)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def partition(self) -> None:
        """Nothing passes either way, and nobody is told."""
        self.swallow_up = self.swallow_down = True

    def heal(self) -> None:
        """New connections work; the swallowed bytes are gone, so the old ones are reset."""
        self.swallow_up = self.swallow_down = False
        self.reset()

    def reset(self) -> None:
        """RST to both sides of every connection."""
        self._loop.call_soon_threadsafe(self._reset)

    def _reset(self) -> None:
        for writer in list(self._writers):
            sock = writer.get_extra_info("socket")
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._reset()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, up_writer}
        await asyncio.gather(self._pump(reader, up_writer, "swallow_up"), self._pump(up_reader, writer, "swallow_down"))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flag: str) -> None:
        try:
            while data := await reader.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if not getattr(self, flag):
                    writer.write(data)
                    await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            if not getattr(self, flag):
                writer.close()
            self._writers.discard(writer)


@contextlib.contextmanager
def proxy(target_port: int) -> Iterator[Proxy]:
    made = Proxy(target_port)
    made.start()
    try:
        yield made
    finally:
        made.stop()
