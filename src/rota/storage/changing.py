"""The verb `apply`, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rota.contract.store import Applied
from rota.model import lifecycle
from rota.model.change import Change, Claim, Finish, Move, Renew, Start
from rota.model.task import Reason, State, Task
from rota.storage.guarding import allowed
from rota.storage.rows import attempt_row
from rota.storage.statements import changes as statements
from rota.storage.statements import history, keys
from rota.storage.statements.sql import Many
from rota.storage.transaction import Surprised, Transaction


def apply(tx: Transaction, changes: Sequence[Change]) -> Applied:
    """Hopeful: every guard holds; else the counts differ, and the batch is run again, carefully."""
    kinds = _Kinds(allowed(tx, changes) if tx.careful else changes)
    if kinds.revivals and not tx.careful:
        raise Surprised
    _claim(tx, kinds.claims)
    _write(tx, statements.START, [(c.seq, c.attempt, c.worker, c.started_at) for c in kinds.starts])
    _write(tx, statements.RENEW, [(c.seq, c.attempt, c.worker, c.due_at) for c in kinds.renewals])
    _finish(tx, kinds.finishes)
    _move(tx, kinds.moves)
    endings = [*kinds.finishes, *(move for move in kinds.moves if move.ends)]
    _free(tx, endings)
    _revive(tx, kinds.revivals)
    unblocked = _advance(tx, {c.order_key for c in endings if c.order_key is not None})
    return Applied({change.seq for change in kinds.all}, unblocked)


class _Kinds:
    """Changes by kind. A batch has at most one change a row, so the kinds can be written in any order."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.all = changes
        self.claims: list[Claim] = []
        self.starts: list[Start] = []
        self.renewals: list[Renew] = []
        self.finishes: list[Finish] = []
        self.moves: list[Move] = []
        self.revivals: list[Move] = []
        for change in changes:
            self._add(change)

    def _add(self, change: Change) -> None:
        match change:
            case Claim():
                self.claims.append(change)
            case Finish():
                self.finishes.append(change)
            case Start():
                self.starts.append(change)
            case Renew():
                self.renewals.append(change)
            case Move():
                (self.revivals if change.revives else self.moves).append(change)


def _write(tx: Transaction, statement: Many, rows: Sequence[tuple[object, ...]]) -> None:
    if rows and statement.run(tx.connection, rows) != len(rows):
        raise Surprised


def _claim(tx: Transaction, claims: Sequence[Claim]) -> None:
    _write(tx, statements.CLAIM, [(c.seq, c.attempt, c.worker, c.claimed_at, c.due_at) for c in claims])
    tx.moved[State.READY] -= len(claims)
    tx.moved[State.RUNNING] += len(claims)


def _finish(tx: Transaction, finishes: Sequence[Finish]) -> None:
    rows = [
        (
            c.seq,
            c.attempt,
            c.worker,
            int(c.state),
            int(c.reason),
            c.failures,
            c.due_at,
            c.started_at,
            c.ended_at,
            c.outcome,
        )
        for c in finishes
    ]
    _write(tx, statements.FINISH, rows)
    tx.moved[State.RUNNING] -= len(finishes)
    tx.moved.update(int(c.state) for c in finishes)


def _move(tx: Transaction, moves: Sequence[Move]) -> None:
    _write(tx, statements.MOVE, [_move_row(move, tx.now) for move in moves])
    for move in moves:
        tx.moved[move.from_state] -= 1
        tx.moved[move.state] += 1
    past = [attempt_row(move.past) for move in moves if move.past is not None]
    history.KEEP_ATTEMPT.run(tx.connection, past)


def _move_row(move: Move, now: int) -> tuple[object, ...]:
    return (
        move.seq,
        int(move.from_state),
        move.worker_was,
        now if move.lapsed else None,
        now if move.expired else None,
        move.attempt,
        int(move.state),
        int(move.reason),
        move.line,
        move.failures,
        move.rescues,
        move.due_at,
        move.worker,
        move.claimed_at,
        move.started_at,
        move.ended_at,
        move.outcome,
        move.expire_at,
    )


# --- keys


def _free(tx: Transaction, endings: Sequence[Finish | Move]) -> None:
    unique = [(c.unique_key, c.seq) for c in endings if c.unique_key is not None]
    in_line = [(c.seq,) for c in endings if c.order_key is not None]
    keys.FREE_UNIQUE.run(tx.connection, unique)
    keys.FREE_ORDERED.run(tx.connection, in_line)


def _revive(tx: Transaction, revivals: Sequence[Move]) -> None:
    """A revived task takes its keys again; behind the unended tasks of its order key it waits."""
    if not revivals:
        return
    asked = {move.order_key for move in revivals if move.order_key is not None}
    held: set[str] = {key for (key,) in keys.ORDERED.rows(tx.connection, [(key,) for key in asked])}
    moves: list[Move] = []
    for move in revivals:
        waits = move.order_key in held
        moves.append(replace(move, state=State.WAITING, reason=Reason.ORDERED) if waits else move)
        if move.order_key is not None:
            held.add(move.order_key)
    _move(tx, moves)
    unique = [(move.unique_key, move.seq) for move in moves if move.unique_key is not None]
    keys.TAKE_UNIQUE.run(tx.connection, unique)
    _take_places(tx, moves)


def _take_places(tx: Transaction, moves: Iterable[Move]) -> None:
    places = [
        (move.seq, move.order_key, int(move.state is State.WAITING)) for move in moves if move.order_key is not None
    ]
    keys.ADD_ORDERED.run(tx.connection, places)


def _advance(tx: Transaction, order_keys: set[str]) -> list[Task]:
    """The next waiting task of each key that nobody holds any more moves on."""
    rows = keys.NEXT_ORDERED.rows(tx.connection, [(key,) for key in order_keys])
    tasks = sorted((tx.task_of(row) for row in rows), key=lambda task: task.seq)
    moves = [lifecycle.unblock(task, tx.now) for task in tasks]
    _move(tx, moves)
    keys.HOLD_ORDERED.run(tx.connection, [(task.seq,) for task in tasks])
    for move, task in zip(moves, tasks, strict=True):
        move.onto(task)
    return tasks
