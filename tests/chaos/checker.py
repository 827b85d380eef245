"""Judges the history of a run by what was promised. Pure functions over what clients, handlers and the store say.

After the faults have stopped and everything had time to settle:

* lost: accepted, and not in the store. Must be none.
* stuck: in the store, and not ended. Must be none.
* unexpected: in the store, and never asked for. Must be none.
* doubled: one submit that made two tasks. Must be none.
* a succeeded task's result is what its own newest attempt returned, and no later attempt began.
* two attempts of one task overlap only where the store knows that the earlier lease was lost.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ask:
    """One submit as its client saw it: the key it used, and the id it was told (none: it never heard)."""

    key: str
    answered: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt as its handler saw it. `ended` is None for one that never came to its end."""

    task: str
    attempt: int
    began: float
    ended: float | None
    returned: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One task as the store has it at the end."""

    id: str
    key: str
    state: str
    attempt: int
    result: str | None
    lost_attempts: frozenset[int] = frozenset()
    """Past attempts that the store recorded as lost, given back or failed."""


@dataclass(slots=True)
class Verdict:
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    overlapping: list[str] = field(default_factory=list)
    recovered: int = 0
    """Never answered, and there all the same: allowed."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.stuck or self.unexpected or self.doubled or self.wrong or self.overlapping)


ENDED = {"succeeded", "failed", "cancelled", "expired"}


def judge(asks: Iterable[Ask], runs: Iterable[Run], rows: Iterable[Row]) -> Verdict:
    """The verdict on a whole run."""
    asks, rows = list(asks), list(rows)
    verdict = Verdict()
    _judge_asks(asks, rows, verdict)
    by_task: Mapping[str, list[Run]] = _runs_by_task(runs)
    for row in rows:
        if row.state not in ENDED:
            verdict.stuck.append(row.id)
        _judge_runs(row, by_task.get(row.id, []), verdict)
    return verdict


def _judge_asks(asks: list[Ask], rows: list[Row], verdict: Verdict) -> None:
    stored = {row.id for row in rows}
    asked = {ask.key for ask in asks}
    verdict.lost = [ask.answered for ask in asks if ask.answered is not None and ask.answered not in stored]
    verdict.unexpected = [row.id for row in rows if row.key not in asked]
    verdict.doubled = [key for key, count in Counter(row.key for row in rows).items() if count > 1]
    unanswered = {ask.key for ask in asks} - {ask.key for ask in asks if ask.answered is not None}
    verdict.recovered = sum(row.key in unanswered for row in rows)


def _runs_by_task(runs: Iterable[Run]) -> dict[str, list[Run]]:
    by_task: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_task[run.task].append(run)
    return by_task


def _judge_runs(row: Row, runs: list[Run], verdict: Verdict) -> None:
    runs = sorted(runs, key=lambda run: run.attempt)
    if row.state == "succeeded":
        own = [run for run in runs if run.attempt == row.attempt]
        if not own or own[-1].returned != row.result:
            verdict.wrong.append(f"{row.id}: kept {row.result!r}, attempt {row.attempt} returned {own}")
        if any(run.attempt > row.attempt for run in runs):
            verdict.wrong.append(f"{row.id}: an attempt began after the one that finished")
    if len({run.attempt for run in runs}) < len(runs):
        verdict.wrong.append(f"{row.id}: one attempt was run twice")
    for earlier, later in itertools.pairwise(runs):
        over = earlier.ended is None or earlier.ended > later.began
        if over and earlier.attempt not in row.lost_attempts and earlier.attempt + 1 == later.attempt:
            verdict.overlapping.append(f"{row.id}: {earlier.attempt} and {later.attempt}")
