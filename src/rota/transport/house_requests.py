"""Requests about the house: why, batches, groups, what is set for them, workers told what to do, figures of the day."""

from __future__ import annotations

from rota.model.errors import InvalidInput
from rota.transport.caller import Caller
from rota.transport.group_page import LARGEST_PAGE, group_page
from rota.transport.verbs import UNSET
from rota.wire.codec import check_id
from rota.wire.codec_house import (
    read_rate,
    read_scope,
    write_batch,
    write_control,
    write_explanation,
    write_group,
    write_point,
)
from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

MAX_NOTE = 1_000
_LATEST = 2**62


async def why(caller: Caller, body: house.Why, _: int) -> pb.Frame:
    frame = pb.Frame()
    write_explanation(await caller.verbs.why(check_id(body.id, "id")), frame.explanation)
    return frame


async def read_batch(caller: Caller, body: house.ReadBatch, _: int) -> pb.Frame:
    counts = await caller.verbs.batch(body.name)
    frame = pb.Frame()
    write_batch(counts.name, counts.states, counts.created_at, frame.batch)
    return frame


async def list_groups(caller: Caller, body: house.ListGroups, _: int) -> pb.Frame:
    views, more = await group_page(caller.verbs, body.cursor or None, min(body.limit or LARGEST_PAGE, LARGEST_PAGE))
    frame = pb.Frame()
    frame.groups.SetInParent()
    for view in views:
        write_group(view, frame.groups.groups.add())
    frame.groups.cursor = more or ""
    return frame


async def list_controls(caller: Caller, _body: house.ListControls, _: int) -> pb.Frame:
    frame = pb.Frame()
    frame.controls.SetInParent()
    for control in await caller.verbs.controls():
        write_control(control, frame.controls.controls.add())
    return frame


async def set_control(caller: Caller, body: house.SetControl, _: int) -> pb.Frame:
    scope, name = read_scope(body.scope, body.name)
    control = await caller.verbs.set_control(
        scope,
        name,
        paused=body.paused if body.HasField("paused") else UNSET,
        note=body.note[:MAX_NOTE] if body.HasField("note") else UNSET,
        concurrency=(body.concurrency or None) if body.HasField("concurrency") else UNSET,
        rate=read_rate(body.rate, "rate") if body.HasField("rate") else UNSET,
        key_rate=read_rate(body.key_rate, "key_rate") if body.HasField("key_rate") else UNSET,
        max_queued=(body.max_queued or None) if body.HasField("max_queued") else UNSET,
    )
    frame = pb.Frame()
    write_control(control, frame.control)
    return frame


async def command_worker(caller: Caller, body: house.WorkerCommand, _: int) -> pb.Frame:
    match body.command:
        case "drain":
            await caller.verbs.drain_worker(body.worker, body.note[:MAX_NOTE])
        case "resume":
            await caller.verbs.resume_worker(body.worker)
        case "shut_down":
            await caller.verbs.shut_down_worker(body.worker)
        case _:
            said = f"{body.command[:50]!r} is not a command for a worker; there are drain, resume and shut_down"
            raise InvalidInput.at("command", "unknown_command", said)
    return pb.Frame(done=pb.Done())


async def read_series(caller: Caller, body: house.ReadSeries, _: int) -> pb.Frame:
    if body.step > _LATEST or body.since < 0:
        raise InvalidInput.at("step", "out_of_range", "a step is a duration, and since an instant, in microseconds")
    frame = pb.Frame()
    frame.series.SetInParent()
    for point in await caller.verbs.series(body.since, body.step):
        write_point(point, frame.series.points.add())
    return frame
