"""What an operator's Prometheus gets from a node."""

import asyncio
import re
import time
import uuid
from pathlib import Path

from exposition import a_node, families, kinds

from rota.model.errors import Unavailable
from rota.model.method import Options
from rota.model.submission import Submission
from rota.model.task import State
from rota.telemetry.histogram import Histogram
from rota.telemetry.prometheus import Exporter, Reading
from rota.telemetry.requests import RequestCounts
from rota.telemetry.series import MOST


def a_task(method: str = "add", **options: object) -> Submission:
    return Submission(uuid.uuid4().bytes, method, b"[1, 2]", Options(**options))  # type: ignore[arg-type]


async def test_the_exposition_parses_and_tells_of_everything_operators_alert_on(tmp_path: Path) -> None:
    async with a_node(tmp_path) as node:
        node.metrics.requests.count("/api/v1/tasks", 201, 0.003)
        await node.parts.engine.submit([a_task(), a_task(group="mail")])
        found = families(await node.text())
    assert {name for name in found if name.startswith("rota_")} == {
        "rota_build_info",
        "rota_node_info",
        "rota_node_start_time_seconds",
        "rota_open_mode",
        "rota_tls_certificate_expiry_timestamp_seconds",
        "rota_tasks",
        "rota_tasks_unended",
        "rota_tasks_submitted",
        "rota_tasks_finished",
        "rota_tasks_failed",
        "rota_tasks_rescued",
        "rota_tasks_leased",
        "rota_task_wait_seconds",
        "rota_task_run_seconds",
        "rota_ready_oldest_seconds",
        "rota_overdue_seconds",
        "rota_leases_overdue",
        "rota_caretaker_success_timestamp_seconds",
        "rota_workers",
        "rota_workers_draining",
        "rota_slots",
        "rota_slots_busy",
        "rota_store_up",
        "rota_store_commit_seconds",
        "rota_clients",
        "rota_links",
        "rota_logins_failed",
        "rota_connections",
        "rota_connections_limit",
        "rota_connections_refused",
        "rota_event_loop_lag_seconds",
        "rota_http_requests",
        "rota_http_request_seconds",
    }


async def test_names_are_as_prometheus_asks_for_them(tmp_path: Path) -> None:
    """The rules of promtool's linter, as far as they concern names, types and help texts."""
    async with a_node(tmp_path) as node:
        node.metrics.requests.count("/livez", 200, 0.001)
        text = await node.text()
    bad_words = (
        "milli",
        "micro",
        "minutes",
        "hours",
        "_ms",
        "_us",
        "kilobytes",
        "megabytes",
        "percent",
        "counter",
        "gauge",
    )
    own = {name: kind for name, kind in kinds(text).items() if name.startswith("rota_")}
    samples = families(text)
    for name, (kind, about) in own.items():
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name), name
        assert not any(word in name for word in bad_words), name
        assert about.strip().endswith("."), f"{name} has no help"
        written = {sample.name for sample in samples[name]}
        if kind == "counter":
            assert written == {f"{name}_total"}, name
        else:
            assert not name.endswith(("_total", "_count", "_sum", "_bucket")), name
        if kind == "histogram":
            assert name.endswith("_seconds"), name
            assert written == {f"{name}_bucket", f"{name}_count", f"{name}_sum"}
        if name.endswith("_info"):
            assert {sample.value for sample in samples[name]} == {1.0}
        for sample in samples[name]:
            assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in sample.labels), sample


async def test_tasks_are_counted_by_state_and_since_the_start(tmp_path: Path) -> None:
    async with a_node(tmp_path) as node:
        await node.parts.engine.submit([a_task(), a_task(), a_task(delay=60_000_000)])
        assert await node.value("rota_tasks", state="ready") == 2
        assert await node.value("rota_tasks", state="scheduled") == 1
        assert await node.value("rota_tasks", state="failed") == 0
        assert await node.value("rota_tasks_submitted_total") == 3
        assert await node.value("rota_tasks_unended") == 3
        assert (await node.value("rota_store_commit_seconds_count") or 0) >= 1


async def test_busy_slots_and_failures_show(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_: object) -> None:
        begun.set()
        await go_on.wait()
        raise ValueError("no")

    async with a_node(tmp_path) as node:
        worker = node.worker(slots=3)
        worker.register_method("hold", hold)
        await worker.astart()
        one = a_task("hold")
        await node.parts.engine.submit([one])
        async with asyncio.timeout(5):
            await begun.wait()
        assert await node.value("rota_workers") == 1
        assert await node.value("rota_slots") == 3
        assert await node.value("rota_slots_busy") == 1
        assert await node.value("rota_tasks_leased") == 1
        go_on.set()
        async with asyncio.timeout(5):
            while (await node.parts.engine.get([one.id]))[one.id].state is not State.FAILED:
                await asyncio.sleep(0.01)
        assert await node.value("rota_tasks_failed_total") == 1
        assert await node.value("rota_slots_busy") == 0
        assert await node.value("rota_task_wait_seconds_count") == 1
        assert await node.value("rota_task_run_seconds_count") == 1
        assert 0 < (await node.value("rota_task_run_seconds_sum") or 0) < 5
        await worker.astop()


async def test_the_age_of_what_waits_is_told_by_group(tmp_path: Path) -> None:
    async with a_node(tmp_path) as node:
        await node.parts.engine.submit([a_task(group="mail", priority=9), a_task("other")])
        first = await node.value("rota_ready_oldest_seconds", group="mail")
        assert first is not None
        assert 0 <= first < 5, "priority is no waiting time"
        await asyncio.sleep(0.05)
        later = await node.value("rota_ready_oldest_seconds", group="mail")
        assert later is not None
        assert later >= first + 0.05
        assert await node.value("rota_ready_oldest_seconds", group="") is not None


async def test_groups_cannot_fill_the_memory_with_series(tmp_path: Path) -> None:
    async with a_node(tmp_path) as node:
        for start in range(0, MOST + 100, 100):
            await node.parts.engine.submit([a_task(group=f"g{start + n}") for n in range(100)])
        ages = families(await node.text())["rota_ready_oldest_seconds"]
    assert len(ages) == MOST + 1
    assert "other" in {sample.labels["group"] for sample in ages}


async def test_a_store_that_is_away_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with a_node(tmp_path) as node:

        async def away() -> None:
            raise Unavailable("gone", code="store_unavailable")

        node.parts.store.next_due = away  # type: ignore[method-assign]
        assert await node.value("rota_store_up") == 0
        assert await node.value("rota_tasks_submitted_total") == 0
        assert await node.value("rota_tasks", state="ready") is None


async def test_the_end_of_the_certificate_is_told_while_there_is_one(tmp_path: Path) -> None:
    async with a_node(tmp_path) as node:
        end = await node.value("rota_tls_certificate_expiry_timestamp_seconds") or 0
        assert 89 < (end - time.time()) / 86_400 < 91
        (tmp_path / "cert.pem").write_text("what is this")
        assert await node.value("rota_tls_certificate_expiry_timestamp_seconds") is None


async def test_a_store_that_hangs_does_not_hang_the_metrics(tmp_path: Path) -> None:
    async with a_node(tmp_path) as node:

        async def never() -> None:
            await asyncio.Event().wait()

        node.parts.store.next_due = never  # type: ignore[method-assign]
        async with asyncio.timeout(5):
            assert await node.value("rota_store_up") == 0


async def test_an_overdue_lease_shows(tmp_path: Path) -> None:
    taken = asyncio.Event()

    async def hold(_: object) -> None:
        taken.set()
        await asyncio.Event().wait()

    async with a_node(tmp_path) as node:
        assert await node.value("rota_leases_overdue") == 0
        worker = node.worker()
        worker.register_method("hold", hold)
        await worker.astart()
        await node.parts.engine.submit([a_task("hold")])
        async with asyncio.timeout(5):
            await taken.wait()
        now = node.parts.store.now()
        node.parts.store.now = lambda: now + 120_000_000  # type: ignore[method-assign]
        assert await node.value("rota_leases_overdue") == 1
        assert (await node.value("rota_overdue_seconds") or 0) > 60
        del node.parts.store.now
        await worker.astop(0)


def test_requests_are_counted_by_route_and_class_and_the_routes_are_bounded() -> None:
    counts = RequestCounts()
    for n in range(3 * MOST):
        counts.count(f"/made/up/{n}", 404, 0.001)
    counts.count("/made/up/0", 200, 0.3)
    text = Exporter().text(counts.readings())
    samples = families(text)["rota_http_requests"]
    assert len(samples) == MOST + 2
    assert sum(sample.value for sample in samples) == 3 * MOST + 1
    by = {(s.labels["route"], s.labels["status"]): s.value for s in samples}
    assert by["/made/up/0", "2xx"] == 1
    assert by["other", "4xx"] == 2 * MOST


def test_a_histogram_counts_what_is_not_above_its_bounds() -> None:
    counts = RequestCounts()
    for seconds in (0.001, 0.0011, 7.0, 99.0):
        counts.count("/x", 200, seconds)
    times = families(Exporter().text(counts.readings()))["rota_http_request_seconds"]
    below = {s.labels["le"]: s.value for s in times if s.name.endswith("_bucket")}
    assert (below["0.001"], below["0.0025"], below["10.0"], below["+Inf"]) == (1, 2, 3, 4)
    assert {s.name: s.value for s in times if not s.name.endswith("_bucket")} == {
        "rota_http_request_seconds_count": 4,
        "rota_http_request_seconds_sum": 106.0021,
    }


def test_a_stream_is_counted_and_not_timed() -> None:
    counts = RequestCounts()
    counts.count("/api/v1/events", 200, None)
    counted = families(Exporter().text(counts.readings()))
    assert [s.value for s in counted["rota_http_requests"]] == [1]
    assert "rota_http_request_seconds" not in counted


def test_one_of_a_sample_stands_for_its_share() -> None:
    seconds = Histogram((1.0, 2.0))
    seconds.add(0.5, 2.5)
    seconds.add(1.5, 2.5)
    assert len(seconds) == 5
    assert list(seconds.buckets()) == [("1.0", 2.5), ("2.0", 5.0), ("+Inf", 5.0)]


def test_hostile_label_values_stay_on_their_line() -> None:
    text = Exporter().text([Reading("rota_x", "X.", 1, (("group", 'a"\n\\} 1'),))])
    (sample,) = families(text)["rota_x"]
    assert sample.labels == {"group": 'a"\n\\} 1'}
