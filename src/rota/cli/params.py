"""Params as they are given on the command line or in a file: JSON, looked at before anything is sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rota.model.errors import InvalidInput

MAX_BYTES = 4 * 1024 * 1024
"""More does not fit into one frame of the link, whatever the node allows."""


def read_params(text: str | None) -> Any:
    """The value of JSON text; `-` reads stdin; None for nothing."""
    if text is None:
        return None
    if text == "-":
        return parse(sys.stdin.buffer.read(MAX_BYTES + 1), "stdin")
    return parse(text.encode("utf-8", "surrogateescape"), "PARAMS")


def parse(data: bytes, place: str) -> Any:
    """Raises InvalidInput that names the place, the line and the column."""
    from rota.client.payload import encode

    if len(data) > MAX_BYTES:
        raise InvalidInput.at(place, "payload_too_large", "more than 4 MiB cannot be sent; store the data elsewhere")
    try:
        value = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        words = str(error) if not isinstance(error, RecursionError) else "nested too deeply"
        raise InvalidInput.at(
            place, "invalid_json", f"this is no JSON ({words}); quote it for the shell, as in '{{\"a\": 1}}'"
        ) from None
    try:
        encode(value, place)  # what Python reads and JSON has not: half of a pair, a number beyond all numbers
    except TypeError as error:
        raise InvalidInput.at(place, "invalid_json", str(error)) from None
    return value


def open_lines(path: Path) -> BinaryIO:
    """A file with a value a line; `-` is stdin. Raises InvalidInput where it cannot be read."""
    if str(path) == "-":
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInput.at(str(path), "no_such_file", f"it cannot be read: {error.strerror}") from None


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers from 1, without blank ones. A line that is too long comes cut, and is then refused."""
    number = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        if line.strip():
            yield number, line
        while len(line) > MAX_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_BYTES + 1)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} has no form in JSON")
