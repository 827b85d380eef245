"""The result as Markdown: what it was measured on, and two tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.report.arithmetic import Result, best_durable_peer, median, ratio

Row = Mapping[str, Any]
THROUGHPUT = "| | an accepted task is | end to end, tasks/s | × best durable peer | CPU µs a task | bulk submit/s | one by one/s | 64 in flight/s |"
LATENCY = (
    "| | round trip p50 / p99 ms | cold start s | worker MB | store MB | store ready s | idle CPU %, worker / store |"
)
SPEEDS = ("end_to_end_per_s", "bulk_per_s", "serial_per_s")
LATENCIES = ("round_trip_p50_ms", "worker_rss_mb")
NONE = "–"


def markdown(result: Result) -> str:
    parts = [
        _surroundings(result),
        _table(THROUGHPUT, (_throughput(result, row) for row in result["rows"] if _has(row, SPEEDS))),
        _table(LATENCY, (_latency(row) for row in result["rows"] if _has(row, LATENCIES))),
        *_remarks(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: str, rows: Iterable[str]) -> str:
    lines = list(rows)
    columns = head.count("|") - 1
    return "\n".join([head, "| --- |" + " ---: |" * (columns - 1), *lines]) if lines else ""


def _throughput(result: Result, row: Row) -> str:
    best = best_durable_peer(result)
    times = ratio(row, best, "end_to_end_per_s") if best is not None else None
    cells = [
        _name(row, best),
        row["durability"],
        _with_spread(row, "end_to_end_per_s"),
        f"{times.median:,.{_places(times.median)}f}" if times else NONE,
        *(_number(median(row, name)) for name in ("cpu_us_per_task", "bulk_per_s", "serial_per_s", "in_flight_per_s")),
    ]
    if row["failure"]:
        cells[2:] = [f"no figure: {_one_line(row['failure'])}", *[NONE] * 5]
    return _line(cells)


def _latency(row: Row) -> str:
    return _line(
        [
            row["label"],
            _pair(row, "round_trip_p50_ms", "round_trip_p99_ms"),
            *(
                _number(median(row, name))
                for name in ("cold_start_s", "worker_rss_mb", "store_rss_mb", "store_ready_s")
            ),
            _pair(row, "worker_idle_percent", "store_idle_percent"),
        ]
    )


def _has(row: Row, figures: Sequence[str]) -> bool:
    """A row that failed stands in the first table, to say so."""
    return any(name in row["figures"] for name in figures) or (bool(row["failure"]) and figures is SPEEDS)


def _name(row: Row, best: Row | None) -> str:
    if best is not None and row["id"] == best["id"]:
        return f"{row['label']} (the best durable peer)"
    return f"**{row['label']}**" if row["peer"] == "rota" else row["label"]


def _with_spread(row: Row, figure: str) -> str:
    found = row["figures"].get(figure)
    if not found:
        return NONE
    if found["least"] == found["greatest"]:
        return _number(found["median"])
    return f"{_number(found['median'])} ({_number(found['least'])}–{_number(found['greatest'])})"


def _pair(row: Row, one: str, other: str) -> str:
    first, second = median(row, one), median(row, other)
    return NONE if first is None and second is None else f"{_number(first)} / {_number(second)}"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:,.{_places(value)}f}"


def _places(value: float) -> int:
    """Decimals for two or three digits that mean something."""
    if abs(value) >= 100:
        return 0
    return 1 if abs(value) >= 10 else 2


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:200]


def _surroundings(result: Result) -> str:
    machine, settings = result["machine"], result["settings"]
    return (
        f"{result['started'][:16].replace('T', ' ')} UTC, Rota at git {machine['git'] or 'unknown'}. {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['kernel']}, Python {machine['python']}, SQLite {machine['sqlite']}, "
        f"redis-server {machine['redis_server'] or 'not there'}. fdatasync of 4 KiB on {machine['file_system'] or 'the disk'}: "
        f"p50 {machine['fdatasync_p50_ms']:.2f} ms, p99 {machine['fdatasync_p99_ms']:.2f} ms. Load before the run: {machine['load']:.1f}. {settings['slots']} slots or threads "
        f"in every worker, {settings['repetitions']} {'repetition' if settings['repetitions'] == 1 else 'repetitions, interleaved'}: "
        f"medians, and in brackets the least and the greatest.{_quick(settings)}"
    )


def _quick(settings: Mapping[str, Any]) -> str:
    return " A quick run, with few tasks: good for a look, not for a comparison." if settings["quick"] else ""


def _remarks(result: Result) -> list[str]:
    richest = {row["peer"]: row for row in sorted(result["rows"], key=lambda row: len(row["versions"]))}
    told = "; ".join(_versions(row) for row in richest.values() if row["versions"])
    reasons = dict.fromkeys(result["skipped"].values())
    left_out = {why: [row for row, its in result["skipped"].items() if its == why] for why in reasons}
    return [
        f"Versions: {told}." if told else "",
        *(f"Left out: {', '.join(rows)}, because {why}." for why, rows in left_out.items()),
    ]


def _versions(row: Row) -> str:
    """The peer's own, and what it stands on."""
    own, *others = [f"{name} {number}" for name, number in row["versions"].items()]
    return f"{own} with {', '.join(others)}" if others else own
