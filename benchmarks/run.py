"""Runs Rota and its peers on the same work, interleaved, and prints one table with ratios. docs/benchmarks.md has the method.

    python benchmarks/run.py [--quick] [--only rota,huey] [--figures p1,p4] [--repetitions 3] [--slots 8]
                             [--json] [--check] [--publish NAME] [--from FILE]

What it needs is set up by itself under .bench/, but for redis-server, which it looks for on the PATH. The result goes to
benchmarks/results/ as JSON, Markdown and SVG. Exit codes: 0 well, 1 a floor is missed (--check) or a row has no figures,
2 bad arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.measure.environments import PLACE, SetupFailed, prepare
from benchmarks.measure.machine import portrait, warnings
from benchmarks.measure.session import interleaved
from benchmarks.measure.stores import redis_server
from benchmarks.report.floors import goals, judged, told
from benchmarks.report.publishing import publish, write
from benchmarks.report.result import assembled
from benchmarks.report.table import markdown
from benchmarks.rows import FIGURES, RedisStore, Row, chosen

SLOTS, REPETITIONS = 8, 3
NO_REDIS = "there is no redis-server on the PATH (Debian, Ubuntu: apt install redis-server; macOS: brew install redis)"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        result = json.loads(options.source.read_text("utf-8")) if options.source else _measured(options)
    except (SetupFailed, ValueError) as error:
        _tell(f"benchmarks: {error}")
        return 2
    except KeyboardInterrupt:
        _tell("stopped; nothing is left running")
        return 130
    _keep(result, options)
    print(json.dumps(result, ensure_ascii=False) if options.json else markdown(result))
    return _verdict(result, options.check)


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    rows = [row.quick() if options.quick else row for row in chosen(_names(options.only))]
    rows = [each for row in rows if (each := row.only(_names(options.figures) or FIGURES)).figures]
    skipped = {row.id: NO_REDIS for row in rows if isinstance(row.store, RedisStore) and not redis_server()}
    if skipped:
        _tell(f"WARNING: {NO_REDIS}.\nWARNING: these rows are left out: {', '.join(skipped)}")
    rows = [row for row in rows if row.id not in skipped]
    if not rows:
        raise ValueError("no row is left to run")
    repetitions = options.repetitions or (1 if options.quick else REPETITIONS)
    prepare([row.peer for row in rows], _tell)
    return _run(rows, repetitions, options, skipped)


def _run(rows: Sequence[Row], repetitions: int, options: argparse.Namespace, skipped: dict[str, str]) -> dict[str, Any]:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=PLACE) as found:
        place = Path(found)
        machine = portrait(place)
        for warning in warnings(machine):
            _tell(f"WARNING: {warning}")
        trials = interleaved(rows, repetitions, options.slots, place, _tell)
    settings = {"slots": options.slots, "repetitions": repetitions, "quick": options.quick}
    return assembled(started, machine, settings, rows, trials, skipped)


def _keep(result: dict[str, Any], options: argparse.Namespace) -> None:
    if not options.source:
        name = result["started"][:19].replace(":", "").replace("-", "")
        _tell("written: " + ", ".join(str(path) for path in write(result, name)))
    if options.publish:
        _tell("published: " + ", ".join(str(path) for path in publish(result, options.publish)))


def _verdict(result: dict[str, Any], check: bool) -> int:
    """Rows without figures are loud in any case; floors count with `check`."""
    failed = [row["id"] for row in result["rows"] if row["failure"]]
    for row in failed:
        _tell(f"{row} has no figures")
    verdicts = judged(result, goals())
    if check:
        _tell(told(verdicts))
    return 1 if failed or (check and any(each.missed for each in verdicts)) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few tasks, one repetition: about three minutes")
    parser.add_argument("--only", default="", metavar="NAMES", help="rows or peers, with commas")
    parser.add_argument("--figures", default="", type=_figures, metavar="NAMES", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--repetitions", type=int, metavar="N")
    parser.add_argument("--slots", type=int, default=SLOTS, metavar="N", help="tasks at a time in every worker")
    parser.add_argument("--json", action="store_true", help="print the whole result as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor of floors.toml is missed")
    parser.add_argument("--publish", metavar="NAME", help="put the result into docs/benchmarks.md too")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="a result of before; nothing is run")
    return parser


def _figures(text: str) -> str:
    unknown = set(_names(text)) - set(FIGURES)
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: there are {', '.join(FIGURES)}")
    return text


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
