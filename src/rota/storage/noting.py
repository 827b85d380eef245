"""The verbs that note what hangs on tasks, and the workers, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.task import AttemptRecord, Reason
from rota.model.worker import Facts
from rota.storage.rows import attempt_row, pack
from rota.storage.statements import history, places
from rota.storage.transaction import Transaction


def append_logs(tx: Transaction, lines: Sequence[tuple[int, LogLine]]) -> None:
    numbers = tx.next_lines(len(lines))
    rows = [
        (number, seq, line.attempt, line.at, line.level, line.text)
        for number, (seq, line) in zip(numbers, lines, strict=True)
    ]
    history.ADD_LINES.run(tx.connection, rows)


def set_progress(tx: Transaction, marks: Sequence[tuple[int, Progress]]) -> None:
    rows = [(seq, mark.attempt, mark.at, mark.share, mark.note) for seq, mark in marks]
    history.MARK.run(tx.connection, rows)


def note_late(tx: Transaction, seq: int, attempt: int, note: str) -> None:
    """An attempt that left no record, because nobody knew that it had started, gets one."""
    noted = history.NOTE_LATE.run(tx.connection, of_seq=seq, of_attempt=attempt, note=note)
    if noted or not tx.tasks([seq]):
        return
    unknown = AttemptRecord(seq, attempt, None, None, None, tx.now, Reason.LEASE_LOST)
    history.KEEP_ATTEMPT.run(tx.connection, [attempt_row(unknown)])
    history.NOTE_LATE.run(tx.connection, of_seq=seq, of_attempt=attempt, note=note)


def enlist(tx: Transaction, facts: Facts, methods: Sequence[Method], declares: bool) -> int:
    packed, offered = pack(facts), pack(tuple(methods))
    known = places.WORKER_BY_ID.rows(tx.connection, of_id=facts.id)
    if known:
        places.ENLIST_ANEW.run(
            tx.connection, of_number=known[0][0], facts=packed, methods=offered, seen_at=tx.now, gone_reason=""
        )
    else:
        places.ENLIST.run(
            tx.connection,
            id=facts.id,
            facts=packed,
            methods=offered,
            registered_at=tx.now,
            seen_at=tx.now,
            gone_reason="",
        )
    for method in methods if declares else ():
        places.DECLARE.run(tx.connection, name=method.name, version=method.version, declaration=pack(method))
    return int(places.WORKER_BY_ID.rows(tx.connection, of_id=facts.id)[0][0])


def retire(tx: Transaction, number: int, reason: str) -> None:
    places.RETIRE.run(tx.connection, of_number=number, now=tx.now, reason=reason)
