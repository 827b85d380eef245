"""Ids of tasks on the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

from cyclopts import Parameter

from rota.model.errors import Fault, InvalidInput
from rota.model.text import task_id_bytes, task_id_text

Id = Annotated[str, Parameter(name="ID", help="The id of a task.")]
Ids = Annotated[
    str,
    Parameter(
        name="ID", help="Ids of tasks; - reads them from stdin, the first word of each line.", allow_leading_hyphen=True
    ),
]


def read_ids(words: Sequence[str]) -> list[str]:
    """Each id once, in order, in its canonical form. Raises InvalidInput with every word that is none."""
    faults: list[Fault] = []
    found: dict[str, None] = {}
    for word in _words(words):
        try:
            found[task_id_text(task_id_bytes(word))] = None
        except InvalidInput as error:
            faults.extend(error.errors)
    if faults:
        raise InvalidInput.all_of(faults)
    if not found:
        raise InvalidInput.at("ID", "bad_arguments", "no id is given")
    return list(found)


def _words(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word != "-":
            yield word
        else:
            yield from (line.split()[0] for line in sys.stdin if line.strip())
