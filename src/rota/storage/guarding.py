"""Which changes of a batch the store allows, by a look inside the transaction that then writes them."""

from __future__ import annotations

from collections.abc import Sequence

from rota.model.change import Change, Finish, Move
from rota.storage.statements import keys
from rota.storage.transaction import Transaction


def allowed(tx: Transaction, changes: Sequence[Change]) -> list[Change]:
    """The changes whose guard holds. Keys that the batch frees may be taken by what it revives."""
    tasks = tx.tasks([change.seq for change in changes])
    guarded = [c for c in changes if (task := tasks.get(c.seq)) is not None and c.guard(task, tx.now)]
    return _with_free_keys(tx, guarded)


def _with_free_keys(tx: Transaction, changes: list[Change]) -> list[Change]:
    wanted = {c.unique_key for c in changes if isinstance(c, Move) and c.revives and c.unique_key is not None}
    if not wanted:
        return changes
    freed = {(c.unique_key, c.seq) for c in changes if isinstance(c, Finish | Move) and not _revives(c)}
    holders = keys.HOLDERS.rows(tx.connection, [(key,) for key in wanted])
    held: set[str | None] = {key for key, _, seq, _ in holders if (key, seq) not in freed}
    kept: list[Change] = []
    for change in changes:
        if isinstance(change, Move) and change.revives and change.unique_key is not None:
            if change.unique_key in held:
                continue
            held.add(change.unique_key)
        kept.append(change)
    return kept


def _revives(change: Finish | Move) -> bool:
    return isinstance(change, Move) and change.revives
