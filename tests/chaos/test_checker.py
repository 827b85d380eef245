"""The judge itself is judged: each planted fault must be found, and a good history must pass."""

from dataclasses import replace

from checker import Ask, Row, Run, judge

ASKS = [Ask("k1", "t1"), Ask("k2", "t2"), Ask("k3", None)]
RUNS = [Run("t1", 1, 0.0, 1.0, "r1"), Run("t2", 1, 0.0, None, None), Run("t2", 2, 9.0, 10.0, "r2")]
ROWS = [Row("t1", "k1", "succeeded", 1, "r1"), Row("t2", "k2", "succeeded", 2, "r2", frozenset({1}))]


def test_a_good_history_is_clean() -> None:
    assert judge(ASKS, RUNS, ROWS).clean


def test_a_task_that_was_never_answered_may_be_there() -> None:
    verdict = judge(ASKS, [*RUNS, Run("t3", 1, 0, 1, "r3")], [*ROWS, Row("t3", "k3", "succeeded", 1, "r3")])
    assert verdict.clean
    assert verdict.recovered == 1


def test_a_lost_task_is_found() -> None:
    assert judge(ASKS, RUNS, ROWS[:1]).lost == ["t2"]


def test_a_stuck_task_is_found() -> None:
    assert judge(ASKS, RUNS, [ROWS[0], replace(ROWS[1], state="running")]).stuck == ["t2"]


def test_an_unexpected_task_is_found() -> None:
    assert judge(ASKS, RUNS, [*ROWS, Row("t9", "k9", "cancelled", 0, None)]).unexpected == ["t9"]


def test_a_doubled_task_is_found() -> None:
    twin = Row("t4", "k1", "cancelled", 0, None)
    assert judge(ASKS, RUNS, [*ROWS, twin]).doubled == ["k1"]


def test_a_result_that_the_finishing_attempt_did_not_return_is_found() -> None:
    assert judge(ASKS, RUNS, [replace(ROWS[0], result="r0"), ROWS[1]]).wrong


def test_a_run_after_the_finish_is_found() -> None:
    assert judge(ASKS, [*RUNS, Run("t1", 2, 2.0, 3.0, "r1")], ROWS).wrong


def test_an_attempt_that_ran_twice_is_found() -> None:
    assert judge(ASKS, [*RUNS, Run("t1", 1, 0.5, 0.7, "r1")], ROWS).wrong


def test_an_overlap_without_a_lost_lease_is_found() -> None:
    assert judge(ASKS, RUNS, [ROWS[0], replace(ROWS[1], lost_attempts=frozenset())]).overlapping
