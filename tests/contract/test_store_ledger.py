"""What is kept for the whole node: controls, tokens, the audit log, the points of the series."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest
from desk import Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rota.contract.store import AuditQuery
from rota.model.audit import AuditRecord
from rota.model.control import Control, Rate, Scope
from rota.model.errors import Conflict
from rota.model.series import Point
from rota.model.token import TokenRecord

# --- controls

NODE = Control(Scope.NODE, "", concurrency=5, changed_at=1, changed_by="ann")
PAUSED = Control(Scope.GROUP, "图像", paused=True, note="new disks", changed_at=2)
LIMITED = Control(Scope.METHOD, "add", rate=Rate(10, 1_000_000), key_rate=Rate(1, 60_000_000), changed_at=3)


async def test_controls_are_kept_by_their_scope_and_name(desk: Desk) -> None:
    other = replace(PAUSED, scope=Scope.METHOD)
    for control in (NODE, LIMITED, PAUSED, other):
        await desk.store.set_control(control)
    assert await desk.store.controls() == [PAUSED, LIMITED, other, NODE]


async def test_a_control_takes_the_place_of_what_was_set(desk: Desk) -> None:
    await desk.store.set_control(LIMITED)
    newer = replace(LIMITED, rate=None, concurrency=2, changed_at=9)
    await desk.store.set_control(newer)
    assert await desk.store.controls() == [newer]


async def test_a_control_that_sets_nothing_is_removed(desk: Desk) -> None:
    await desk.store.set_control(PAUSED)
    await desk.store.set_control(NODE)
    await desk.store.set_control(replace(PAUSED, paused=False))
    assert await desk.store.controls() == [NODE]
    await desk.store.set_control(Control(Scope.METHOD, "never set"))
    assert await desk.store.controls() == [NODE]


async def test_the_group_without_a_name_and_the_node_are_two_scopes(desk: Desk) -> None:
    nameless = Control(Scope.GROUP, "", paused=True)
    await desk.store.set_control(nameless)
    await desk.store.set_control(NODE)
    assert await desk.store.controls() == [nameless, NODE]


# --- tokens

ANN = TokenRecord(
    "k1", "ann", bytes(range(32)), frozenset({"admin"}), None, created_at=1, created_by="anybody", expires_at=900
)
BOB = TokenRecord("k2", "bob", b"\xff" * 32, frozenset({"viewer", "client"}), frozenset({"a,b", "图"}), created_at=2)


async def test_tokens_are_kept_whole_oldest_first(desk: Desk) -> None:
    await desk.store.add_token(BOB)
    await desk.store.add_token(ANN)
    await desk.store.add_token(replace(ANN, kid="k0", name="no groups at all", groups=frozenset()))
    assert [token.kid for token in await desk.store.tokens()] == ["k0", "k1", "k2"]
    assert (await desk.store.tokens())[1:] == [ANN, BOB]
    assert (await desk.store.tokens())[0].groups == frozenset()


async def test_a_name_is_borne_by_one_token_until_that_is_revoked(desk: Desk) -> None:
    await desk.store.add_token(ANN)
    again = replace(ANN, kid="k9", created_at=9)
    with pytest.raises(Conflict, match="ann") as caught:
        await desk.store.add_token(again)
    assert caught.value.code == "name_taken"
    assert await desk.store.tokens() == [ANN]
    await desk.store.revoke_token("k1", 5)
    await desk.store.add_token(again)
    assert await desk.store.tokens() == [replace(ANN, revoked_at=5), again]


async def test_a_token_that_is_to_be_revoked_gives_its_name_to_its_successor_at_once(desk: Desk) -> None:
    await desk.store.add_token(ANN)
    await desk.store.revoke_token("k1", 900)
    successor = replace(ANN, kid="k9", created_at=9)
    await desk.store.add_token(successor)
    assert await desk.store.tokens() == [replace(ANN, revoked_at=900), successor]


async def test_a_refused_token_takes_no_neighbour_with_it(desk: Desk) -> None:
    await desk.store.add_token(ANN)
    with pytest.raises(Conflict):
        await desk.store.add_token(replace(ANN, kid="k9"))
    await desk.store.add_token(BOB)
    assert await desk.store.tokens() == [ANN, BOB]


async def test_the_earliest_instant_of_revocation_stays(desk: Desk) -> None:
    await desk.store.add_token(ANN)
    assert await desk.store.revoke_token("k1", 900) == replace(ANN, revoked_at=900)
    assert await desk.store.revoke_token("k1", 5) == replace(ANN, revoked_at=5)
    assert await desk.store.revoke_token("k1", 8) == replace(ANN, revoked_at=5)
    assert await desk.store.revoke_token("unknown", 5) is None


async def test_the_last_use_of_tokens_only_goes_forward(desk: Desk) -> None:
    await desk.store.add_token(ANN)
    await desk.store.add_token(BOB)
    await desk.store.touch_tokens({"k1": 50, "k2": 60, "unknown": 1})
    await desk.store.touch_tokens({"k1": 40, "k2": 70})
    assert [token.last_used_at for token in await desk.store.tokens()] == [50, 70]
    await desk.store.touch_tokens({})


# --- the audit log


def line(at: int, who: str = "ann", action: str = "token.create", **fields: str) -> AuditRecord:
    return AuditRecord(at, who, "k1", "10.0.0.1", "http", action, "bob", "ok", **fields)


async def test_lines_get_numbers_and_are_read_newest_first(desk: Desk) -> None:
    said = [line(1), line(2, request_id="r", before='{"a":1}', after='{"a":"\u2028\x00\n"}'), line(2)]
    await desk.store.audit(said[:1])
    await desk.store.audit(said[1:])
    found = await desk.store.audit_log(AuditQuery(), None, 10)
    assert [replace(record, number=0) for record in found] == said[::-1]
    assert [record.number for record in found] == [3, 2, 1]


async def test_the_audit_log_is_read_in_pages(desk: Desk) -> None:
    await desk.store.audit([line(at) for at in range(7)])
    read: list[int] = []
    before: int | None = None
    while page := await desk.store.audit_log(AuditQuery(), before, 3):
        assert len(page) <= 3
        read += [record.at for record in page]
        before = page[-1].number
    assert read == [6, 5, 4, 3, 2, 1, 0]


async def test_the_audit_log_is_read_by_who_what_and_when(desk: Desk) -> None:
    await desk.store.audit(
        [
            line(1, "ann"),
            line(2, "bob"),
            line(3, action="tokens.x"),
            line(4, action="token"),
            line(5, action="group.pause"),
        ]
    )

    async def found(query: AuditQuery) -> list[int]:
        return [record.at for record in await desk.store.audit_log(query, None, 10)]

    assert await found(AuditQuery(who="bob")) == [2]
    assert await found(AuditQuery(who="bo")) == []
    assert await found(AuditQuery(action="token.create")) == [2, 1]
    assert await found(AuditQuery(action="token")) == [4, 2, 1]
    assert await found(AuditQuery(action="token_create")) == []
    assert await found(AuditQuery(since=2, until=4)) == [3, 2]
    assert await found(AuditQuery(who="ann", action="token", since=2)) == [4]


async def test_only_the_newest_lines_are_kept_and_numbers_go_on(desk: Desk) -> None:
    await desk.store.audit([line(at) for at in range(10)])
    await desk.store.purge(10)
    assert len(await desk.store.audit_log(AuditQuery(), None, 100)) == 10, "a purge that is not told how many keeps all"
    await desk.store.purge(10, None, 4)
    assert [record.number for record in await desk.store.audit_log(AuditQuery(), None, 100)] == [10, 9, 8, 7]
    await desk.store.purge(10, None, 0)
    assert await desk.store.audit_log(AuditQuery(), None, 100) == []
    await desk.store.audit([line(11)])
    assert [record.number for record in await desk.store.audit_log(AuditQuery(), None, 100)] == [11]


async def test_a_purge_takes_all_lines_that_are_too_many(desk: Desk) -> None:
    await desk.store.audit([line(at) for at in range(12_000)])
    await desk.store.purge(10, None, 100)
    assert [record.at for record in await desk.store.audit_log(AuditQuery(), None, 1_000)] == list(
        range(11_999, 11_899, -1)
    )


async def test_no_line_at_all_can_be_added(desk: Desk) -> None:
    await desk.store.audit([])
    assert await desk.store.audit_log(AuditQuery(), None, 10) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=9, max_size=9))
async def test_any_text_comes_back_as_it_was(desk: Desk, texts: list[str]) -> None:
    who, kid, source, door, action, what, outcome, before, after = texts
    said = AuditRecord(1, who, kid, source, door, action, what, outcome, "r", before, after)
    await desk.store.audit([said])
    (found,) = await desk.store.audit_log(AuditQuery(who=who, action=action), None, 1)
    assert replace(found, number=0) == said


# --- the series


def point(at: int, start: int = 1) -> Point:
    return Point(at, 10_000_000, *range(start, start + len(astuple(Point(0, 0))) - 2))


async def test_points_are_read_from_an_instant_on_oldest_first(desk: Desk) -> None:
    await desk.store.add_points([point(30), point(10)], 0)
    await desk.store.add_points([point(20)], 0)
    assert await desk.store.points(0) == [point(10), point(20), point(30)]
    assert await desk.store.points(20) == [point(20), point(30)]
    assert await desk.store.points(31) == []


async def test_old_points_are_forgotten(desk: Desk) -> None:
    await desk.store.add_points([point(10), point(20)], 0)
    await desk.store.add_points([point(30)], 20)
    assert await desk.store.points(0) == [point(20), point(30)]


async def test_a_point_said_again_takes_the_place_of_the_first(desk: Desk) -> None:
    await desk.store.add_points([point(10)], 0)
    await desk.store.add_points([point(10, start=50)], 0)
    assert await desk.store.points(0) == [point(10, start=50)]
