"""The client's core: one connection, its requests, submits that share frames, and waits. Lives in one loop.

Submits of one loop turn, and those that come while earlier ones are with the node, leave as one frame; one answer settles
them all. No task and no timer a submit. While no node can be reached calls wait for `connect_timeout`, then raise
CannotConnect; what had been sent before the link was lost raises `outcome_unknown`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from rota.client.connection import Connection, Dial
from rota.client.slots import Slot
from rota.client.views import Receipt
from rota.link.channel import MAX_FRAME
from rota.link.client_end import Answer, ClientEnd, Told
from rota.model.errors import CannotConnect, RotaError, Unavailable
from rota.model.text import task_id_text
from rota.wire.codec_refusal import read_refusal
from rota.wire.v1 import link_pb2 as pb

CONNECT_TIMEOUT = 10.0
SUBMITS_OUT = 4
"""Submit frames that may be with the node at once. What comes meanwhile shares the next one."""
FRAME_BYTES = 2 * 1024 * 1024
MOST_PAYLOAD = MAX_FRAME - 64 * 1024
"""What one task may hold before a node has said its limit: no node takes more."""
FRAME_TASKS = 1_000


class Watch:
    """Somebody waits for a task. Called with its outcome, it puts it into the slot."""

    __slots__ = ("id", "slot")

    def __init__(self, task_id: bytes, slot: Slot) -> None:
        self.id, self.slot = task_id, slot

    def __call__(self, told: Told) -> None:
        if self.slot.done():
            return
        if isinstance(told, pb.Ended.Outcome):
            self.slot.set_result(told)
        else:
            self.slot.set_exception(told if isinstance(told, RotaError) else read_refusal(told.failure))


class Submitting(Watch):
    """A task on its way. The slot gets None for accepted as it is, or a Receipt; with `wait` the task's outcome."""

    __slots__ = ("asked_at", "new", "size", "wait")

    def __init__(self, new: pb.NewTask, slot: Slot, wait: bool = False) -> None:
        super().__init__(new.id, slot)
        self.new, self.wait = new, wait
        self.size = new.ByteSize() + 8
        self.asked_at = 0.0


class Core:
    """Used only in the loop it was made in. Opens its connection at the first call."""

    def __init__(
        self,
        urls: Sequence[str],
        token: str | None = None,
        dial: Dial | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._urls, self._token, self._dial = tuple(urls), token, dial
        self._connect_timeout = connect_timeout
        self._connection: Connection | None = None
        self._end = ClientEnd(self._send)
        self._pending: deque[Submitting] = deque()
        self._submits_out = 0
        self._flushing: asyncio.Handle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._down_since = self._loop.time()
        self.welcome: pb.Welcome | None = None
        """The last that a node said."""

    @property
    def max_payload(self) -> int:
        """Bytes of params. Before a node has said its limit: what fits into a frame; the node judges then."""
        return (self.welcome.max_payload if self.welcome is not None else 0) or MOST_PAYLOAD

    @property
    def max_batch(self) -> int:
        """Tasks in a frame."""
        return (self.welcome.max_batch if self.welcome is not None else 0) or FRAME_TASKS

    # --- submits

    def submit(self, item: Submitting) -> None:
        """Sends a task with the next frame."""
        item.asked_at = self._loop.time()
        self._pending.append(item)
        self._connect()
        if self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def submit_frame(
        self, tasks: Sequence[pb.NewTask], answer: Answer, *, atomic: bool = False, watches: Iterable[Watch] = ()
    ) -> None:
        """Sends a batch at once, within the limits of a frame. The caller bounds how many are out."""
        frame = pb.Frame()
        frame.submit.tasks.extend(tasks)
        frame.submit.atomic = atomic
        watches = list(watches)
        for watch in watches:
            self._end.expect(watch.id, watch)
        if watches:
            frame.submit.wait = True
        self.ask(frame, lambda given: self._batch_answered(watches, given, answer))

    # --- requests and waits

    def ask(self, frame: pb.Frame, answer: Answer, *, repeatable: bool = True) -> int:
        """Asks; `answer` is called in the loop. Raises as `ClientEnd.ask`."""
        number = self._end.ask(frame, answer, now=self._loop.time(), repeatable=repeatable)
        self._connect()
        return number

    def drop(self, number: int) -> None:
        self._end.drop(number)

    async def asked(self, frame: pb.Frame, *, repeatable: bool = True) -> pb.Frame:
        """Asks and waits for the one answer. Raises what the node refuses with."""
        future: asyncio.Future[pb.Frame] = self._loop.create_future()

        def answer(given: pb.Frame | RotaError) -> None:
            if future.done():
                return
            if isinstance(given, RotaError):
                future.set_exception(given)
            elif given.HasField("failure"):
                future.set_exception(read_refusal(given.failure))
            else:
                future.set_result(given)

        number = self.ask(frame, answer, repeatable=repeatable)
        try:
            return await future
        finally:
            self.drop(number)

    def watch(self, watches: Iterable[Watch]) -> None:
        """Waits for tasks that the node has accepted."""
        self._end.watch(((watch.id, watch) for watch in watches), now=self._loop.time())
        self._connect()

    def unwatch(self, watches: Iterable[Watch]) -> None:
        """Nobody waits for these any more."""
        self._end.unwatch((watch.id, watch) for watch in watches)

    async def stop(self) -> None:
        """Ends the connection. What has no answer gets `closed`."""
        connection, self._connection = self._connection, None
        self._fail_all(Unavailable("the client was closed", code="closed"))
        if self._patience is not None:
            self._patience.cancel()
        if connection is not None:
            await connection.stop("the client is closed")

    # --- the link

    def _connect(self) -> None:
        """To be called once something waits for the link."""
        if self._connection is None:
            self._down_since = self._loop.time()
            self._connection = Connection(
                self._urls,
                token=self._token,
                dial=self._dial,
                on_frame=self._received,
                on_up=self._came_up,
                on_down=self._went_down,
                on_final=self._came_to_an_end,
            )
            self._connection.start()
        if self._connection.welcome is None:
            self._connection.hurry()
            self._watch_patience()

    def _send(self, frame: pb.Frame) -> bool:
        return self._connection is not None and self._connection.send(frame)

    def _received(self, frame: pb.Frame, size: int) -> None:
        self._end.received(frame)
        if self._connection is not None:
            self._connection.dealt_with(size)

    def _came_up(self, welcome: pb.Welcome) -> None:
        self.welcome = welcome
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._end.up(self._loop.time())
        self._flush()

    def _went_down(self, reason: str) -> None:
        self._down_since = self._loop.time()
        self._end.down(reason)
        self._watch_patience()

    def _came_to_an_end(self, error: RotaError) -> None:
        self._connection = None
        self._fail_all(error)

    def _fail_all(self, error: RotaError) -> None:
        pending, self._pending = self._pending, deque()
        for item in pending:
            item(error)
        self._end.fail_all(error)

    # --- patience while no node can be reached

    def _watch_patience(self) -> None:
        if self._patience is None and (oldest := self._oldest()) is not None:
            ends = max(oldest, self._down_since) + self._connect_timeout
            self._patience = self._loop.call_at(ends, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        if self._connection is None or self._connection.welcome is not None:
            return
        now = self._loop.time()
        if now - self._down_since >= self._connect_timeout:
            asked_until = now - self._connect_timeout
            while self._pending and self._pending[0].asked_at <= asked_until:
                self._pending.popleft()(self._cannot_connect(False))
            self._end.give_up(asked_until, self._cannot_connect)
        self._watch_patience()

    def _oldest(self) -> float | None:
        ages = [age for age in (self._pending[0].asked_at if self._pending else None, self._end.oldest()) if age]
        return min(ages, default=None)

    def _cannot_connect(self, sent: bool) -> RotaError:
        why = self._connection.last_error if self._connection is not None else ""
        where = ", ".join(self._urls)
        if sent:
            return Unavailable(
                f"the link was lost before the node answered, and no node ({where}) could be reached again within "
                f"{self._connect_timeout:g} s: {why}. It may or may not have been carried out",
                code="outcome_unknown",
            )
        return CannotConnect(
            f"no node could be reached within {self._connect_timeout:g} s. Tried {where}; last: {why}. "
            "Start a node with `rota node`, or give its address with url= or ROTA_URL"
        )

    # --- the frames of submits

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._connection is None or self._connection.welcome is None:
            return
        while self._pending and self._submits_out < SUBMITS_OUT:
            self._send_some(self._take_some())

    def _take_some(self) -> list[Submitting]:
        """What fits into one frame, and waits alike."""
        most = self.max_batch
        items = [self._pending.popleft()]
        size, wait = items[0].size, items[0].wait
        others: list[Submitting] = []
        while self._pending and len(items) < most and size + self._pending[0].size <= FRAME_BYTES:
            item = self._pending.popleft()
            if item.wait is not wait:
                others.append(item)
                continue
            items.append(item)
            size += item.size
        self._pending.extendleft(reversed(others))
        return items

    def _send_some(self, items: list[Submitting]) -> None:
        frame = pb.Frame()
        frame.submit.tasks.extend([item.new for item in items])
        if items[0].wait:
            frame.submit.wait = True
            for item in items:
                self._end.expect(item.id, item)
        self._submits_out += 1
        try:
            self.ask(frame, lambda given: self._submitted(items, given))
        except RotaError as error:
            self._submitted(items, error)

    def _submitted(self, items: list[Submitting], given: pb.Frame | RotaError) -> None:
        self._submits_out -= 1
        if isinstance(given, RotaError) or given.HasField("failure"):
            self.unwatch(items)
            for item in items:
                item(given)
        elif items[0].wait:
            self._batch_arrived(items, given.submitted)
        else:
            _settle(items, given.submitted)
        if self._pending and self._flushing is None:
            # In the next turn, so that those who were just answered can share the frame.
            self._flushing = self._loop.call_soon(self._flush)

    def _batch_answered(self, watches: list[Watch], given: pb.Frame | RotaError, answer: Answer) -> None:
        if isinstance(given, RotaError) or given.HasField("failure"):
            self.unwatch(watches)
            for watch in watches:
                watch(given)
        elif watches:
            self._batch_arrived(watches, given.submitted)
        answer(given)

    def _batch_arrived(self, watches: Sequence[Watch], submitted: pb.Submitted) -> None:
        """The tasks that are waited for were answered: refused ones end their wait, duplicates are waited for instead."""
        for exception in submitted.exceptions:
            watch = watches[exception.index]
            if exception.HasField("refusal"):
                self.unwatch([watch])
                watch(read_refusal(exception.refusal))
            elif exception.duplicate_of and exception.duplicate_of != watch.id:
                self.unwatch([watch])
                watch.id = exception.duplicate_of
                self.watch([] if watch.slot.done() else [watch])
        for watch in watches:
            self._end.arrived(watch.id)


def receipt_of(task_id: bytes, exception: pb.Submitted.Exception | None) -> Receipt:
    """`exception`: what the node said of this task, if anything."""
    if exception is None:
        return Receipt(task_id_text(task_id))
    if exception.HasField("refusal"):
        return Receipt("", refusal=read_refusal(exception.refusal))
    other = exception.duplicate_of
    duplicate = bool(other) and other != task_id  # its own id: this very submit had arrived before the link was lost
    return Receipt(task_id_text(other if duplicate else task_id), duplicate, exception.warning)


def _settle(items: list[Submitting], submitted: pb.Submitted) -> None:
    """Accepted, all but the exceptions."""
    for exception in submitted.exceptions:
        item = items[exception.index]
        if item.slot.done():
            continue
        if exception.HasField("refusal"):
            item.slot.set_exception(read_refusal(exception.refusal))
        else:
            item.slot.set_result(receipt_of(item.id, exception))
    for item in items:
        if not item.slot.done():
            item.slot.set_result(None)
