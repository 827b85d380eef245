"""One end of a link: frames in and out, credit, liveness. No I/O and no clock; `now` is monotonic seconds.

Credit works alike both ways. Each side grants a window in its Hello or Welcome; the other counts the bytes of the data
frames it sends against it, and gets them back as they are dealt with (`Frame.credit`). A frame may be sent while anything
of the window is left, so that one larger than what is left does not block for ever; a sender that goes on beyond that has
broken the protocol. Frames of `CONTROL` are free, since the window may be what they are about.
"""

from __future__ import annotations

from collections import deque

from google.protobuf.message import DecodeError

from rota.link.codes import Close, LinkFault
from rota.wire.v1.link_pb2 import Frame, Ping

MAX_FRAME = 4 * 1024 * 1024
WINDOW = 8 * 1024 * 1024
FIRST_WINDOW = 64 * 1024
"""What may be sent before the other side's window is known."""
CONTROL = frozenset({"hello", "welcome", "ping", "goodbye", "heartbeat", None})
LOST_AFTER = 3
"""Heartbeats of silence after which the other side is lost."""


class Channel:
    """Used by both ends. `window` is what this side grants; `send` then `flush`, `receive` then `dealt_with`."""

    def __init__(
        self, now: float, *, window: int = WINDOW, max_frame: int = MAX_FRAME, heartbeat: float = 10.0
    ) -> None:
        self.heartbeat = heartbeat
        self.max_frame = max_frame
        self._granted = window
        self._unanswered = 0
        self._owed = 0
        self._theirs = FIRST_WINDOW
        self._spent = 0
        self._ready: list[bytes] = []
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self.last_heard = now
        self.last_sent = now

    def open(self, window: int) -> None:
        """The other side granted this window, in its Hello or Welcome."""
        self._theirs = max(window, 1)
        self._let_go()

    @property
    def backlog(self) -> int:
        """Bytes that wait for credit. A caller that sees it grow must wait before it sends more."""
        return self._held_bytes

    def send(self, frame: Frame) -> None:
        """Queues a frame. Raises LinkFault (TOO_BIG), and sends nothing, for one over `max_frame`."""
        if frame.WhichOneof("body") in CONTROL:
            self._ready.append(self._encode(frame))
            return
        if not self._held and self._spent < self._theirs:
            if self._owed:
                frame.credit, self._owed = self._owed, 0
            data = self._encode(frame)
            self._spent += len(data)
            self._ready.append(data)
            return
        data = self._encode(frame)
        self._held.append(data)
        self._held_bytes += len(data)

    def flush(self, now: float) -> list[bytes]:
        """The messages to write now."""
        ready = self._ready
        self._ready = []
        if ready:
            self.last_sent = now
        return ready

    def receive(self, data: bytes, now: float) -> Frame:
        """Reads one message. Raises LinkFault for one that is too big, unreadable, or beyond its credit."""
        size = len(data)
        if size > self.max_frame:
            raise LinkFault(Close.TOO_BIG, f"a frame of {size} bytes; the limit is {self.max_frame}")
        frame = Frame()
        try:
            frame.ParseFromString(data)
        except DecodeError as error:
            raise LinkFault(Close.BAD_FRAME, "the message is not a frame of rota.v1") from error
        self.last_heard = now
        if frame.credit:
            self._spent = max(0, self._spent - frame.credit)
            self._let_go()
        if frame.WhichOneof("body") not in CONTROL:
            if self._unanswered >= self._granted:
                raise LinkFault(Close.FLOW, f"more than {self._granted} bytes sent without credit; wait for `credit`")
            self._unanswered += size
        return frame

    def dealt_with(self, size: int) -> None:
        """A received data frame of `size` bytes no longer weighs on this side: the other may send as much again."""
        self._unanswered -= size
        self._owed += size
        if self._owed >= self._granted // 4:
            self._ready.append(self._encode(Frame(credit=self._owed)))
            self._owed = 0

    def tick(self, now: float) -> None:
        """To be called about once a heartbeat or oftener: pings where silent, raises LinkFault where the other is lost."""
        if now - self.last_heard > LOST_AFTER * self.heartbeat:
            raise LinkFault(Close.SILENT, f"nothing heard for {now - self.last_heard:.0f} s")
        if now - self.last_sent >= self.heartbeat * 0.9:
            self._ready.append(self._encode(Frame(ping=Ping())))

    def _let_go(self) -> None:
        while self._held and self._spent < self._theirs:
            data = self._held.popleft()
            self._held_bytes -= len(data)
            self._spent += len(data)
            self._ready.append(data)

    def _encode(self, frame: Frame) -> bytes:
        data: bytes = frame.SerializeToString()
        if len(data) > self.max_frame:
            raise LinkFault(Close.TOO_BIG, f"a frame of {len(data)} bytes; the limit is {self.max_frame}")
        return data
