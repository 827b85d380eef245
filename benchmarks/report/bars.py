"""The plot: end to end tasks per second of each row, as bars, with the ratio to the best durable peer. Plain SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.report.arithmetic import Result, best_durable_peer, median, ratio

WIDTH, ROW_HEIGHT, TOP, BOTTOM = 960, 26, 92, 52
LABELS_END, BARS_END = 330, 780
COLOURS = {
    ("rota", True): "#0f766e",
    ("rota", False): "#7cb9b3",
    ("peer", True): "#475569",
    ("peer", False): "#b6c0cd",
}
MEANINGS = {
    ("rota", True): "Rota, on disk before the answer",
    ("rota", False): "Rota, relaxed",
    ("peer", True): "peer, on disk before the answer",
    ("peer", False): "peer, less durable",
}


def svg(result: Result) -> str:
    rows = sorted(
        (row for row in result["rows"] if median(row, "end_to_end_per_s") is not None),
        key=lambda row: -(median(row, "end_to_end_per_s") or 0),
    )
    height = TOP + ROW_HEIGHT * len(rows) + BOTTOM
    parts = [
        _opened(height),
        "<title>End to end, tasks per second</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(24, 32, "End to end: tasks per second, result stored and checked", size=17, weight=600),
        *_legend(),
        *_bars(result, rows),
        _text(24, height - 20, _foot(result), colour="#64748b", size=12),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _opened(height: int) -> str:
    fonts = "system-ui, -apple-system, Segoe UI, DejaVu Sans, sans-serif"
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{fonts}" font-size="13">'


def _bars(result: Result, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    best = best_durable_peer(result)
    greatest = max((median(row, "end_to_end_per_s") or 0 for row in rows), default=0) or 1
    for number, row in enumerate(rows):
        found = median(row, "end_to_end_per_s") or 0
        length = max(1.0, found / greatest * (BARS_END - LABELS_END))
        top = TOP + number * ROW_HEIGHT
        base = top + ROW_HEIGHT * 0.65
        yield _text(LABELS_END - 10, base, row["label"], anchor="end", weight=600 if row["peer"] == "rota" else 400)
        yield (
            f'<rect x="{LABELS_END}" y="{top + 4}" width="{length:.1f}" height="{ROW_HEIGHT - 8}" rx="2" '
            f'fill="{COLOURS[_kind(row)]}"/>'
        )
        times = ratio(row, best, "end_to_end_per_s") if best is not None else None
        said = f"{found:,.0f}" + (f"   {_times(times.median)}" if times else "")
        yield _text(LABELS_END + length + 8, base, said, colour="#334155")


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:,.1f}×" if ratio >= 1 else f"{ratio:,.2f}×"


def _legend() -> Iterator[str]:
    left = 24
    for kind, words in MEANINGS.items():
        yield f'<rect x="{left}" y="54" width="12" height="12" rx="2" fill="{COLOURS[kind]}"/>'
        yield _text(left + 18, 65, words, colour="#334155", size=12)
        left += 18 + 7 * len(words) + 22


def _kind(row: Mapping[str, Any]) -> tuple[str, bool]:
    return ("rota" if row["peer"] == "rota" else "peer", bool(row["durable"]))


def _foot(result: Result) -> str:
    best, machine = best_durable_peer(result), result["machine"]
    against = f"× is against the best durable peer, {best['label']}. " if best is not None else ""
    return f"{against}{machine['cpu']}, {machine['cores']} cores, {result['settings']['slots']} slots, {result['started'][:10]}"


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, weight: int = 400, colour: str = "#0f172a"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}" xml:space="preserve">{escape(words)}</text>'
    )
