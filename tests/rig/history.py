"""Gathers the history of a run from the three who know it: the submitters, the handlers, the store."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from checker import ENDED, Ask, Row, Run

from rota import Client


def asks(file: Path) -> list[Ask]:
    return asked(json.loads(line) for line in file.read_text().splitlines())


def asked(entries: Iterable[dict]) -> list[Ask]:
    answered: dict[str, str | None] = {}
    for entry in entries:
        answered.setdefault(entry["key"], None)
        if entry["phase"] == "ok":
            answered[entry["key"]] = entry["id"]
    return [Ask(key, task) for key, task in answered.items()]


def runs(lines: Iterable[dict]) -> list[Run]:
    begun: dict[tuple[str, int, int], dict] = {}
    found: list[Run] = []
    ended: dict[tuple[str, int, int], dict] = {}
    for line in lines:
        ref = (line["task"], line["attempt"], line["pid"])
        (begun if line["event"] == "begin" else ended)[ref] = line
    for ref, begin in begun.items():
        end = ended.get(ref)
        found.append(Run(ref[0], ref[1], begin["at"], end and end["at"], end and end["returned"]))
    return found


def rows(client: Client) -> list[Row]:
    views = list(client.list(method="mark"))
    again = [view.id for view in views if view.attempt > 1]
    detailed = {}
    for start in range(0, len(again), 1_000):
        detailed.update(client.get_many(again[start : start + 1_000]))
    return [
        Row(
            view.id,
            dict(view.labels).get("key", ""),
            view.state,
            view.attempt,
            view.result,
            frozenset(range(1, view.attempt)) if view.id in detailed else frozenset(),
        )
        for view in views
    ]


def unended(found: Iterable[Row]) -> list[str]:
    return [row.id for row in found if row.state not in ENDED]
