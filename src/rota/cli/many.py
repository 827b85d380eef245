"""Many tasks from a file: handed in by portions, so that the file may be of any length."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rota.cli import exits, human
from rota.cli.output import Output, error_value
from rota.cli.params import numbered_lines, open_lines, parse
from rota.cli.progress import Steps, steps
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.cli.wait import wait_for
from rota.config import ClientSettings
from rota.model.errors import InvalidInput, RotaError
from rota.telemetry.safe import one_line

if TYPE_CHECKING:
    from rota.client.sync import Client
    from rota.client.views import Receipt

_PORTION = 10_000


def submit_file(
    settings: ClientSettings,
    out: Output,
    method: str,
    path: Path,
    extras: dict[str, Any],
    *,
    wait: bool,
    wait_timeout: float | None,
) -> int:
    """One id a line on stdout, unless that is a terminal. A line that cannot be handed in is told with its number, and the others go on."""
    batch = _Batch(out, method, str(path), extras)
    with open_lines(path) as file, reach(settings) as client:
        with steps(out, "submitted", None) as bar:
            lines = numbered_lines(file)
            while portion := list(islice(lines, _PORTION)):
                batch.submit(client, portion, bar)
        batch.tell()
        if wait:
            return max(wait_for(client, batch.ids, out, wait_timeout), batch.code)
    return batch.code


class _Batch:
    def __init__(self, out: Output, method: str, name: str, extras: dict[str, Any]) -> None:
        self.ids: list[str] = []
        self._out, self._method, self._name, self._extras = out, method, name, extras
        self._refused = self._duplicates = 0
        self._warned: set[str] = set()

    @property
    def code(self) -> int:
        return exits.FAILURE if self._refused else exits.OK

    def submit(self, client: Client, portion: list[tuple[int, bytes]], bar: Steps) -> None:
        from rota.client.call import call

        made = [(number, call(self._method, value, **self._extras)) for number, value in self._values(portion)]
        receipts = client.submit_many([each for _, each in made])
        for (number, _), receipt in zip(made, receipts, strict=True):
            if receipt.refusal is not None:
                self._refuse(number, receipt.refusal)
                continue
            self.ids.append(receipt.id)
            self._duplicates += receipt.duplicate
            self._warn(receipt.warning)
            self._tell(number, receipt)
        bar.advance(len(portion))

    def _warn(self, code: str) -> None:
        """Each kind of warning once: it holds for all tasks of the file."""
        if code and code not in self._warned:
            self._warned.add(code)
            self._out.warn(warning_words(code, self._method))

    def _tell(self, number: int, receipt: Receipt) -> None:
        """A person at a terminal is shown the bar instead."""
        if self._out.json:
            self._out.value({"line": number, **value_of(receipt)})
        elif not self._out.interactive:
            self._out.line(receipt.id)

    def tell(self) -> None:
        words = f"{human.number(len(self.ids))} accepted"
        words += f", {human.number(self._duplicates)} of them were there before" if self._duplicates else ""
        words += f", {human.number(self._refused)} refused" if self._refused else ""
        words += "; send stdout to a file to keep their ids" if self._out.interactive and self.ids else ""
        self._out.note(words)

    def _values(self, portion: list[tuple[int, bytes]]) -> Iterator[tuple[int, Any]]:
        for number, line in portion:
            try:
                yield number, parse(line, f"{self._name}:{number}")
            except InvalidInput as error:
                self._refuse(number, error)

    def _refuse(self, number: int, error: RotaError) -> None:
        self._refused += 1
        if self._out.json:
            self._out.value({"line": number, "refusal": error_value(error)})
        else:
            self._out.note(f"{self._name}:{number}: {error.detail.removeprefix(f'{self._name}:{number}: ')}")


def warning_words(code: str, method: str) -> str:
    """What a receipt's warning means."""
    if code == "no_worker_for_method":
        return f"no worker that is connected offers {one_line(method)}; it waits until one comes"
    return code
