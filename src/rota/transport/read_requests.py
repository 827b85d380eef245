"""Requests that read: tasks, figures, workers, methods. An answer ends early rather than grow over a frame."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rota.engine.engine import Details
from rota.model.errors import InvalidInput
from rota.model.task import Task
from rota.transport.caller import Caller
from rota.transport.frame_batch import FRAME_BYTES, ITEM_BYTES
from rota.transport.query_requests import read_query
from rota.wire.codec import STATES, read_ids
from rota.wire.codec_options import write_method
from rota.wire.codec_view import write_attempts, write_progress, write_task
from rota.wire.codec_worker import write_worker
from rota.wire.v1 import link_pb2 as pb

USUAL_PAGE, LARGEST_PAGE = 100, 1_000
MAX_IDS = 10_000
_STEP, _DETAIL_STEP = 100, 20
"""How many records are read from the store at a time: each may carry a megabyte."""
_FIRST, _LAST = 1, 2**63 - 1


async def get(caller: Caller, body: pb.Get, _: int) -> pb.Frame:
    """Known tasks, in the order asked. A cursor says how many of the ids are answered: ask again with the rest."""
    if len(body.ids) > MAX_IDS:
        raise InvalidInput.at("ids", "batch_size", f"{len(body.ids)} ids; a get has up to {MAX_IDS}")
    ids = read_ids(body.ids)
    page = _Page(caller, body.detail)
    step = _DETAIL_STEP if body.detail else _STEP
    for start in range(0, len(ids), step):
        asked = ids[start : start + step]
        found = await caller.verbs.get(asked)
        left_off = await page.show([found[task_id] for task_id in asked if task_id in found])
        if left_off is not None:
            return page.ends(start + asked.index(left_off.id))
    return page.frame


async def find(caller: Caller, body: pb.List, _: int) -> pb.Frame:
    """Tasks, newest first. The cursor is the place of the last one."""
    left = min(body.limit or USUAL_PAGE, LARGEST_PAGE)
    before = _place(body.cursor)
    page = _Page(caller, detail=False)
    if (query := await read_query(caller, body)) is None:
        return page.frame
    while left > 0:
        step = min(left, _STEP)
        tasks = await caller.verbs.find(query, before, step)
        left_off = await page.show(tasks)
        if left_off is not None:
            return page.ends(left_off.seq + 1)
        if len(tasks) < step:
            return page.frame
        left, before = left - step, tasks[-1].seq
    return page.ends(before)


class _Page:
    """Tasks gathered for one answer. One task alone may be larger than a page."""

    def __init__(self, caller: Caller, detail: bool) -> None:
        self._verbs, self._detail = caller.verbs, detail
        self.frame = pb.Frame()
        self.frame.tasks.SetInParent()
        self._weight = 0

    def ends(self, cursor: int | None) -> pb.Frame:
        self.frame.tasks.cursor = str(cursor)
        return self.frame

    async def show(self, tasks: Sequence[Task]) -> Task | None:
        """Adds tasks; answers the first that did not fit."""
        details = await self._verbs.details(tasks) if self._detail else {}
        past = [record for beside in details.values() for record in beside.attempts]
        names = await self._verbs.worker_names([*tasks, *past])
        for task in tasks:
            beside = details.get(task.seq)
            if not self._fits(_weight(task, beside)):
                return task
            view = self.frame.tasks.tasks.add()
            write_task(task, view, names.get(task.worker or 0, ""))
            if beside is not None:
                write_attempts(beside.attempts, view, names)
                if beside.progress is not None:
                    write_progress(beside.progress, view.progress)
        return None

    def _fits(self, weight: int) -> bool:
        fits = not self._weight or self._weight + weight <= FRAME_BYTES
        self._weight += weight
        return fits


def _weight(task: Task, beside: Details | None) -> int:
    """In bytes, about."""
    past = sum(len(record.outcome or b"") + ITEM_BYTES for record in beside.attempts) if beside is not None else 0
    return len(task.spec.params) + len(task.outcome or b"") + past + 2 * ITEM_BYTES


def _place(cursor: str) -> int | None:
    if not cursor:
        return None
    if cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and _FIRST <= int(cursor) <= _LAST:
        return int(cursor)
    raise InvalidInput.at("cursor", "invalid_cursor", "not a cursor that a page ended with; begin anew without one")


async def read_stats(caller: Caller, _body: pb.ReadStats, _: int) -> pb.Frame:
    figures, facts = await caller.verbs.figures(), caller.lobby.facts
    frame = pb.Frame()
    stats = frame.stats
    stats.node_id, stats.node_version, stats.mode = facts.node_id, facts.version, facts.mode
    stats.store, stats.durability, stats.data_dir = facts.store, facts.durability, facts.data_dir
    stats.started_at, stats.now = figures.started_at, figures.now
    stats.tasks.update({STATES[state]: count for state, count in figures.tasks.items()})
    stats.workers, stats.clients = figures.workers, caller.lobby.clients
    stats.submitted, stats.finished = figures.submitted, figures.finished
    stats.failed, stats.rescued = figures.failed, figures.rescued
    stats.submit_rate, stats.finish_rate = figures.submit_rate, figures.finish_rate
    stats.pid, stats.memory_bytes = os.getpid(), caller.lobby.memory_bytes
    return frame


async def list_workers(caller: Caller, body: pb.ListWorkers, _: int) -> pb.Frame:
    frame = pb.Frame()
    frame.workers.SetInParent()
    for record in await caller.verbs.workers(body.all):
        write_worker(record, frame.workers.workers.add())
    return frame


async def list_methods(caller: Caller, _body: pb.ListMethods, _: int) -> pb.Frame:
    frame = pb.Frame()
    frame.methods.SetInParent()
    for method, workers in await caller.verbs.methods():
        write_method(method, frame.methods.methods.add(), workers)
    return frame
