"""Writes changes of tasks' rows, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from rota.model.change import Move
from rota.storage.rows import attempt_row
from rota.storage.statements import changes as statements
from rota.storage.statements import history
from rota.storage.statements.sql import Many
from rota.storage.transaction import Surprised, Transaction


def write(tx: Transaction, statement: Many, rows: Sequence[tuple[object, ...]]) -> None:
    """Raises Surprised where not every row was as it was thought to be."""
    if rows and statement.run(tx.connection, rows) != len(rows):
        raise Surprised


def write_moves(tx: Transaction, moves: Sequence[Move]) -> None:
    write(tx, statements.MOVE, [_row(move, tx.now) for move in moves])
    for move in moves:
        tx.moved[move.from_state] -= 1
        tx.moved[move.state] += 1
    tx.depths.moved(moves)
    past = [attempt_row(move.past) for move in moves if move.past is not None]
    history.KEEP_ATTEMPT.run(tx.connection, past)


def _row(move: Move, now: int) -> tuple[object, ...]:
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
