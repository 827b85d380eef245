"""The writer: one thread with the only connection that writes.

It commits in groups: whatever arrived while the last commit was under way becomes one transaction, so that one flush to disk
serves many callers, and an idle store waits for nothing. A group is run hopefully first; if any operation in it fails, it is
rolled back and run again with each operation in a savepoint of its own, so a failing one takes none of its neighbours
with it and the happy path pays for no savepoint. Where the store itself is in trouble (disk full, I/O) the whole group is
refused and nothing of it is kept; the next group tries anew.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from rota.life.clock import Clock
from rota.life.failpoint import failpoint
from rota.model.errors import Unavailable
from rota.model.lifecycle import Retention
from rota.storage.book import Book
from rota.storage.transaction import Transaction
from rota.storage.trouble import commit_failed, is_trouble, translated, unavailable, unknown
from rota.storage.wal import WalKeeper
from rota.storage.watch import FileWatch
from rota.telemetry.histogram import Histogram

log = logging.getLogger("rota.storage")
T = TypeVar("T")

MOST_OPERATIONS, MOST_ROWS = 2_000, 10_000
"""Of one group: they bound the time that one commit takes."""
MOST_WAITING = 20_000
"""Operations that may wait; more are refused."""
PATIENCE = 0.002
"""Seconds that a patient operation waits for company."""
COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the histogram of how long a group takes, its commit included."""
IDLE, WATCH = 0.5, 5.0
"""Seconds without work until the log is checkpointed, and between two looks at the file."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    run: Callable[[Transaction], Any]
    rows: int
    """About how many rows it writes."""
    future: asyncio.Future[Any]
    patient: bool = False
    """Nobody waits for it: it may wait a moment for company."""


@dataclass(frozen=True, slots=True)
class Failed:
    error: Exception


class Writer:
    """Takes operations from the event loop and answers on it, a whole group at once."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        keep: Retention,
    ) -> None:
        self.book = Book(connection)
        self.watch = FileWatch(path)
        self._connection, self._path, self._clock, self._loop, self._keep = connection, path, clock, loop, keep
        self._wal = WalKeeper(connection, path)
        self.trouble = ""
        """The code of the error that the last write of a whole group met; empty while writes go well."""
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        self._stale = False
        self._waiting = 0
        self._queue: SimpleQueue[Operation | None] = SimpleQueue()
        self._stopped: asyncio.Future[None] = loop.create_future()
        self._thread = Thread(target=self._work, name="rota-store-writer", daemon=True)
        self._thread.start()

    async def write(self, rows: int, run: Callable[[Transaction], T], *, patient: bool = False) -> T:
        """Answers after the commit. Cancelling it only stops the caller from hearing of it."""
        if self._waiting >= MOST_WAITING:
            raise unavailable(self._path, f"{MOST_WAITING} writes are waiting for the disk; come again later")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(Operation(run, rows, future, patient))
        return await future

    async def stop(self) -> None:
        """Finishes what was asked, then cuts the log and closes the connection."""
        self._queue.put(None)
        await asyncio.shield(self._stopped)
        self._thread.join()

    # --- the thread

    def _work(self) -> None:
        stopping = False
        while not stopping:
            group, stopping = self._gather()
            if group:
                self._flush(group)
            else:
                self._rest()
        self._wal.cut()
        self._connection.close()
        self._call(self._stopped.set_result, None)

    def _gather(self) -> tuple[list[Operation], bool]:
        """What has arrived, up to a group's size; it waits for the first, or until it is time to rest.

        A first one that is patient is given a moment for company, once: tasks that come one by one so take one commit each
        instead of two, a submit's and the finish before it.
        """
        group: list[Operation] = []
        rows = 0
        with suppress(Empty):
            operation = self._queue.get(timeout=IDLE if self._wal.dirty else WATCH)
            while operation is not None:
                group.append(operation)
                rows += operation.rows
                if len(group) >= MOST_OPERATIONS or rows >= MOST_ROWS:
                    return group, False
                alone = len(group) == 1 and operation.patient
                operation = self._company() if alone else self._queue.get_nowait()
            return group, True
        return group, False

    def _company(self) -> Operation | None:
        failpoint("store.waits_for_company")
        return self._queue.get(timeout=PATIENCE)

    def _rest(self) -> None:
        if self._wal.dirty:
            self._wal.when_idle()
        if self.trouble:
            self._results([Operation(Transaction.remember_ordinals, 2, self._stopped)])
        try:
            self.watch.look()
        except Unavailable as error:
            self.trouble = error.code

    def _flush(self, group: list[Operation]) -> None:
        results = self._results(group)
        try:
            failpoint("store.before_answer")
        except Exception as error:
            results = [Failed(unknown(self._path, error))] * len(group)
        self._call(self._answer, group, results)
        self._wal.after_commit()

    def _results(self, group: list[Operation]) -> list[Any]:
        try:
            self.watch.look()
            begun = self._clock.monotonic()
            results = self._hopefully(group)
            self.commit_seconds.add(self._clock.monotonic() - begun)
            self.trouble = ""
            return results
        except Exception as error:
            failed = Failed(translated(error, self._path))
            self.trouble = failed.error.code if isinstance(failed.error, Unavailable) else ""
            if not self.trouble:
                log.exception("a group of writes failed", exc_info=error)
            return [failed] * len(group)

    def _hopefully(self, group: list[Operation]) -> list[Any]:
        try:
            return self._transact(group, careful=False)
        except Exception as error:
            if isinstance(error, Unavailable) or is_trouble(error):
                raise
        return self._transact(group, careful=True)

    def _transact(self, group: list[Operation], *, careful: bool) -> list[Any]:
        if self._stale:
            self.book, self._stale = Book(self._connection), False
        tx = Transaction(self._connection, self.book, self._clock.now(), careful=careful, keep=self._keep)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._alone(operation, tx) if careful else operation.run(tx) for operation in group]
            self._commit(tx)
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return results

    def _alone(self, operation: Operation, tx: Transaction) -> Any:
        mark = tx.mark()
        self._connection.execute("SAVEPOINT operation")
        try:
            result = operation.run(tx)
        except Exception as error:
            if is_trouble(error):
                raise
            self._connection.execute("ROLLBACK TO operation")
            tx.back_to(mark)
            result = Failed(translated(error, self._path))
        self._connection.execute("RELEASE operation")
        return result

    def _commit(self, tx: Transaction) -> None:
        failpoint("store.before_commit")
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._stale = True
            raise commit_failed(error, self._path) from error
        tx.settle()
        try:
            failpoint("store.after_commit")
        except Exception as error:
            raise unknown(self._path, error) from error

    # --- back on the event loop

    def _call(self, function: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop was closed without closing the store: nobody is there to be told
            self._loop.call_soon_threadsafe(function, *args)

    def _answer(self, group: list[Operation], results: list[Any]) -> None:
        self._waiting -= len(group)
        for operation, result in zip(group, results, strict=True):
            if operation.future.done():
                continue
            if isinstance(result, Failed):
                operation.future.set_exception(copy.copy(result.error))
            else:
                operation.future.set_result(result)
