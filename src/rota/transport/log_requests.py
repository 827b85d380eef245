"""Requests for a task's log: what is there, or what comes too until the task has ended. A bell rings; nothing polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from rota.model.errors import Overloaded, RotaError
from rota.model.log import LogLine
from rota.transport.caller import Caller
from rota.transport.frame_batch import FrameBatch
from rota.wire.codec import check_id
from rota.wire.codec_refusal import write_refusal
from rota.wire.codec_view import write_line
from rota.wire.v1 import link_pb2 as pb

MOST_LINES = 1_000
MAX_FOLLOWS = 100
_LAST = 2**63 - 1


async def read_logs(caller: Caller, body: pb.ReadLogs, request: int) -> None:
    """Answers with one or several Logs; the last is complete. Raises NotFound, Overloaded (`too_many_follows`)."""
    task_id = check_id(body.id, "id")
    after = min(body.after, _LAST)
    limit = min(body.limit or MOST_LINES, MOST_LINES)
    if not body.follow:
        lines, _ = await caller.verbs.read_logs(task_id, after, limit)
        _send(caller, request, lines, complete=True)
        return
    if caller.follows >= MAX_FOLLOWS:
        raise Overloaded(f"{MAX_FOLLOWS} logs are followed over this link already", code="too_many_follows")
    bell = asyncio.Event()
    stop = await caller.verbs.follow(task_id, bell.set)
    caller.follow(asyncio.create_task(_follow(caller, task_id, after, request, bell, stop)))


async def _follow(
    caller: Caller, task_id: bytes, after: int, request: int, bell: asyncio.Event, stop: Callable[[], None]
) -> None:
    try:
        await _send_until_ended(caller, task_id, after, request, bell)
    except RotaError as error:
        frame = pb.Frame()
        write_refusal(error, frame.failure)
        caller.send(request, frame)
    finally:
        stop()


async def _send_until_ended(caller: Caller, task_id: bytes, after: int, request: int, bell: asyncio.Event) -> None:
    while not caller.over:
        bell.clear()
        lines, ended = await caller.verbs.read_logs(task_id, after, MOST_LINES)
        more = len(lines) == MOST_LINES
        complete = ended and not more
        if lines or complete:
            await caller.room()
            _send(caller, request, lines, complete)
            after = lines[-1].number if lines else after
        if complete:
            return
        if not more:
            await bell.wait()


def _send(caller: Caller, request: int, lines: Sequence[LogLine], complete: bool) -> None:
    frames: list[pb.Frame] = []
    batch = FrameBatch(lambda frame: frame.logs.lines, frames.append)
    for line in lines:
        write_line(line, batch.add(4 * len(line.text)))
    batch.close()
    if not frames:
        frames.append(pb.Frame(logs=pb.Logs()))
    frames[-1].logs.complete = complete
    for frame in frames:
        caller.send(request, frame)
