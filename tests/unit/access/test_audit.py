"""The audit log on its way to the store."""

import asyncio
import json
import logging
from collections.abc import Sequence

import pytest

from rota.access import audit as audit_module
from rota.access.audit import MOST_WAITING, AuditLog, Recorder
from rota.access.grant import Grant
from rota.access.refusals import MOST_CALLERS, MOST_REFUSALS, SECONDS_A_REFUSAL
from rota.contract.store import AuditQuery
from rota.life.clock import ManualClock
from rota.model.audit import AuditRecord
from rota.model.errors import Forbidden, Unavailable
from rota.storage.memory import MemoryStore
from rota.telemetry import request_id

GRANT = Grant(frozenset({"operator"}), kid="k1", name="ops")


class MoodyStore(MemoryStore):
    """Away while `away` is set; counts its writes."""

    away = False
    writes = 0

    async def audit(self, lines: Sequence[AuditRecord]) -> None:
        if self.away:
            raise Unavailable("the disk is gone", code="store_unavailable")
        self.writes += 1
        await super().audit(lines)


@pytest.fixture
async def store() -> MoodyStore:
    made = MoodyStore()
    await made.open()
    return made


async def test_lines_say_who_did_what_from_where_and_go_together(store: MoodyStore) -> None:
    log = AuditLog(store)
    record = Recorder(log, "http", "10.1.2.3")
    began = request_id.begin("req-7")
    record.done("group.pause", "mail", GRANT, before={"paused": False}, after={"paused": True})
    record.refused("token.create", "ci", GRANT, Forbidden("no"))
    request_id.end(began)
    refused, done = await log.read(AuditQuery(), None, 10)
    assert store.writes == 1
    assert (done.who, done.kid, done.source, done.door, done.action, done.object, done.outcome, done.request_id) == (
        "ops",
        "k1",
        "10.1.2.3",
        "http",
        "group.pause",
        "mail",
        "ok",
        "req-7",
    )
    assert json.loads(done.before) == {"paused": False}
    assert json.loads(done.after) == {"paused": True}
    assert (refused.action, refused.outcome, refused.after) == ("token.create", "forbidden", "")


async def test_what_is_too_long_is_cut_and_stays_json(store: MoodyStore) -> None:
    log = AuditLog(store)
    Recorder(log, "http").done("x.y", "o" * 10_000, GRANT, after={"ids": ["x" * 5_000]})
    (line,) = await log.read(AuditQuery(), None, 10)
    assert len(line.object) == 2_000
    assert len(line.after) < 2_500
    json.loads(line.after)


async def test_lines_wait_in_order_while_the_store_is_away(
    store: MoodyStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit_module, "AFTER_A_FAULT", 0.01)
    log, store.away = AuditLog(store), True
    record = Recorder(log, "http")
    record.done("a.one", "", GRANT)
    await log.write_through()
    record.done("a.two", "", GRANT)
    assert "cannot be written" in caplog.text
    store.away = False
    while len(await store.audit_log(AuditQuery(), None, 10)) < 2:
        await asyncio.sleep(0.01)
    assert [line.action for line in await store.audit_log(AuditQuery(), None, 10)] == ["a.two", "a.one"]


async def test_what_waits_is_bounded_and_what_was_lost_is_told(
    store: MoodyStore, caplog: pytest.LogCaptureFixture
) -> None:
    log, store.away = AuditLog(store), True
    record = Recorder(log, "http")
    for number in range(MOST_WAITING + 5):
        record.done("a.b", str(number), GRANT)
    store.away = False
    with caplog.at_level(logging.ERROR):
        lines = await log.read(AuditQuery(), None, MOST_WAITING * 2)
    assert len(lines) == MOST_WAITING
    assert lines[-1].object == "5"
    assert "5 lines of the audit log were lost" in caplog.text


async def test_a_line_that_must_be_there_is_waited_for_and_fails_closed(store: MoodyStore) -> None:
    log = AuditLog(store)
    line = Recorder(log, "http").line("token.create", "k2", GRANT, "ok")
    store.away = True
    with pytest.raises(Unavailable) as error:
        await log.through(line)
    assert error.value.code == "not_audited"


async def test_who_is_refused_over_and_over_does_not_wash_the_log_out(
    store: MoodyStore, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    log = AuditLog(store, clock)
    nosy, other = Recorder(log, "http", "10.0.0.1"), Recorder(log, "http", "10.0.0.2")
    other.done("token.create", "ci", GRANT)
    viewer = Grant(frozenset({"viewer"}), kid="k9", name="nosy")
    for number in range(MOST_REFUSALS * 3):
        nosy.refused("token.create", str(number), viewer, Forbidden("no"))
    other.refused("token.create", "another's", GRANT, Forbidden("no"))
    nosy.done("task.cancel", "its own", viewer)
    lines = await log.read(AuditQuery(), None, MOST_REFUSALS * 4)
    assert [line.object for line in lines if line.who == "ops"] == ["another's", "ci"], "others are not concerned"
    assert sum(line.outcome == "forbidden" for line in lines if line.who == "nosy") == MOST_REFUSALS
    assert lines[0].object == "its own", "what is done is always written"
    assert len([r for r in caplog.records if "nosy" in r.getMessage()]) == 1, "the node's log says so, once"
    clock.advance(SECONDS_A_REFUSAL)
    nosy.refused("token.create", "again", viewer, Forbidden("no"))
    (line,) = await log.read(AuditQuery(), None, 1)
    assert (line.object, json.loads(line.after)) == ("again", {"not_written": MOST_REFUSALS * 2})


async def test_of_how_many_refused_callers_is_kept_in_mind_is_bounded(store: MoodyStore) -> None:
    log = AuditLog(store)
    for number in range(MOST_CALLERS + 100):
        Recorder(log, "http", f"10.0.{number // 256}.{number % 256}").refused("x.y", "", GRANT, Forbidden("no"))
    assert len(log._refusals) == MOST_CALLERS
