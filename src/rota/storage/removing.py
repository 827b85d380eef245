"""The verbs `purge` and `remove`, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from rota.model.task import ENDED, State
from rota.storage.keeping import GONE_KEPT, GONE_LEAST, GONE_MOST
from rota.storage.ledger import forget_audit
from rota.storage.statements import history, keys, places, searching, tasks
from rota.storage.transaction import Transaction

CHUNK = 500
"""Tasks of one transaction; others' writes come between two."""
LINES = 5_000
"""Lines of the audit log that go in one transaction."""


FOREVER = 2**63 - 1


def purge(tx: Transaction, limit: int, keep_ended: int | None, keep_audit: int | None) -> tuple[int, bool]:
    """How many tasks went, and whether old idempotency keys, or lines of the audit log, may be left."""
    forgotten = keys.FORGET.run(tx.connection, now=tx.now, limit=CHUNK)
    places.REMOVE_WORKERS.run(tx.connection, before=tx.now - GONE_KEPT, recent=tx.now - GONE_LEAST, most=GONE_MOST)
    doomed = _past_time(tx, limit)
    if keep_ended is not None and len(doomed) < limit:
        doomed |= _beyond(tx, limit - len(doomed), keep_ended, doomed)
    if doomed:
        _remove(tx, doomed)
    unkept = 0 if keep_audit is None else forget_audit(tx, keep_audit, LINES)
    return len(doomed), forgotten == CHUNK or unkept == LINES


def _past_time(tx: Transaction, limit: int) -> dict[int, State]:
    found = sorted((due_at, seq, state) for state in ENDED for due_at, seq in _ended(tx, state, tx.now, limit))
    return {seq: state for _, seq, state in found[:limit]}


def _beyond(tx: Transaction, limit: int, keep_ended: int, doomed: dict[int, State]) -> dict[int, State]:
    gone = sum(state is State.SUCCEEDED for state in doomed.values())
    excess = min(limit, tx.count(State.SUCCEEDED) - gone - keep_ended)
    if excess <= 0:
        return {}
    oldest = _ended(tx, State.SUCCEEDED, FOREVER, excess + gone)
    return {seq: State.SUCCEEDED for _, seq in oldest if seq not in doomed}


def _ended(tx: Transaction, state: State, before: int, limit: int) -> list[tuple[int, int]]:
    rows = tasks.PAST_TIME.rows(tx.connection, state=int(state), now=before, limit=limit)
    return [(due_at, seq) for due_at, seq in rows]


def remove(tx: Transaction, ids: Sequence[bytes]) -> dict[bytes, State]:
    """The states of the tasks that are known; the ended ones go."""
    found = tasks.SEQS.rows(tx.connection, [(task_id,) for task_id in dict.fromkeys(ids)])
    doomed = {seq: State(state) for seq, _, state in found if State(state).ended}
    if doomed:
        _remove(tx, doomed)
    return {task_id: State(state) for _, task_id, state in found}


def _remove(tx: Transaction, doomed: dict[int, State]) -> None:
    tx.remember_ordinals()
    seqs = [(seq,) for seq in doomed]
    lanes = {lane for (lane,) in places.PASSING_LANES.rows(tx.connection, seqs)} if tx.has_passing_lanes else set()
    for statement in (*history.REMOVALS, *searching.REMOVALS, tasks.DELETE):
        statement.run(tx.connection, seqs)
    for state in doomed.values():
        tx.moved[state] -= 1
    tx.remove_lanes([lane for (lane,) in places.UNUSED_LANES.rows(tx.connection, [(lane,) for lane in lanes])])
