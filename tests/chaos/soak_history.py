"""The history of a soak: gathered while it runs, since retention removes tasks meanwhile, and judged slice by slice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import history
from checker import Row, judge
from soak_handlers import slice_of

from rota import AsyncClient
from rota.client.views import TaskView

LAG = timedelta(seconds=10)
"""A task is first looked for so long after it came: most have ended by then."""
OVERLAP = timedelta(seconds=1)
BATCH = 1_000
MOST = 20
"""Faults of a kind that are spelt out; all are counted."""


class Harvest:
    """Reads each task once it has ended, from all that the node lists, and writes what the store says of it."""

    def __init__(self, client: AsyncClient, folder: Path, since: datetime) -> None:
        self._client, self._folder = client, folder
        self._until = since
        self._edge: set[str] = set()
        """Tasks of the last second of the window before: the next window sees them again."""
        self._unended: set[str] = set()
        self.behind = timedelta(0)
        """The longest that anything had to wait to be looked for. Retention must take longer."""

    async def gather(self, now: datetime, lag: timedelta = LAG) -> None:
        """What came before `now - lag` and has ended."""
        until = now - lag
        if until <= self._until:
            return
        self.behind = max(self.behind, now - self._until)
        ended: list[TaskView] = []
        edge: set[str] = set()
        async for view in self._client.list(created_after=self._until - OVERLAP, created_before=until):
            if view.created_at is not None and view.created_at >= until - OVERLAP:
                edge.add(view.id)
            if view.id in self._edge or view.id in self._unended:
                continue
            if view.ended:
                ended.append(view)
            else:
                self._unended.add(view.id)
        await self._write(ended)
        self._edge, self._until = edge, until
        await self._look_again()

    async def _look_again(self) -> None:
        for ids in _batches(sorted(self._unended)):
            views = await self._client.get_many(ids)
            ended = [view for view in views.values() if view.ended]
            await self._write(ended)
            self._unended.difference_update(view.id for view in ended)

    async def _write(self, ended: list[TaskView]) -> None:
        again = [view.id for view in ended if view.attempt > 1]
        detailed: dict[str, TaskView] = {}
        for ids in _batches(again):
            detailed.update(await self._client.get_many(ids, detail=True))
        for view in ended:
            kept = _kept(detailed.get(view.id, view))
            if view.attempt > 1 and view.id not in detailed:
                kept["unread"] = True
            with open(self._folder / f"rows-{_slice(kept['key']):04}.jsonl", "a") as out:
                out.write(json.dumps(kept) + "\n")


def _slice(key: str) -> int:
    return slice_of(key) if key else 9_999


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _kept(view: TaskView) -> dict[str, Any]:
    return {
        "id": view.id,
        "key": view.labels.get("key", ""),
        "method": view.method,
        "state": view.state,
        "attempt": view.attempt,
        "failures": view.failures,
        "rescues": view.rescues,
        "result": view.result,
        "past": [
            {
                "attempt": past.attempt,
                "worker": past.worker,
                "reason": past.reason,
                "from": past.claimed_at.timestamp() if past.claimed_at else None,
                "to": past.ended_at.timestamp() if past.ended_at else None,
            }
            for past in view.attempts
            if past.attempt < view.attempt
        ],
    }


@dataclass(slots=True)
class Findings:
    """What the whole history says. `faults` in words, at most `MOST` of them spelt out."""

    asked: int = 0
    accepted: int = 0
    duplicates: int = 0
    kept: int = 0
    retried: int = 0
    rescued: int = 0
    by_starved_workers: int = 0
    """Rescued from workers that nobody killed, whose own log tells that they lost the node for a while."""
    begun_and_given_back: int = 0
    recovered: int = 0
    count: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault(self, kind: str, words: Iterable[object]) -> None:
        for word in words:
            self.count[kind] = self.count.get(kind, 0) + 1
            if self.count[kind] <= MOST:
                self.faults.append(f"{kind}: {word}")


@dataclass(frozen=True, slots=True)
class Workers:
    """What became of the workers. Ids are the node's, `troubled` are the instants of lines in a worker's own log."""

    killed_pids: frozenset[int]
    killed_ids: frozenset[str]
    troubled: dict[str, list[float]]

    def starved(self, worker: str, since: float | None, until: float | None) -> bool:
        if since is None or until is None:
            return False
        return any(since - 5 <= at <= until + 30 for at in self.troubled.get(worker, ()))


def judged(folder: Path, workers: Workers) -> Findings:
    """Every slice by the checker, and the attempts of every task by what became of their workers."""
    findings = Findings()
    before: set[str] = set()
    names = {file.stem.split("-")[1] for file in folder.glob("*-[0-9][0-9][0-9][0-9].jsonl")}
    for name in sorted(names):
        before = _judge_slice(folder, name, workers, findings, before)
    return findings


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _judge_slice(folder: Path, name: str, workers: Workers, findings: Findings, before: set[str]) -> set[str]:
    told = _lines(folder / f"asks-{name}.jsonl")
    notes = _lines(folder / f"runs-{name}.jsonl")
    kept = _lines(folder / f"rows-{name}.jsonl")
    ids = {row["id"] for row in kept}
    duplicates = [entry for entry in told if entry["phase"] == "duplicate"]
    # The holder of a unique key may have come a little earlier, so it may be in the slice before.
    findings.fault("lost", [entry for entry in duplicates if entry["id"] not in ids and entry["id"] not in before])
    asks = history.asked(told)
    cut_off = _cut_off(notes, workers)
    rows = [
        Row(
            row["id"],
            row["key"],
            row["state"],
            row["attempt"],
            row["result"],
            frozenset(past["attempt"] for past in row["past"]) | cut_off.get(row["id"], frozenset()),
        )
        for row in kept
    ]
    verdict = judge(asks, history.runs(notes), rows)
    for kind in ("lost", "stuck", "unexpected", "doubled", "wrong", "overlapping"):
        findings.fault(kind, getattr(verdict, kind))
    findings.asked += len(asks)
    findings.accepted += sum(ask.answered is not None for ask in asks)
    findings.duplicates += len(duplicates)
    findings.kept += len(rows)
    findings.recovered += verdict.recovered
    begun: dict[str, dict[int, int]] = {}
    for line in notes:
        if line["event"] == "begin":
            begun.setdefault(line["task"], {})[line["attempt"]] = line["pid"]
    for row in kept:
        _judge_attempts(row, begun.get(row["id"], {}), workers, findings)
    return ids


def _cut_off(notes: list[dict[str, Any]], workers: Workers) -> dict[str, frozenset[int]]:
    """The attempts that a killed worker had begun."""
    found: dict[str, set[int]] = {}
    for line in notes:
        if line["pid"] in workers.killed_pids:
            found.setdefault(line["task"], set()).add(line["attempt"])
    return {task: frozenset(attempts) for task, attempts in found.items()}


def _judge_attempts(row: dict[str, Any], begun: dict[int, int], workers: Workers, findings: Findings) -> None:
    """Each attempt but the last is accounted for: it failed as it was meant to, or its worker was lost."""
    if row.get("unread"):
        findings.fault("unread", [f"{row['id']}: retention took it before its attempts were read"])
        return
    past = {each["attempt"]: each for each in row["past"]}
    reasons = Counter(each["reason"] for each in past.values())
    if row["state"] != "succeeded":
        findings.fault("not succeeded", [f"{row['id']} {row['method']}: {row['state']}"])
    meant = 1 if row["method"] == "falters" and begun.get(1) and past.get(1, {}).get("reason") == "raised" else 0
    if row["failures"] != meant or reasons["raised"] != meant:
        findings.fault("attempts", [f"{row['id']} {row['method']}: {row['failures']} failures, {past}"])
    if row["rescues"] != reasons["lease_lost"]:
        findings.fault("attempts", [f"{row['id']}: {row['rescues']} rescues, {past}"])
    findings.retried += row["failures"]
    findings.rescued += row["rescues"]
    for attempt, pid in begun.items():
        if attempt == row["attempt"] or attempt in past:
            continue
        if pid in workers.killed_pids:
            findings.begun_and_given_back += 1
        else:
            findings.fault(
                "attempts", [f"{row['id']}: attempt {attempt} began in {pid}, and the store knows nothing of it"]
            )
    for each in past.values():
        if each["reason"] == "raised" or each["worker"] in workers.killed_ids:
            continue
        if workers.starved(each["worker"], each["from"], each["to"]):
            findings.by_starved_workers += 1
        else:
            findings.fault("unexplained", [f"{row['id']}: {each}"])
