"""Holds a result against the goals in floors.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report.arithmetic import Result, best_durable_peer, median, ratio, row_of

FILE = Path(__file__).parents[1] / "floors.toml"


@dataclass(frozen=True)
class Goal:
    name: str
    row: str
    figure: str
    floor: float
    target: float
    at_most: bool = False


@dataclass(frozen=True)
class Verdict:
    """`found` is None where the run has no such figure."""

    goal: Goal
    found: float | None

    @property
    def missed(self) -> bool:
        return self.found is not None and not self._reaches(self.goal.floor)

    @property
    def words(self) -> str:
        if self.found is None:
            return "not measured"
        if self._reaches(self.goal.target):
            return "target reached"
        return "FLOOR MISSED" if self.missed else "floor held"

    def _reaches(self, mark: float) -> bool:
        assert self.found is not None
        return self.found <= mark if self.goal.at_most else self.found >= mark


def goals(file: Path = FILE) -> list[Goal]:
    return [Goal(**each) for each in tomllib.loads(file.read_text("utf-8"))["goal"]]


def judged(result: Result, wanted: Iterable[Goal]) -> list[Verdict]:
    return [Verdict(goal, _found(result, goal)) for goal in wanted]


def _found(result: Result, goal: Goal) -> float | None:
    row = row_of(result, goal.row)
    if goal.figure != "times_best_durable":
        return median(row, goal.figure)
    best = best_durable_peer(result)
    times = ratio(row, best, "end_to_end_per_s") if row is not None and best is not None else None
    return times.median if times else None


def told(verdicts: Sequence[Verdict]) -> str:
    return "\n".join(
        f"{each.goal.name:34} {_number(each.found):>10}   floor {each.goal.floor:>8,g}   "
        f"target {each.goal.target:>8,g}   {each.words}"
        for each in verdicts
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
