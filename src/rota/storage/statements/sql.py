"""How a statement said in SQLAlchemy Core becomes text that SQLite runs.

Python's sqlite3 lets go of the GIL at every step and every row. Beside a busy event loop each time costs up to a switch
interval (5 ms), so 500 rows by `executemany`, or 500 rows fetched one by one, can take seconds. Hence two shapes:

* `Many` writes (or looks up) many rows in one step: a list of VALUES, padded to a power of two so that few texts are
  prepared;
* `Packed` reads many rows in one step: they come as one JSON array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from itertools import chain
from sqlite3 import Connection
from typing import Any

import msgspec
from sqlalchemy import ClauseElement, Column, ColumnClause, LargeBinary, Select, case, func, literal_column, select
from sqlalchemy import column as sql_column
from sqlalchemy import values as sql_values
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.selectable import CTE

LARGEST = 512
"""Rows of one step. More are taken in several."""
SMALL = 8_192
"""Bytes of binary columns up to which a row is packed; larger ones are read row by row."""

Rows = Select[*tuple[Any, ...]]
DIALECT = sqlite.dialect(paramstyle="qmark")


class Statement:
    """A statement with named parameters, as text with positional ones. Compiled when first used, then kept."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause

    @cached_property
    def text(self) -> str:
        return str(self._compiled)

    @cached_property
    def _compiled(self) -> Any:
        return self._clause.compile(dialect=DIALECT)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._compiled.positiontup or ())

    @cached_property
    def _fixed(self) -> dict[str, object]:
        return {name: value for name, value in self._compiled.params.items() if value is not None}

    def args(self, **given: object) -> tuple[object, ...]:
        """The parameters in the order of the text. A KeyError names one that is missing."""
        known = self._fixed | given
        return tuple([known[name] for name in self._names])

    def rows(self, connection: Connection, **given: object) -> list[Any]:
        return connection.execute(self.text, self.args(**given)).fetchall()

    def run(self, connection: Connection, **given: object) -> int:
        """Runs a write; answers how many rows it changed."""
        before = connection.total_changes
        connection.execute(self.text, self.args(**given))
        return connection.total_changes - before


def given_rows(*columns: ColumnClause[Any] | Column[Any]) -> CTE:
    """The rows that a `Many` is given, named `given`, with these columns in this order."""
    sample = tuple(b"" if _is_binary(column) else 0 for column in columns)
    named = [sql_column(column.name, column.type) for column in columns]
    return sql_values(*named, name="given").data([sample]).cte("given")


class Many:
    """A statement over `given_rows`. The first of the given columns must exclude the rows of NULLs that pad it."""

    def __init__(self, clause: ClauseElement, width: int) -> None:
        self._clause, self._width = clause, width
        self._place = "(" + ", ".join("?" * width) + ")"
        self.text = cache(self._text)

    @cached_property
    def _parts(self) -> tuple[str, str]:
        """The text before and after the list of VALUES."""
        text = str(self._clause.compile(dialect=DIALECT))
        head, found, tail = text.partition(f"(VALUES {self._place})")
        if not found:
            raise ValueError(f"the statement has no VALUES of {self._width} columns: {text}")
        return head, tail

    def _text(self, size: int) -> str:
        """For so many rows."""
        head, tail = self._parts
        return f"{head}(VALUES {', '.join([self._place] * size)}){tail}"

    def run(self, connection: Connection, rows: Sequence[Sequence[object]], *more: object) -> int:
        """Writes; answers how many rows were changed. `more` are the parameters after the rows."""
        before = connection.total_changes
        for text, parameters in self._steps(rows, more):
            connection.execute(text, parameters)
        return connection.total_changes - before

    def rows(self, connection: Connection, rows: Sequence[Sequence[object]], *more: object) -> list[Any]:
        steps = self._steps(rows, more)
        return [row for text, parameters in steps for row in connection.execute(text, parameters).fetchall()]

    def _steps(self, rows: Sequence[Sequence[object]], more: tuple[object, ...]) -> Iterable[tuple[str, list[object]]]:
        for start in range(0, len(rows), LARGEST):
            part = rows[start : start + LARGEST]
            size = 1 << (len(part) - 1).bit_length()
            parameters = list(chain.from_iterable(part))
            parameters.extend([None] * ((size - len(part)) * self._width))
            parameters.extend(more)
            yield self.text(size), parameters


class Packed:
    """A select whose rows come in one step; bytes, numbers and text as a plain select gives them."""

    def __init__(self, plain: Rows) -> None:
        self._binary = _binary_places(plain)
        self.packed, self.plain = Statement(_packed(plain)), Statement(plain)

    def rows(self, connection: Connection, **given: object) -> list[Sequence[Any]]:
        rows = _unpacked(self.packed.rows(connection, **given), self._binary)
        return self.plain.rows(connection, **given) if rows is None else rows


class PackedMany:
    """A `Packed` over `given_rows` of so many columns."""

    def __init__(self, plain: Rows, width: int) -> None:
        self._binary = _binary_places(plain)
        self.packed, self.plain = Many(_packed(plain), width), Many(plain, width)

    def rows(self, connection: Connection, given: Sequence[Sequence[object]]) -> list[Sequence[Any]]:
        rows = _unpacked(self.packed.rows(connection, given), self._binary)
        return self.plain.rows(connection, given) if rows is None else rows


def _binary_places(plain: Rows) -> list[int]:
    return [place for place, column in enumerate(plain.selected_columns) if _is_binary(column)]


def _unpacked(answers: list[tuple[str]], binary: list[int]) -> list[Sequence[Any]] | None:
    """The rows of all answers; None where one row was too large to be packed."""
    rows: list[Any] = [row for (text,) in answers for row in _ROWS.decode(text)]
    if None in rows:
        return None
    for row in rows:
        for place in binary:
            if row[place] is not None:
                row[place] = bytes.fromhex(row[place])
    return rows


_ROWS = msgspec.json.Decoder(list[list[Any] | None])


def _packed(plain: Rows) -> Rows:
    """The same rows as one JSON array of arrays, bytes in hex; null stands for a row that is not small."""
    rows = plain.subquery("plain")
    zero = literal_column("0")
    size = sum((func.coalesce(func.length(column), zero) for column in rows.c if _is_binary(column)), zero)
    array = func.json_array(*(_in_json(column) for column in rows.c))
    return select(func.json_group_array(case((size <= literal_column(str(SMALL)), array)))).select_from(rows)


def _in_json(column: Any) -> Any:
    return case((column.is_not(None), func.hex(column))) if _is_binary(column) else column


def _is_binary(column: Any) -> bool:
    return isinstance(column.type, LargeBinary)
