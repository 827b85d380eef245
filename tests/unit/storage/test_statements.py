"""What the statements promise as texts: they compile, they find their rows by an index, and few of them are prepared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from rota.storage.connecting import ddl
from rota.storage.schema import tasks as tasks_table
from rota.storage.statements import changes, families, history, keys, ledger, places, searching, tasks
from rota.storage.statements.sql import DIALECT, SMALL, Many, Packed, PackedMany, Statement

NOUNS = (changes, families, history, keys, ledger, places, searching, tasks)
SCANNING = {"DUE_COUNTS", "READY_COUNT", "GROUP_COUNTS", "NAMED_GROUP_COUNTS", "GROUP_DEPTH", "GROUP_DEPTHS"}
"""They count: two when a store opens, one for a person's view; each from an index."""


def texts() -> Iterator[tuple[str, str]]:
    for noun in NOUNS:
        for name, value in vars(noun).items():
            parts = (value.packed, value.plain) if isinstance(value, Packed | PackedMany) else (value,)
            for part in parts:
                if isinstance(part, Many):
                    yield name, part.text(4)
                elif isinstance(part, Statement):
                    yield name, part.text


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for element in ddl():
        connection.execute(str(element.compile(dialect=DIALECT)))
    yield connection
    connection.close()


@pytest.mark.parametrize(("name", "text"), list(texts()))
def test_no_statement_reads_all_tasks(connection: sqlite3.Connection, name: str, text: str) -> None:
    plan = connection.execute("EXPLAIN QUERY PLAN " + text, [None] * text.count("?")).fetchall()
    scans = [step for *_, step in plan if step.startswith("SCAN tasks")]
    assert not scans or name in SCANNING


def test_no_shared_statement_returns_what_it_writes() -> None:
    assert not [name for name, text in texts() if "RETURNING" in text]


def test_the_pages_come_from_an_index_in_their_order(connection: sqlite3.Connection) -> None:
    for page in (tasks.LINE, tasks.DUE, tasks.EXPIRING, tasks.PAST_TIME):
        text = page.plain.text
        plan = connection.execute("EXPLAIN QUERY PLAN " + text, [None] * text.count("?")).fetchall()
        assert not [step for *_, step in plan if "TEMP B-TREE" in step], text


def test_what_is_found_by_a_batch_or_a_label_comes_newest_first_from_an_index(connection: sqlite3.Connection) -> None:
    for page in (searching.FIND, searching.FIND_IN_BATCH, searching.FIND_LABELLED, searching.FIND_NAMED):
        text = page.plain.text
        plan = connection.execute("EXPLAIN QUERY PLAN " + text, [None] * text.count("?")).fetchall()
        assert not [step for *_, step in plan if "FOR ORDER BY" in step], (text, plan)
        assert not [step for *_, step in plan if step.startswith(("SCAN batches", "SCAN labels"))], (text, plan)


def test_a_batch_of_any_size_is_one_step_of_few_texts(connection: sqlite3.Connection) -> None:
    seen: set[str] = set()
    steps = 0

    def trace(text: str) -> None:
        nonlocal steps
        steps += 1

    connection.set_trace_callback(trace)
    for size in range(1, 513):
        rows = [(seq, 0, 1, 0, 0) for seq in range(size)]
        assert changes.CLAIM.run(connection, rows) == 0
        seen.update(text for text, _ in changes.CLAIM._steps(rows, ()))
    assert steps == 512
    assert len(seen) == 10


def test_padding_writes_no_row(connection: sqlite3.Connection) -> None:
    row = dict.fromkeys((column.name for column in tasks_table.c), 0) | {"state": 3, "due_at": None, "ended_at": None}
    rows = [tuple({**row, "seq": seq, "id": bytes([seq])}.values()) for seq in range(1, 6)]
    assert tasks.INSERT.run(connection, rows) == 5


@pytest.mark.parametrize("size", [0, SMALL // 2, SMALL * 2])
def test_a_packed_read_says_the_same_as_a_plain_one(connection: sqlite3.Connection, size: int) -> None:
    values = (2**62, 3, -1, None, None, 7, 5, b"\x00\xff" * (size // 2), 'late "\x00\u2028\n末')
    connection.execute("INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    assert [tuple(row) for row in history.ATTEMPTS.rows(connection, of_seq=2**62)] == [values]
