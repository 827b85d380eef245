"""Requests about tasks: submit, wait, cancel, retry, delete, and all that a filter fits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from rota.contract.store import Receipt
from rota.model.errors import InvalidInput
from rota.model.report import BulkOutcome, CallOutcome
from rota.model.submission import Submission
from rota.transport.caller import Caller
from rota.transport.query_requests import read_query
from rota.wire.codec import read_ids, read_submission, read_submissions
from rota.wire.codec_house import write_bulked
from rota.wire.codec_refusal import write_refusal
from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

MAX_CALLS = 10_000
"""Ids in one cancel, retry or delete."""
_STEP = 1_000
MAX_NOTE = 1_000
ACTIONS = ("cancel", "retry", "delete")
MOST_IN_BULK = 100_000
"""Tasks that one bulk call does something to, unless it says less."""


async def submit(caller: Caller, body: pb.Submit, _: int) -> pb.Frame:
    waiter = caller.waiter if body.wait and not caller.over else None
    try:
        batch = read_submissions(body.tasks)
    except InvalidInput:
        if body.atomic:
            raise
        return await _submit_the_good(caller, body)
    receipts = await caller.verbs.submit(batch, atomic=body.atomic, waiter=waiter)
    if waiter is not None:
        _tell_of_twins(caller, batch, receipts)
    frame = pb.Frame()
    frame.submitted.SetInParent()
    _write_receipts(receipts, batch, range(len(batch)), frame.submitted)
    return frame


async def _submit_the_good(caller: Caller, body: pb.Submit) -> pb.Frame:
    """One malformed task refuses itself alone: frames are shared by callers that know nothing of each other."""
    frame = pb.Frame()
    frame.submitted.SetInParent()
    good: list[Submission] = []
    places: list[int] = []
    for place, new in enumerate(body.tasks):
        try:
            good.append(read_submission(new, place))
            places.append(place)
        except InvalidInput as error:
            write_refusal(error, frame.submitted.exceptions.add(index=place).refusal)
    if good:
        waiter = caller.waiter if body.wait and not caller.over else None
        receipts = await caller.verbs.submit(good, waiter=waiter)
        _write_receipts(receipts, good, places, frame.submitted)
    return frame


def _write_receipts(
    receipts: Sequence[Receipt], batch: Sequence[Submission], places: Sequence[int], submitted: pb.Submitted
) -> None:
    """What is not said was accepted under the id it came with."""
    for receipt, submission, place in zip(receipts, batch, places, strict=True):
        if receipt.refusal is not None:
            write_refusal(receipt.refusal, submitted.exceptions.add(index=place).refusal)
        elif receipt.task_id != submission.id or receipt.duplicate:
            submitted.exceptions.add(index=place, duplicate_of=receipt.task_id, warning=receipt.warning)
        elif receipt.warning:
            submitted.exceptions.add(index=place, warning=receipt.warning)


def _tell_of_twins(caller: Caller, batch: Sequence[Submission], receipts: Sequence[Receipt]) -> None:
    """Tasks that stand in under another id may have been told of before the client knew that id: tell again, after."""
    twins = [
        receipt.task_id
        for receipt, submission in zip(receipts, batch, strict=True)
        if receipt.duplicate and receipt.task_id != submission.id
    ]
    if twins:
        caller.waiter.parked.extend(twins)


async def wait(caller: Caller, body: pb.Wait, _: int) -> pb.Frame:
    ids = read_ids(body.ids)
    for start in range(0, len(ids), _STEP):
        if caller.over:
            break
        caller.waiter.unknown(await caller.verbs.wait(ids[start : start + _STEP], caller.waiter))
    return pb.Frame(done=pb.Done())


def unwait(caller: Caller, body: pb.Unwait) -> None:
    ids = read_ids(body.ids)
    caller.verbs.unwait(caller.waiter, ids)
    if caller.waiter.parked:
        gone = set(ids)
        caller.waiter.parked = [task_id for task_id in caller.waiter.parked if task_id not in gone]


async def cancel(caller: Caller, body: pb.Cancel, _: int) -> pb.Frame:
    note = body.reason[:MAX_NOTE]
    return await _calls(body.ids, lambda ids: caller.verbs.cancel(ids, note))


async def retry(caller: Caller, body: pb.Retry, _: int) -> pb.Frame:
    return await _calls(body.ids, caller.verbs.retry)


async def delete(caller: Caller, body: house.Delete, _: int) -> pb.Frame:
    return await _calls(body.ids, caller.verbs.delete)


async def bulk(caller: Caller, body: house.Bulk, _: int) -> pb.Frame:
    if body.action not in ACTIONS:
        raise InvalidInput.at("action", "unknown_action", f"{body.action[:50]!r} is none of {', '.join(ACTIONS)}")
    limit = body.limit or MOST_IN_BULK
    query = await read_query(caller, body.filter, "filter.")
    outcome = BulkOutcome(body.action)
    if query is not None:
        outcome = await caller.verbs.bulk(body.action, query, dry_run=body.dry_run, limit=limit)
    frame = pb.Frame()
    write_bulked(outcome, frame.bulked)
    return frame


async def _calls(raw: Sequence[bytes], call: Callable[[list[bytes]], Awaitable[list[CallOutcome]]]) -> pb.Frame:
    if len(raw) > MAX_CALLS:
        raise InvalidInput.at("ids", "batch_size", f"{len(raw)} ids; a call has up to {MAX_CALLS}")
    ids = read_ids(raw)
    frame = pb.Frame()
    frame.outcomes.SetInParent()
    for outcome in await call(ids):
        _write_call(outcome, frame.outcomes.items.add())
    return frame


def _write_call(outcome: CallOutcome, item: pb.Outcomes.Item) -> None:
    item.id, item.state, item.pending = outcome.id, outcome.state, outcome.pending
    if outcome.refusal is not None:
        write_refusal(outcome.refusal, item.refusal)
