"""Many at once: submits in frames, waits in windows, logs in pages. All bounded, whatever the caller passes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice

from rota.client.answers import read_log, read_outcome
from rota.client.call import AnyCall, as_calls
from rota.client.core import FRAME_BYTES, FRAME_TASKS, SUBMITS_OUT, Core, Watch, receipt_of
from rota.client.payload import check_size
from rota.client.views import LogView, Outcome, Receipt
from rota.link.client_end import Told
from rota.model.errors import InvalidInput, RotaError, WaitTimeout
from rota.model.text import task_id_text
from rota.wire.codec_refusal import read_refusal
from rota.wire.v1 import link_pb2 as pb

MOST_WATCHES = 10_000
LOG_PAGE = 1_000


# ---------------------------------------------------------------- submits


def frames_of(core: Core, calls: Iterable[AnyCall], batch: str = "") -> Iterator[list[pb.NewTask]]:
    """New tasks in portions that each fit into one frame. Raises InvalidInput (`payload_too_large`).

    `batch`: of those that do not say their own.
    """
    most, payload = core.max_batch, core.max_payload
    tasks: list[pb.NewTask] = []
    size = 0
    for each in as_calls(calls):
        check_size(each.params, payload)
        new = each.new()
        if batch and not new.batch:
            new.batch = batch
        weight = new.ByteSize() + 8
        if tasks and (len(tasks) >= most or size + weight > FRAME_BYTES):
            yield tasks.copy()
            tasks.clear()
            size = 0
        tasks.append(new)
        size += weight
    if tasks:
        yield tasks


async def submit_batches(
    core: Core, calls: Iterable[AnyCall], *, atomic: bool = False, batch: str = ""
) -> list[Receipt]:
    """The receipts in order. A frame that fails as a whole raises, after all were answered."""
    made = frames_of(core, calls, batch)
    frames = iter([_only(made)]) if atomic else made
    room = asyncio.Semaphore(SUBMITS_OUT)
    answers: list[asyncio.Future[list[Receipt]]] = []
    for tasks in frames:
        await room.acquire()
        answers.append(_send(core, tasks, room, atomic))
        await asyncio.sleep(0)  # lets the frame leave before the next one is encoded
    if answers:
        await asyncio.wait(answers)
    return [receipt for answer in answers for receipt in answer.result()]


def _only(frames: Iterator[list[pb.NewTask]]) -> list[pb.NewTask]:
    first = next(frames, None)
    if first is None or next(frames, None) is not None:
        raise InvalidInput(
            f"an atomic batch is one frame: 1 to {FRAME_TASKS} tasks, up to {FRAME_BYTES} bytes", code="batch_size"
        )
    return first


def _send(core: Core, tasks: list[pb.NewTask], room: asyncio.Semaphore, atomic: bool) -> asyncio.Future[list[Receipt]]:
    answered: asyncio.Future[list[Receipt]] = asyncio.get_running_loop().create_future()

    def answer(given: pb.Frame | RotaError) -> None:
        room.release()
        if answered.done():
            return
        if isinstance(given, RotaError):
            answered.set_exception(given)
        elif given.HasField("failure"):
            answered.set_exception(read_refusal(given.failure))
        else:
            said = {exception.index: exception for exception in given.submitted.exceptions}
            answered.set_result([receipt_of(task.id, said.get(place)) for place, task in enumerate(tasks)])

    core.submit_frame(tasks, answer, atomic=atomic)
    return answered


# ---------------------------------------------------------------- waits


async def completed(core: Core, ids: Iterable[bytes], timeout: float | None) -> AsyncIterator[list[Outcome]]:
    """Outcomes as tasks end, in batches: what ended while the last batch was dealt with comes in the next.

    At most MOST_WATCHES are waited for at a time. Raises WaitTimeout when some have not ended in `timeout` seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    rest = iter(ids)
    arrivals = _Arrivals(core)
    try:
        while arrivals.wait_for_more(rest):
            try:
                async with asyncio.timeout_at(deadline):
                    batch = await arrivals.next()
            except TimeoutError:
                raise _not_all(arrivals.open, timeout) from None
            yield batch
    finally:
        core.unwatch(arrivals.open.values())


class _Arrival(Watch):
    """Called with an outcome, it joins the others that have arrived."""

    __slots__ = ("arrivals",)

    def __init__(self, task_id: bytes, arrivals: _Arrivals) -> None:
        self.id, self.arrivals = task_id, arrivals

    def __call__(self, told: Told) -> None:
        self.arrivals.put(self, told)


class _Arrivals:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._told: deque[Told] = deque()
        self._bell = asyncio.Event()
        self.open: dict[int, _Arrival] = {}

    def wait_for_more(self, rest: Iterator[bytes]) -> bool:
        """Fills the window up. False: nothing is waited for any more."""
        if len(self.open) <= MOST_WATCHES // 2:
            fresh = [_Arrival(each, self) for each in islice(rest, MOST_WATCHES - len(self.open))]
            self.open.update((id(watch), watch) for watch in fresh)
            self._core.watch(fresh)
        return bool(self.open or self._told)

    def put(self, watch: _Arrival, told: Told) -> None:
        if self.open.pop(id(watch), None) is not None:
            self._told.append(told)
            self._bell.set()

    async def next(self) -> list[Outcome]:
        await self._bell.wait()
        self._bell.clear()
        told, self._told = self._told, deque()
        return [self._outcome(each) for each in told]

    def _outcome(self, told: Told) -> Outcome:
        if isinstance(told, RotaError):
            raise told
        if isinstance(told, pb.Frame):
            raise read_refusal(told.failure)
        return read_outcome(told)


def _not_all(still_open: dict[int, _Arrival], timeout: float | None) -> WaitTimeout:
    some = ", ".join(task_id_text(watch.id) for watch in islice(still_open.values(), 3))
    return WaitTimeout(
        f"{len(still_open)} tasks have not ended within {timeout:g} s ({some} …); they go on and can be waited for again"
    )


# ---------------------------------------------------------------- logs


async def read_logs(core: Core, task_id: bytes, after: int, follow: bool) -> AsyncIterator[list[LogView]]:
    """Lines in pages; with `follow` new ones until the task has ended. Raises NotFound."""
    if follow:
        async for lines in _follow(core, task_id, after):
            yield lines
        return
    while True:
        asked = pb.Frame(read_logs=pb.ReadLogs(id=task_id, after=after, limit=LOG_PAGE))
        lines = await _page(core, asked)
        if lines:
            yield lines
            after = lines[-1].number
        if len(lines) < LOG_PAGE:
            return


async def _page(core: Core, asked: pb.Frame) -> list[LogView]:
    """The node may answer one page in several frames."""
    lines: list[LogView] = []
    async for logs in _answers(core, asked):
        lines.extend(map(read_log, logs.lines))
    return lines


async def _follow(core: Core, task_id: bytes, after: int) -> AsyncIterator[list[LogView]]:
    asked = pb.Frame(read_logs=pb.ReadLogs(id=task_id, after=after, limit=LOG_PAGE, follow=True))
    async for logs in _answers(core, asked):
        if logs.lines:
            yield [read_log(line) for line in logs.lines]


async def _answers(core: Core, asked: pb.Frame) -> AsyncIterator[pb.Logs]:
    """The answers to one request until the complete one. What waits here is bounded by the log a task may have."""
    given: asyncio.Queue[pb.Frame | RotaError] = asyncio.Queue()
    number = core.ask(asked, given.put_nowait)
    try:
        while True:
            answer = await given.get()
            if isinstance(answer, RotaError):
                raise answer
            if answer.HasField("failure"):
                raise read_refusal(answer.failure)
            yield answer.logs
            if answer.logs.complete:
                return
    finally:
        core.drop(number)
