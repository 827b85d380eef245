"""The calls of rota.v1.Tasks and rota.v1.Workers. Each is a request of the link, asked once, by the handler that serves both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uuid_utils
from google.protobuf.message import Message

from rota.model.errors import Fault, RotaError
from rota.transport.call import Call
from rota.wire.codec import read_ids
from rota.wire.codec_refusal import read_refusal
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1 import tasks_pb2

Write = Callable[[Message], Awaitable[None]]
ANSWER_ROOM = 3 * 1024 * 1024
"""Bytes of results in one answer to Execute, after which the others are left off."""


def answer_to(kind: str, answered: str) -> Callable[[Call, Any], Awaitable[Message]]:
    """A call that is one request of the link: `kind` is its frame, `answered` the frame of its answer."""

    async def asked(call: Call, body: Any) -> Message:
        frame = await call.ask(kind, body)
        return getattr(frame, answered)

    return asked


async def submit(call: Call, body: pb.Submit) -> pb.Submitted:
    """Raises the refusal where all tasks of the batch are refused."""
    body.wait = False
    _give_ids(body.tasks)
    submitted = await _submitted(call, body)
    submitted.ids.extend(_standing(body.tasks, submitted))
    return submitted


async def execute(call: Call, body: tasks_pb2.Execute) -> tasks_pb2.Executed:
    """As `submit`; then the outcomes, or what there is of them after `wait_timeout`."""
    _give_ids(body.tasks)
    submitted = await _submitted(call, pb.Submit(tasks=body.tasks, atomic=body.atomic, wait=True))
    ids = _standing(body.tasks, submitted)
    outcomes = await _outcomes(call, set(filter(None, ids)), body.wait_timeout / 1e6 or None)
    return _executed(ids, submitted, outcomes)


async def wait(call: Call, body: pb.Wait, write: Write) -> None:
    """Writes outcomes as they come, until all are told."""
    left = set(read_ids(body.ids))
    await call.ask("wait", body)
    while left:
        for ended in await call.ended():
            left.difference_update(outcome.id for outcome in ended.outcomes)
            await write(ended)


async def logs(call: Call, body: pb.ReadLogs, write: Write) -> None:
    """Writes lines as they come, until the last."""
    await call.ask("read_logs", body)
    complete = False
    while not complete:
        lines = (await call.next()).logs
        complete = lines.complete
        await write(lines)


# --- within


def _give_ids(tasks: Sequence[pb.NewTask]) -> None:
    """A caller that does not make ids itself has no way to send the same again; the idempotency key is for that."""
    for new in tasks:
        if not new.id:
            new.id = uuid_utils.uuid7().bytes


async def _submitted(call: Call, body: pb.Submit) -> pb.Submitted:
    frame = await call.ask("submit", body)
    submitted = frame.submitted if frame is not None else pb.Submitted()
    refusals = [item.refusal for item in submitted.exceptions if item.HasField("refusal")]
    if refusals and len(refusals) == len(body.tasks):
        raise _together(refusals)
    return submitted


def _together(refusals: Sequence[pb.Failure]) -> RotaError:
    """The first that is about a task itself, with the wrong places of all."""
    first = next((refusal for refusal in refusals if refusal.code != "batch_refused"), refusals[0])
    error = read_refusal(first)
    error.errors = tuple(
        Fault(fault.path, fault.code, fault.message) for refusal in refusals for fault in refusal.errors
    )
    return error


def _standing(tasks: Sequence[pb.NewTask], submitted: pb.Submitted) -> list[bytes]:
    """The id of the task that stands for each place; empty where it was refused."""
    ids = [new.id for new in tasks]
    for item in submitted.exceptions:
        if item.HasField("refusal"):
            ids[item.index] = b""
        elif item.duplicate_of:
            ids[item.index] = item.duplicate_of
    return ids


async def _outcomes(call: Call, left: set[bytes], seconds: float | None) -> dict[bytes, pb.Ended.Outcome]:
    found: dict[bytes, pb.Ended.Outcome] = {}
    try:
        async with asyncio.timeout(seconds):
            while left:
                for ended in await call.ended():
                    found.update((outcome.id, outcome) for outcome in ended.outcomes)
                    left.difference_update(outcome.id for outcome in ended.outcomes)
    except TimeoutError:
        return found
    return found


def _executed(
    ids: Sequence[bytes], submitted: pb.Submitted, outcomes: dict[bytes, pb.Ended.Outcome]
) -> tasks_pb2.Executed:
    executed, room = tasks_pb2.Executed(), ANSWER_ROOM
    for task_id in ids:
        item = executed.items.add(id=task_id)
        if (outcome := outcomes.get(task_id)) is not None:
            item.outcome.CopyFrom(outcome)
            room -= outcome.ByteSize()
            if room < 0:
                room += outcome.ByteSize()
                _leave_off(item)
    for exception in submitted.exceptions:
        item = executed.items[exception.index]
        item.warning = exception.warning
        if exception.HasField("refusal"):
            item.refusal.CopyFrom(exception.refusal)
    return executed


def _leave_off(item: tasks_pb2.Executed.Item) -> None:
    item.left_off = True
    item.outcome.ClearField("result")
    item.outcome.ClearField("error")
