"""The store on a SQLite file: one writer thread that commits in groups, a few reader threads, and this face of both.

Opening it takes the lock beside the file, refuses what it cannot serve (`RefusesToStart`), and brings an older schema up to
date. While it is open, trouble with the disk is told as `Unavailable` to whoever asked, and it recovers by itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from rota.contract.store import (
    ALL,
    Applied,
    AuditQuery,
    BatchCounts,
    Capabilities,
    Entry,
    GroupCounts,
    Query,
    Receipt,
)
from rota.life.clock import Clock, SystemClock
from rota.model.audit import AuditRecord
from rota.model.change import Change
from rota.model.control import Control
from rota.model.lifecycle import Retention
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.series import Point
from rota.model.task import AttemptRecord, Lane, State, Task
from rota.model.token import TokenRecord
from rota.model.worker import Facts, WorkerRecord
from rota.storage import accepting, changing, ledger, noting, removing
from rota.storage.backup import copy_to
from rota.storage.connecting import connect_reader, connect_writer, make_file
from rota.storage.lock import StoreLock, mounted, refuse_network
from rota.storage.looking import LaneGone, Look
from rota.storage.migrate import bring_up_to_date
from rota.storage.readers import Readers
from rota.storage.trouble import refused, translated, unavailable
from rota.storage.wal import lay_out
from rota.storage.writer import Writer
from rota.telemetry.histogram import Histogram

T = TypeVar("T")

READERS = 2
LOOKS = 3
"""Looks again, where each met a lane that was about to go."""
NODE_DEFAULTS = Retention()
LOSS_WINDOW = "a power cut, not a crash of the process, may take what was answered since the last checkpoint"


class SqliteStore:
    """A `Store` in one file. `durability` is `full`, or `relaxed`: no flush to disk at each commit. `keep`: how long the tasks
    stay that the store itself ends."""

    def __init__(
        self,
        path: Path,
        *,
        durability: str = "full",
        clock: Clock | None = None,
        keep: Retention = NODE_DEFAULTS,
    ) -> None:
        if durability not in ("full", "relaxed"):
            raise ValueError(f"durability is 'full' or 'relaxed', not {durability!r}")
        self._path, self._durability, self._keep = path, durability, keep
        self._clock = clock or SystemClock()
        self._lock = StoreLock(path)
        self._writer: Writer | None = None
        self._readers: Readers | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(durable=True, shared=False, loss_window="" if self._durability == "full" else LOSS_WINDOW)

    @property
    def unended(self) -> int:
        return self._writer.book.unended if self._writer is not None else 0

    @property
    def lanes(self) -> int:
        """How many lanes are in memory, as they are in the file."""
        return len(self._writer.book.lanes) if self._writer is not None else 0

    @property
    def trouble(self) -> str:
        return self._writer.trouble if self._writer is not None else "store_unavailable"

    @property
    def commit_seconds(self) -> Histogram | None:
        return self._writer.commit_seconds if self._writer is not None else None

    def now(self) -> int:
        return self._clock.now()

    # --- life

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        opening = asyncio.ensure_future(asyncio.to_thread(self._connect, loop))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            await opening
            await self.close()
            raise

    def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        refuse_network(self._path, mounted())
        try:
            make_file(self._path)
        except OSError as error:
            raise refused(error, self._path) from error
        self._lock.acquire()
        try:
            self._start(loop)
        except (sqlite3.Error, OSError) as error:
            self._lock.release()
            raise refused(error, self._path) from error
        except BaseException:
            self._lock.release()
            raise

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        bring_up_to_date(self._path)
        lay_out(self._path)
        with ExitStack() as opened:
            connection = opened.enter_context(closing(connect_writer(self._path, self._durability)))
            readers = [opened.enter_context(closing(connect_reader(self._path))) for _ in range(READERS)]
            self._writer = Writer(connection, self._path, self._clock, loop, self._keep)
            self._readers = Readers(readers, loop, partial(translated, path=self._path))
            opened.pop_all()

    async def close(self) -> None:
        writer, readers = self._writer, self._readers
        self._writer = self._readers = None
        if writer is None or readers is None:
            return
        # The writer closes last: the last connection to close cleans up the log, and only the writer may.
        await asyncio.to_thread(readers.stop)
        await writer.stop()
        self._lock.release()

    async def backup(self, to: Path) -> None:
        """A consistent copy in a file of its own, made while the store goes on working. Replaces `to`."""
        self._open_writer()
        await asyncio.to_thread(copy_to, self._path, to)

    # --- writes

    async def submit(self, entries: Sequence[Entry], *, atomic: bool = False) -> list[Receipt]:
        return await self._write(len(entries), accepting.submit, entries, atomic)

    async def apply(self, changes: Sequence[Change], *, patient: bool = False) -> Applied:
        run = partial(changing.apply, changes=changes)
        return await self._open_writer().write(len(changes), run, patient=patient)

    async def enlist(self, facts: Facts, methods: Sequence[Method], declares: bool = True) -> int:
        return await self._write(1, noting.enlist, facts, methods, declares)

    async def retire(self, number: int, reason: str) -> None:
        await self._write(1, noting.retire, number, reason)

    async def append_logs(self, lines: Sequence[tuple[int, LogLine]]) -> None:
        await self._write(len(lines), noting.append_logs, lines)

    async def set_progress(self, marks: Sequence[tuple[int, Progress]]) -> None:
        await self._write(len(marks), noting.set_progress, marks)

    async def note_late(self, seq: int, attempt: int, note: str) -> None:
        await self._write(1, noting.note_late, seq, attempt, note)

    async def set_control(self, control: Control) -> None:
        await self._write(1, ledger.set_control, control)

    async def add_token(self, token: TokenRecord) -> None:
        await self._write(1, ledger.add_token, token)

    async def revoke_token(self, kid: str, at: int) -> TokenRecord | None:
        return await self._write(1, ledger.revoke_token, kid, at)

    async def touch_tokens(self, used: Mapping[str, int]) -> None:
        await self._write(len(used), ledger.touch_tokens, used)

    async def audit(self, lines: Sequence[AuditRecord]) -> None:
        await self._write(len(lines), ledger.add_audit, lines)

    async def add_points(self, points: Sequence[Point], forget_before: int) -> None:
        await self._write(len(points), ledger.add_points, points, forget_before)

    async def remove(self, ids: Sequence[bytes]) -> dict[bytes, State]:
        states: dict[bytes, State] = {}
        for start in range(0, len(ids), removing.CHUNK):
            part = ids[start : start + removing.CHUNK]
            states |= await self._write(len(part), removing.remove, part)
        return states

    async def purge(self, limit: int, keep_ended: int | None = None, keep_audit: int | None = None) -> int:
        gone, full, more = 0, True, False
        while more or (full and gone < limit):
            chunk = min(removing.CHUNK, limit - gone)
            went, more = await self._write(chunk, removing.purge, chunk, keep_ended, keep_audit)
            gone += went
            full = went == chunk
        return gone

    # --- reads

    async def get(self, ids: Sequence[bytes]) -> dict[bytes, Task]:
        return await self._read(lambda look: look.get(ids))

    async def states(self, ids: Sequence[bytes]) -> dict[bytes, State]:
        return await self._read(lambda look: look.states(ids))

    async def line(self, lane: Lane, after: tuple[int, int] | None, limit: int, max_bytes: int) -> list[Task]:
        return await self._read(lambda look: look.line(lane, after, limit, max_bytes))

    async def ready_lanes(self) -> list[Lane]:
        return await self._read(Look.ready_lanes)

    async def due(self, state: State, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        return await self._read(lambda look: look.due(state, before, after, limit))

    async def expiring(self, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        return await self._read(lambda look: look.expiring(before, after, limit))

    async def next_due(self) -> int | None:
        return await self._read(Look.next_due)

    async def find(self, query: Query, before_seq: int | None, limit: int) -> list[Task]:
        book, found = self._open_writer().book, list[Task]()
        after_all = book.last_seq + 1
        before: int | None = after_all if before_seq is None else min(before_seq, after_all)
        while before is not None and len(found) < limit:
            look = partial(Look.find, query=query, before_seq=before, limit=limit - len(found), counts=book.counts)
            more, before = await self._read(look)
            found += more
        return found

    async def attempts(self, seq: int) -> list[AttemptRecord]:
        return await self._read(lambda look: look.attempts(seq))

    async def logs(self, seq: int, after: int, limit: int) -> list[LogLine]:
        return await self._read(lambda look: look.logs(seq, after, limit))

    async def progress(self, seqs: Sequence[int]) -> dict[int, Progress]:
        return await self._read(lambda look: look.progress(seqs))

    async def counts(self) -> Mapping[State, int]:
        return self._open_writer().book.counts

    async def workers(self, numbers: Sequence[int] | None = None) -> list[WorkerRecord]:
        return await self._read(lambda look: look.workers(numbers))

    async def methods(self) -> list[Method]:
        return await self._read(Look.methods)

    async def controls(self) -> list[Control]:
        return await self._read_ledger(ledger.controls)

    async def tokens(self) -> list[TokenRecord]:
        return await self._read_ledger(ledger.tokens)

    async def audit_log(self, query: AuditQuery, before: int | None, limit: int) -> list[AuditRecord]:
        return await self._read_ledger(ledger.audit_log, query, before, limit)

    async def points(self, since: int) -> list[Point]:
        return await self._read_ledger(ledger.points, since)

    async def group_counts(
        self, after: str | None = None, limit: int = ALL, names: Collection[str] | None = None
    ) -> GroupCounts:
        return await self._read(lambda look: look.group_counts(after, limit, names))

    async def place(self, lane: Lane, line: int, seq: int) -> int:
        return await self._read(lambda look: look.place(lane, line, seq))

    async def parents(self, seq: int) -> list[tuple[bytes, State]]:
        return await self._read(lambda look: look.parents(seq))

    async def children(self, task_id: bytes, limit: int) -> list[bytes]:
        return await self._read(lambda look: look.children(task_id, limit))

    async def key_holders(self, order_key: str) -> list[bytes]:
        return await self._read(lambda look: look.key_holders(order_key))

    async def batch(self, name: str) -> BatchCounts | None:
        return await self._read(lambda look: look.batch(name))

    # --- to the threads

    async def _write(self, rows: int, verb: Callable[..., T], *args: object) -> T:
        answer: T = await self._open_writer().write(rows, lambda tx: verb(tx, *args))
        return answer

    async def _read(self, verb: Callable[[Look], T]) -> T:
        writer = self._open_writer()

        def look(connection: sqlite3.Connection) -> T:
            for _ in range(LOOKS):
                with suppress(LaneGone):
                    return verb(Look(connection, writer.book.lanes))
            return verb(Look(connection, writer.book.lanes))

        return await self._open_readers().read(look)

    async def _read_ledger(self, verb: Callable[..., T], *args: object) -> T:
        answer: T = await self._open_readers().read(lambda connection: verb(connection, *args))
        return answer

    def _open_readers(self) -> Readers:
        writer, readers = self._open_writer(), self._readers
        if readers is None or writer.watch.lost is not None:
            raise writer.watch.lost or unavailable(self._path, "it is being closed")
        return readers

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise unavailable(self._path, "it is not open")
        return self._writer
