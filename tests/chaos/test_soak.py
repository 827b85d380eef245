"""The soak in little, with everything that the hour has (`make evidence`); and its judges, who must find what is planted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from soak import Chosen, in_words, soak
from soak_bounds import Sample, allowed_mb_per_hour, faults, growth, slope
from soak_history import Findings, Workers, judged

WORKERS = Workers(frozenset({2}), frozenset({"w2"}), {"w3": [100.0]})
FLAT = [Sample(5.0 * n, 60.0, 30, 5, n * 0.5, 16.0, 40.0, 10, 9_000, 3, 40.0) for n in range(720)]


@pytest.mark.timeout(240)
def test_a_short_soak_is_clean(tmp_path: Path) -> None:
    report = soak(tmp_path, Chosen(minutes=0.3, rate=200, kill_every=6, keep=120, sample_every=1))
    print(in_words(report))
    assert report.clean, in_words(report)
    assert report.figures["killed"] == 3
    assert report.findings.kept == report.findings.accepted >= 200 * 18 * 0.9
    assert report.findings.retried >= report.findings.kept * 0.08


# --- what grows


def test_a_flat_run_is_within_its_bounds() -> None:
    assert faults(FLAT, 60, 0) == []


@pytest.mark.parametrize(
    ("name", "by"), [("node_mb", 2 / 720), ("generator_mb", 2 / 720), ("descriptors", 12 / 720), ("wal_mb", 70 / 720)]
)
def test_what_grows_is_found(name: str, by: float) -> None:
    grown = [replace(sample, **{name: getattr(sample, name) + by * n}) for n, sample in enumerate(FLAT)]
    (fault,) = faults(grown, 60, 0)
    assert {"node_mb": "node's memory", "generator_mb": "generator's", "wal_mb": "log"}.get(name, name) in fault


def test_tasks_that_are_left_and_a_run_without_samples_are_found() -> None:
    assert faults(FLAT, 60, 3) == ["3 tasks had not ended when all had time to"]
    assert faults([], 60, 0)


def test_a_few_wild_samples_do_not_move_the_line() -> None:
    wild = [replace(sample, node_mb=600.0) if n % 50 == 7 else sample for n, sample in enumerate(FLAT)]
    assert growth(wild, "node_mb") == 0.0
    assert slope([(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]) == 1.0


def test_a_step_is_not_a_slope() -> None:
    """A burst that was met in the middle, then memory that wavers a little."""
    stepped = [replace(sample, node_mb=60.0 + 3.0 * (n > 470) + n % 3 / 10) for n, sample in enumerate(FLAT)]
    assert slope([(sample.at / 3600, sample.node_mb) for sample in stepped[240:]]) > 1.0
    assert faults(stepped, 60, 0) == []
    leaking = [replace(sample, node_mb=sample.node_mb + n / 480) for n, sample in enumerate(stepped)]
    assert faults(leaking, 60, 0)


def test_a_long_run_may_grow_by_a_megabyte_an_hour_and_a_short_one_has_caches_to_fill() -> None:
    assert allowed_mb_per_hour(60) == allowed_mb_per_hour(600) == 1.0
    assert allowed_mb_per_hour(30) < 3.0
    assert allowed_mb_per_hour(3) * (3 / 60) * (2 / 3) == pytest.approx(27.0, abs=0.5)


# --- what became of every task


def history_of(folder: Path, *, drop: str = "", **changed: object) -> Findings:
    """Task `a`: its first attempt was lost with worker 2, its second returned. `changed` and `drop` are the planted faults."""
    past = [{"attempt": 1, "worker": "w2", "reason": "lease_lost", "from": 0.0, "to": 9.0}]
    row = {"id": "a", "key": "k1", "method": "in_loop", "state": "succeeded", "attempt": 2, "failures": 0}
    row |= {"rescues": 1, "result": "r", "past": past} | changed
    asks = [{"key": "k1", "phase": "invoke"}, {"key": "k1", "phase": "ok", "id": "a"}]
    runs = [
        {"task": "a", "attempt": 1, "event": "begin", "at": 1.0, "pid": 2},
        {"task": "a", "attempt": 2, "event": "begin", "at": 10.0, "pid": 3},
        {"task": "a", "attempt": 2, "event": "end", "at": 11.0, "pid": 3, "returned": "r"},
    ]
    for name, lines in {"asks": asks, "runs": runs, "rows": [row]}.items():
        if name != drop:
            (folder / f"{name}-0000.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return judged(folder, WORKERS)


def test_a_task_of_a_killed_worker_may_be_rescued(tmp_path: Path) -> None:
    findings = history_of(tmp_path)
    assert findings.faults == []
    assert (findings.kept, findings.accepted, findings.rescued) == (1, 1, 1)


@pytest.mark.parametrize(
    ("kind", "planted"),
    [
        ("lost", {"drop": "rows"}),
        ("unexpected", {"drop": "asks"}),
        ("wrong", {"result": "of another attempt"}),
        ("stuck", {"state": "running"}),
        ("attempts", {"failures": 1}),
        ("attempts", {"rescues": 2}),
        ("unexplained", {"past": [{"attempt": 1, "worker": "w1", "reason": "lease_lost", "from": 0.0, "to": 9.0}]}),
        ("unexplained", {"past": [{"attempt": 1, "worker": "w3", "reason": "lease_lost", "from": 0.0, "to": 9.0}]}),
    ],
)
def test_planted_faults_are_found(tmp_path: Path, kind: str, planted: dict) -> None:
    assert history_of(tmp_path, **planted).count.get(kind) == 1


def test_a_rescue_from_a_starved_worker_is_explained_by_that_workers_log(tmp_path: Path) -> None:
    past = [{"attempt": 1, "worker": "w3", "reason": "lease_lost", "from": 90.0, "to": 110.0}]
    findings = history_of(tmp_path, past=past)
    assert findings.faults == []
    assert findings.by_starved_workers == 1


def test_an_attempt_of_a_living_worker_that_the_store_does_not_know_is_found(tmp_path: Path) -> None:
    findings = history_of(tmp_path, attempt=3, past=[], rescues=0)
    assert findings.count["attempts"] == 1, "attempt 1 was the killed worker's; attempt 2 was not"
