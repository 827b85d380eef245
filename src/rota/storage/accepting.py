"""The verb `submit`, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from functools import partial

from rota.contract.store import Entry, Receipt
from rota.model import lifecycle
from rota.storage.intake import Answered, Body, Decision, decide
from rota.storage.keeping import IDEMPOTENCY_TTL
from rota.storage.records import ordered
from rota.storage.rows import fresh_row, is_fresh, task_row
from rota.storage.statements import keys, tasks
from rota.storage.transaction import Transaction


def submit(tx: Transaction, entries: Sequence[Entry], atomic: bool) -> list[Receipt]:
    """Hopeful for entries without keys: no id is known yet; else the insert breaks, and the batch is run again carefully."""
    if not tx.careful and not any(_asks_for_keys(entry) for entry in entries):
        _insert(tx, entries, frozenset())
        return [Receipt(entry.task.id) for entry in entries]
    decision = decide(entries, _Shelf(tx, entries), atomic=atomic)
    seqs = _insert(tx, decision.accepted, decision.behind)
    _take_keys(tx, decision, seqs)
    return decision.receipts


def _asks_for_keys(entry: Entry) -> bool:
    spec = entry.task.spec
    return entry.idempotency_key is not None or spec.unique_key is not None or spec.order_key is not None


def _insert(tx: Transaction, entries: Sequence[Entry], behind: Set[bytes]) -> range:
    seqs = tx.next_seqs(len(entries))
    records = [entry.task for entry in entries]
    if behind:
        records = [ordered(task) if task.id in behind else task for task in records]
    number = tx.lane_number
    fresh: list[tuple[object, ...]] = []
    others: list[tuple[object, ...]] = []
    for task, seq in zip(records, seqs, strict=True):
        if is_fresh(task):
            fresh.append(fresh_row(task, seq, number(task.spec.lane)))
        else:
            others.append(task_row(task, seq, number(task.spec.lane)))
    tasks.INSERT_FRESH.run(tx.connection, fresh)
    tasks.INSERT.run(tx.connection, others)
    tx.moved.update(int(task.state) for task in records)
    tx.tell(partial(_tell, entries, seqs, behind))
    return seqs


def _tell(entries: Sequence[Entry], seqs: range, behind: Set[bytes]) -> None:
    for entry, seq in zip(entries, seqs, strict=True):
        entry.task.seq = seq
    for entry in entries if behind else ():
        if entry.task.id in behind:
            lifecycle.order(entry.task)


def _take_keys(tx: Transaction, decision: Decision, seqs: range) -> None:
    specs = [(seq, entry.task.id, entry.task.spec) for seq, entry in zip(seqs, decision.accepted, strict=True)]
    unique = [(spec.unique_key, seq) for seq, _, spec in specs if spec.unique_key is not None]
    in_line = [
        (seq, spec.order_key, int(task_id in decision.behind))
        for seq, task_id, spec in specs
        if spec.order_key is not None
    ]
    until = tx.now + IDEMPOTENCY_TTL
    remembered = [(key, *answer, until) for key, answer in decision.remembered.items()]
    keys.TAKE_UNIQUE.run(tx.connection, unique)
    keys.ADD_ORDERED.run(tx.connection, in_line)
    keys.REMEMBER.run(tx.connection, remembered)


class _Shelf:
    """What the file holds of the ids and keys that these entries name."""

    def __init__(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        self._bodies = _bodies(tx, entries)
        asked = {entry.idempotency_key for entry in entries}
        answers = keys.ANSWERS.rows(tx.connection, _column(asked))
        self._answers = {key: Answered(of, print_) for key, of, print_, until in answers if until > tx.now}
        unique = {entry.task.spec.unique_key for entry in entries}
        holders = keys.HOLDERS.rows(tx.connection, _column(unique))
        self._holders = {key: task_id for key, task_id, _ in holders}
        in_order = {entry.task.spec.order_key for entry in entries}
        self._ordered = {key for (key,) in keys.ORDERED.rows(tx.connection, _column(in_order))}

    def body(self, task_id: bytes) -> Body | None:
        return self._bodies.get(task_id)

    def answered(self, idempotency_key: str) -> Answered | None:
        return self._answers.get(idempotency_key)

    def holder(self, unique_key: str) -> bytes | None:
        return self._holders.get(unique_key)

    def ordered(self, order_key: str) -> bool:
        return order_key in self._ordered


def _bodies(tx: Transaction, entries: Sequence[Entry]) -> dict[bytes, Body]:
    rows = tasks.BY_ID.rows(tx.connection, _column({entry.task.id for entry in entries}))
    return {task.id: Body(task.spec.lane.method, task.spec.params) for task in map(tx.task_of, rows)}


def _column(values: Iterable[str | bytes | None]) -> list[tuple[str | bytes]]:
    return [(value,) for value in values if value is not None]
