"""The verb `apply`, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rota.contract.store import Applied
from rota.model.change import Change, Claim, Finish, Move, Renew, Start
from rota.model.task import Reason, State
from rota.storage.following import free_keys, move_on
from rota.storage.guarding import allowed
from rota.storage.moving import write, write_moves
from rota.storage.statements import changes as statements
from rota.storage.statements import keys
from rota.storage.transaction import Surprised, Transaction


def apply(tx: Transaction, changes: Sequence[Change]) -> Applied:
    """Hopeful: every guard holds; else the counts differ, and the batch is run again, carefully."""
    kinds = _Kinds(allowed(tx, changes) if tx.careful else changes)
    if kinds.revivals and not tx.careful:
        raise Surprised
    _claim(tx, kinds.claims)
    write(tx, statements.START, [(c.seq, c.attempt, c.worker, c.started_at) for c in kinds.starts])
    write(tx, statements.RENEW, [(c.seq, c.attempt, c.worker, c.due_at) for c in kinds.renewals])
    _finish(tx, kinds.finishes)
    write_moves(tx, kinds.moves)
    endings = [*kinds.finishes, *(move for move in kinds.moves if move.ends)]
    free_keys(tx, endings)
    _revive(tx, kinds.revivals)
    return Applied({change.seq for change in kinds.all}, move_on(tx, endings))


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


def _claim(tx: Transaction, claims: Sequence[Claim]) -> None:
    write(tx, statements.CLAIM, [(c.seq, c.attempt, c.worker, c.claimed_at, c.due_at) for c in claims])
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
    write(tx, statements.FINISH, rows)
    tx.moved[State.RUNNING] -= len(finishes)
    tx.moved.update(int(c.state) for c in finishes)
    tx.depths.finished(finishes)


# --- keys


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
    write_moves(tx, moves)
    unique = [(move.unique_key, move.seq) for move in moves if move.unique_key is not None]
    keys.TAKE_UNIQUE.run(tx.connection, unique)
    _take_places(tx, moves)


def _take_places(tx: Transaction, moves: Iterable[Move]) -> None:
    places = [
        (move.seq, move.order_key, int(move.state is State.WAITING)) for move in moves if move.order_key is not None
    ]
    keys.ADD_ORDERED.run(tx.connection, places)
