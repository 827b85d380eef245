import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from results import result

from benchmarks.report.bars import svg
from benchmarks.report.floors import Goal, goals, judged, told
from benchmarks.report.publishing import BEGIN, END, placed, write
from benchmarks.report.table import markdown
from benchmarks.rows import FIGURES, ROWS, chosen


def line_of(table: str, label: str) -> str:
    return next(line for line in table.splitlines() if label in line)


def test_the_table_has_each_rows_durability_spread_and_ratio() -> None:
    table = markdown(result(rota=[20_000.0, 22_000.0, 18_000.0], huey=[4_000.0] * 3, huey_always=[1_000.0] * 3))
    assert "20,000 (18,000–22,000) | 20.0" in line_of(table, "Rota, async")
    assert "lost with the store's process | 4,000 | 4.00" in line_of(table, "| Huey, Redis |")
    assert "fsync before the answer | 1,000 | 1.00" in line_of(table, "the best durable peer)")


def test_a_row_without_a_figure_says_why_in_its_place() -> None:
    table = markdown(result(rota=[20_000.0], huey_always=["the delivery was not exact: 2 ran | twice"]))
    assert "no figure: the delivery was not exact: 2 ran / twice" in line_of(table, "AOF always")


def test_rows_that_were_left_out_are_told_by_reason() -> None:
    run = result(rota=[20_000.0]) | {"skipped": {"saq": "there is no redis-server", "huey": "there is no redis-server"}}
    assert "Left out: saq, huey, because there is no redis-server." in markdown(run)


def test_every_line_of_a_table_has_as_many_cells_as_its_head() -> None:
    table = markdown(result(rota=[20_000.0], huey=[1.0], huey_always=["no"]))
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_the_plot_has_a_bar_for_each_row_as_long_as_its_figure() -> None:
    plot = ET.fromstring(svg(result(rota=[20_000.0], huey=[5_000.0], huey_always=["no figure"])))
    bars = [float(bar.get("width", "")) for bar in plot.iter() if bar.tag.endswith("rect")][-2:]
    assert bars[0] == pytest.approx(4 * bars[1])


@pytest.mark.parametrize(("found", "words"), [(9.0, "FLOOR MISSED"), (10.0, "floor held"), (20.0, "target reached")])
def test_a_goal_from_below(found: float, words: str) -> None:
    goal = Goal("end to end", "rota", "end_to_end_per_s", floor=10, target=20)
    [verdict] = judged(result(rota=[found]), [goal])
    assert (verdict.words, verdict.missed) == (words, found < 10)


@pytest.mark.parametrize(("found", "words"), [(30.0, "FLOOR MISSED"), (20.0, "floor held"), (10.0, "target reached")])
def test_a_goal_from_above(found: float, words: str) -> None:
    goal = Goal("round trip", "rota", "end_to_end_per_s", floor=20, target=10, at_most=True)
    [verdict] = judged(result(rota=[found]), [goal])
    assert (verdict.words, verdict.missed) == (words, found > 20)


def test_the_goal_beside_the_peers_counts_the_best_durable_one() -> None:
    goal = Goal("beside peers", "rota", "times_best_durable", floor=10, target=20)
    [verdict] = judged(result(rota=[12_000.0], huey=[6_000.0], huey_always=[1_000.0]), [goal])
    assert verdict.found == 12.0


def test_what_was_not_measured_is_said_and_not_missed() -> None:
    verdicts = judged(result(huey=[1.0]), goals())
    assert not any(verdict.missed for verdict in verdicts)
    assert told(verdicts).count("not measured") == len(goals())


def test_every_goal_is_of_a_row_that_exists() -> None:
    assert {goal.row for goal in goals()} <= {row.id for row in ROWS}


def test_a_result_is_put_between_the_marks_and_can_be_put_there_again() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = placed(page, r"new \1")
    assert once == f"before\n{BEGIN}\n\nnew \\1\n\n{END}\nafter\n"
    assert placed(once, r"new \1") == once


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for a result"):
        placed("a page", "a table")


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    run = result(rota=[20_000.0], huey_always=[1_000.0])
    paths = {path.suffix: path for path in write(run, "one", tmp_path)}
    assert markdown(json.loads(paths[".json"].read_text("utf-8"))) == paths[".md"].read_text("utf-8")


def test_rows_are_chosen_by_peer_or_by_name() -> None:
    assert [row.id for row in chosen(["saq", "rota-thread"])] == ["rota-thread", "saq", "saq-everysec", "saq-always"]
    assert chosen([]) == list(ROWS)


def test_an_unknown_row_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no row is called rouge; there are: rota, rota-thread"):
        chosen(["rouge"])


def test_each_row_has_a_name_and_figures_of_its_own() -> None:
    assert len({row.id for row in ROWS}) == len({row.label for row in ROWS}) == len(ROWS)
    assert all(row.figures and set(row.figures) <= set(FIGURES) for row in ROWS)
