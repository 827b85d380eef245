from results import result

from benchmarks.report.arithmetic import best_durable_peer, figures, median, ratio, row_of, spread


def test_a_spread_is_the_median_between_the_least_and_the_greatest() -> None:
    found = spread([30.0, 10.0, 20.0])
    assert (found.median, found.least, found.greatest) == (20.0, 10.0, 30.0)


def test_a_figure_that_one_repetition_lacks_is_none() -> None:
    found = figures([{"a": 1.0, "b": 5.0}, {"a": 3.0}])
    assert set(found) == {"a"}
    assert found["a"].median == 2.0


def test_the_best_durable_peer_is_the_fastest_of_those_that_sync_first() -> None:
    run = result(rota=[20_000.0], huey=[4_000.0], huey_everysec=[3_000.0], huey_always=[900.0], saq_always=[1_100.0])
    best = best_durable_peer(run)
    assert best is not None
    assert best["id"] == "saq-always"


def test_without_a_durable_peer_there_is_no_best_one() -> None:
    assert best_durable_peer(result(rota=[20_000.0], huey=[4_000.0])) is None


def test_a_failed_repetition_takes_the_figure_from_its_row() -> None:
    run = result(huey_always=[5_000.0, "the delivery was not exact", 5_000.0], saq_always=[1_000.0, 1_000.0, 1_000.0])
    assert median(row_of(run, "huey-always"), "end_to_end_per_s") is None
    assert best_durable_peer(run) == row_of(run, "saq-always")


def test_a_ratio_is_of_medians_and_its_ends_are_of_single_repetitions() -> None:
    run = result(rota=[20_000.0, 10_000.0, 30_000.0], saq_always=[1_000.0, 1_000.0, 2_000.0])
    rota, saq = row_of(run, "rota"), row_of(run, "saq-always")
    assert rota is not None
    assert saq is not None
    found = ratio(rota, saq, "end_to_end_per_s")
    assert found is not None
    assert (found.median, found.least, found.greatest) == (20.0, 10.0, 20.0)


def test_no_ratio_to_a_row_without_a_figure() -> None:
    run = result(rota=[20_000.0], saq_always=["a worker ended"])
    rota, saq = run["rows"]
    assert ratio(rota, saq, "end_to_end_per_s") is None
