"""The verb `submit`, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from rota.contract.store import Entry, Receipt
from rota.model import lifecycle
from rota.model.task import Lane, Spec, State, Task
from rota.storage.following import free_keys, move_on
from rota.storage.intake import Answered, Body, Decision, Depth, Holder, decide, receipts_of
from rota.storage.keeping import IDEMPOTENCY_TTL
from rota.storage.moving import write_moves
from rota.storage.records import as_decided, onto
from rota.storage.rows import fresh_row, is_fresh, task_row
from rota.storage.statements import families, keys, searching, tasks
from rota.storage.transaction import Transaction


def submit(tx: Transaction, entries: Sequence[Entry], atomic: bool) -> list[Receipt]:
    """Hopeful for entries without ties: no id is known yet; else the insert breaks, and the batch is run again carefully."""
    if not tx.careful and not any(_is_tied(entry) for entry in entries) and tx.depths.has_room_for(_tasks(entries)):
        _insert(tx, [entry.task for entry in entries], entries)
        return [Receipt(entry.task.id) for entry in entries]
    shelf = _Shelf(tx, entries)
    decision = decide(entries, shelf, atomic=atomic)
    records = as_decided(decision, tx.now, tx.keep)
    seqs = _insert(tx, records, decision.accepted)
    seq_of = shelf.seqs | {task.id: seq for task, seq in zip(records, seqs, strict=True)}
    _take_keys(tx, decision, seq_of)
    _depend(tx, decision, seq_of)
    return _replace(tx, decision) if decision.replaced else decision.receipts


def _tasks(entries: Sequence[Entry]) -> Iterator[Task]:
    return (entry.task for entry in entries)


def _is_tied(entry: Entry) -> bool:
    """Whether what becomes of it depends on what is there."""
    spec = entry.task.spec
    return (
        entry.idempotency_key is not None
        or spec.unique_key is not None
        or spec.order_key is not None
        or bool(spec.after)
    )


def _insert(tx: Transaction, records: Sequence[Task], entries: Sequence[Entry]) -> range:
    """`records` are the entries' tasks as they are stored, or copies of those that are stored otherwise."""
    seqs = tx.next_seqs(len(records))
    number = tx.lane_number
    fresh: list[tuple[object, ...]] = []
    others: list[tuple[object, ...]] = []
    findable: list[tuple[int, Spec]] = []
    for task, seq in zip(records, seqs, strict=True):
        spec = task.spec
        if is_fresh(task):
            fresh.append(fresh_row(task, seq, number(spec.lane)))
        else:
            others.append(task_row(task, seq, number(spec.lane)))
        if spec.labels or spec.batch is not None or spec.unique_key is not None or spec.order_key is not None:
            findable.append((seq, spec))
    tx.write_lanes()
    tasks.INSERT_FRESH.run(tx.connection, fresh)
    tasks.INSERT.run(tx.connection, others)
    _make_findable(tx, findable)
    tx.moved.update(int(task.state) for task in records)
    tx.depths.entered(records)
    tx.tell(partial(_tell, entries, records, seqs))
    return seqs


def _make_findable(tx: Transaction, specs: Sequence[tuple[int, Spec]]) -> None:
    """By batch, labels and keys; `specs` with the `seq` of each."""
    in_batch = [(seq, spec.batch) for seq, spec in specs if spec.batch is not None]
    labels = [(name, value, seq) for seq, spec in specs for name, value in dict(spec.labels).items()]
    keyed = [
        (seq, spec.unique_key, spec.order_key)
        for seq, spec in specs
        if spec.unique_key is not None or spec.order_key is not None
    ]
    searching.ADD_TO_BATCH.run(tx.connection, in_batch)
    searching.ADD_LABELS.run(tx.connection, labels)
    searching.ADD_KEYS.run(tx.connection, keyed)


def _tell(entries: Sequence[Entry], records: Sequence[Task], seqs: range) -> None:
    for entry, record, seq in zip(entries, records, seqs, strict=True):
        entry.task.seq = seq
        if record is not entry.task:
            record.seq = seq
            onto(record, entry.task)


def _take_keys(tx: Transaction, decision: Decision, seq_of: Mapping[bytes, int]) -> None:
    taken = [(key, seq_of[holder]) for key, holder in decision.taken.items()]
    held = [(key, seq_of[holder.task_id]) for key, holder in decision.holders.items()]
    in_line = [
        (seq_of[task.id], task.spec.order_key, int(task.id in decision.behind))
        for task in (entry.task for entry in decision.accepted)
        if task.spec.order_key is not None and task.id not in decision.stillborn
    ]
    until = tx.now + IDEMPOTENCY_TTL
    remembered = [(key, *answer, until) for key, answer in decision.remembered.items()]
    keys.FREE_UNIQUE.run(tx.connection, taken)
    keys.TAKE_UNIQUE.run(tx.connection, held)
    keys.ADD_ORDERED.run(tx.connection, in_line)
    keys.REMEMBER.run(tx.connection, remembered)


def _depend(tx: Transaction, decision: Decision, seq_of: Mapping[bytes, int]) -> None:
    anyway = {entry.task.id: int(entry.task.spec.run_anyway) for entry in decision.accepted}
    waits = [
        (seq_of[parent], seq_of[child], anyway[child])
        for child, parents in decision.parents.items()
        for parent in parents
    ]
    tx.waits += families.DEPEND.run(tx.connection, waits)


def _replace(tx: Transaction, decision: Decision) -> list[Receipt]:
    """The replaced tasks end, and what follows from that follows. Receipts and records say how it came out."""
    known = tasks.BY_ID.rows(tx.connection, _column(decision.replaced))
    replaced = sorted(map(tx.task_of, known), key=lambda task: task.seq)
    moves = [lifecycle.replace(task, decision.replaced[task.id], tx.now, tx.keep) for task in replaced]
    write_moves(tx, moves)
    for move, task in zip(moves, replaced, strict=True):
        move.onto(task)
    free_keys(tx, moves)
    unblocked = move_on(tx, moves)
    mine = {entry.task.id: entry.task for entry in decision.accepted}
    tx.tell(partial(_tell_anew, [task for task in [*replaced, *unblocked] if task.id in mine], mine))
    return receipts_of(decision, replaced, unblocked)


def _tell_anew(changed: Sequence[Task], mine: Mapping[bytes, Task]) -> None:
    for task in changed:
        onto(task, mine[task.id])


class _Shelf:
    """What the file holds of the ids and keys that these entries name."""

    def __init__(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        self._tx = tx
        self.seqs: dict[bytes, int] = {}
        """Of the holders and the parents that were asked for, by id."""
        self._bodies = _bodies(tx, entries)
        asked = {entry.idempotency_key for entry in entries}
        answers = keys.ANSWERS.rows(tx.connection, _column(asked))
        self._answers = {key: Answered(of, print_) for key, of, print_, until in answers if until > tx.now}
        unique = {entry.task.spec.unique_key for entry in entries}
        holders = keys.HOLDERS.rows(tx.connection, _column(unique))
        self._holders = {key: Holder(of, State(state) is State.RUNNING) for key, of, _, state in holders}
        self.seqs.update((task_id, seq) for _, task_id, seq, _ in holders)
        in_order = {entry.task.spec.order_key for entry in entries}
        self._ordered = {key for (key,) in keys.ORDERED.rows(tx.connection, _column(in_order))}
        self._standing: dict[bytes, State] = {}
        self._learn({parent for entry in entries for parent in entry.task.spec.after})
        self._lanes: dict[bytes, Lane] = {}
        if any(entry.bound is not None for entry in entries):
            self._learn_lanes()

    def _learn(self, ids: Iterable[bytes]) -> None:
        for seq, task_id, state in tasks.SEQS.rows(self._tx.connection, _column(ids)):
            self._standing[task_id] = State(state)
            self.seqs[task_id] = seq

    def _learn_lanes(self) -> None:
        """Of all tasks that were asked for."""
        answers = {answer.task_id for answer in self._answers.values()}
        ids = self.seqs.keys() | self._bodies.keys() | answers
        rows = tasks.LANES.rows(self._tx.connection, _column(ids))
        self._lanes = {task_id: self._tx.lane(number) for task_id, number in rows}

    def body(self, task_id: bytes) -> Body | None:
        return self._bodies.get(task_id)

    def answered(self, idempotency_key: str) -> Answered | None:
        return self._answers.get(idempotency_key)

    def holder(self, unique_key: str) -> Holder | None:
        return self._holders.get(unique_key)

    def ordered(self, order_key: str) -> bool:
        return order_key in self._ordered

    def standing(self, task_id: bytes) -> State | None:
        """A task that stands for a duplicate of this batch is looked up by itself."""
        if task_id not in self._standing:
            self._learn([task_id])
        return self._standing.get(task_id)

    def lane(self, task_id: bytes) -> Lane | None:
        return self._lanes.get(task_id)

    def depth(self, group: str | None) -> Depth | None:
        return self._tx.depths.of(group)


def _bodies(tx: Transaction, entries: Sequence[Entry]) -> dict[bytes, Body]:
    rows = tasks.BY_ID.rows(tx.connection, _column({entry.task.id for entry in entries}))
    return {task.id: Body(task.spec.lane.method, task.spec.params) for task in map(tx.task_of, rows)}


def _column(values: Iterable[str | bytes | None]) -> list[tuple[str | bytes]]:
    return [(value,) for value in values if value is not None]
