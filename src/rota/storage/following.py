"""What follows from the end of tasks, in the transaction that ends them: keys are freed, and those who waited move on.

Parents and children are looked up only while some task waits for another (`Transaction.waits`), and then for the whole
batch at once. Tasks that fail with a parent are found with all that fail with them, however long the chain, in one look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rota.model import lifecycle
from rota.model.change import Finish, Move
from rota.model.task import Reason, State, Task
from rota.storage.moving import write_moves
from rota.storage.statements import families, keys
from rota.storage.statements import tasks as statements
from rota.storage.transaction import Transaction

Ending = Finish | Move


def free_keys(tx: Transaction, endings: Sequence[Ending]) -> None:
    keys.FREE_UNIQUE.run(tx.connection, [(c.unique_key, c.seq) for c in endings if c.unique_key is not None])
    keys.FREE_ORDERED.run(tx.connection, [(c.seq,) for c in endings if c.order_key is not None])


def move_on(tx: Transaction, endings: Sequence[Ending]) -> list[Task]:
    """The tasks that move on because these have ended, whose own keys are free already."""
    family = _part(tx, endings) if tx.waits and endings else _NOBODY
    nexts = _advance(tx, [*endings, *family.endings])
    moved = [task for task in nexts if task.reason is not Reason.PARENTS]
    free = list(tx.tasks(family.free).values())
    behind = _behind(tx, free)
    moved += free
    moves = [lifecycle.unblock(task, tx.now, behind=task.seq in behind) for task in moved]
    _land(tx, moves, moved)
    return sorted(moved + family.failed, key=lambda task: task.seq)


class _Family(NamedTuple):
    """What becomes of those that come after ended tasks."""

    failed: list[Task]
    endings: list[Move]
    """The ends of the failed ones."""
    free: list[int]
    """Those that wait for no parent any more, by `seq`."""


_NOBODY = _Family([], [], [])


def _part(tx: Transaction, endings: Sequence[Ending]) -> _Family:
    """Children that fail end, with theirs; the others wait for the ended ones no more."""
    _stop_waiting(tx, [c.seq for c in endings if isinstance(c, Move) and c.from_state is State.WAITING])
    failed, moves = _fail(tx, [c.seq for c in endings if c.state is not State.SUCCEEDED])
    _stop_waiting(tx, [task.seq for task in failed])
    gone = [(c.seq,) for c in [*endings, *moves]]
    children = families.CHILDREN.rows(tx.connection, gone)
    if not children:
        return _Family(failed, moves, [])
    tx.waits -= families.FORGET_PARENTS.run(tx.connection, gone)
    return _Family(failed, moves, [seq for (seq,) in families.FREE.rows(tx.connection, _distinct(children))])


def _stop_waiting(tx: Transaction, children: Sequence[int]) -> None:
    tx.waits -= families.FORGET_CHILDREN.run(tx.connection, [(seq,) for seq in children])


def _fail(tx: Transaction, lost: Sequence[int]) -> tuple[list[Task], list[Move]]:
    """Each names the first parent, in the order they were accepted, that it fails with."""
    pairs = [(child, parent) for child, parent in families.DOOMED.rows(tx.connection, [(seq,) for seq in lost])]
    fails_with: dict[int, int] = dict(sorted(pairs, reverse=True))
    if not fails_with:
        return [], []
    tasks = [task for _, task in sorted(tx.tasks(list(fails_with)).items())]
    known = statements.STANDING.rows(tx.connection, _distinct((parent,) for parent in fails_with.values()))
    # A parent that fails in this very look is still written as waiting.
    parents = {seq: (task_id, State.FAILED if seq in fails_with else State(state)) for seq, task_id, state in known}
    moves = [lifecycle.fail_with_parent(task, *parents[fails_with[task.seq]], tx.now, tx.keep) for task in tasks]
    _land(tx, moves, tasks)
    free_keys(tx, moves)
    return tasks, moves


def _advance(tx: Transaction, endings: Iterable[Ending]) -> list[Task]:
    """The next waiting task of each order key that nobody holds any more holds it now."""
    freed = {c.order_key for c in endings if c.order_key is not None}
    nexts = [tx.task_of(row) for row in keys.NEXT_ORDERED.rows(tx.connection, [(key,) for key in freed])]
    keys.HOLD_ORDERED.run(tx.connection, [(task.seq,) for task in nexts])
    return nexts


def _behind(tx: Transaction, tasks: Sequence[Task]) -> set[int]:
    """Those that wait for an earlier task of their order key."""
    in_line = [(task.seq,) for task in tasks if task.spec.order_key is not None]
    return {seq for (seq,) in keys.BEHIND.rows(tx.connection, in_line)}


def _land(tx: Transaction, moves: Sequence[Move], tasks: Sequence[Task]) -> None:
    write_moves(tx, moves)
    for change, task in zip(moves, tasks, strict=True):
        change.onto(task)


def _distinct(rows: Iterable[Sequence[int]]) -> list[tuple[int]]:
    return [(seq,) for seq in dict.fromkeys(row[0] for row in rows)]
