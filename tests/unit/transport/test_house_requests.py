"""The house over a link: what a client asks, a node with a real engine answers, and the client's views say."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from doors_kit import Node, Peer, StartNode

from rota.access.policy import Policy
from rota.access.tokens import Token, Tokens
from rota.client.client import AsyncClient
from rota.client.house_views import RateView
from rota.model.errors import Conflict, Forbidden, InvalidInput, NotFound, Overloaded, WaitTimeout
from rota.transport.local import LocalDoor
from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

SECRET = "correct-horse-battery-staple-of-the-first-kind"


@pytest.fixture
async def client(node: Node) -> AsyncIterator[AsyncClient]:
    async with AsyncClient("local:", dial=LocalDoor(node.lobby.open).dial) as client:
        yield client


async def ended(worker: Peer, count: int = 1) -> None:
    await worker.finish(*await worker.assigned(count))


# --- tasks


async def test_why_names_the_cause_and_what_to_do(client: AsyncClient) -> None:
    receipt = await client.submit("nobody.offers.it")
    why = await client.why(receipt.id)
    assert (why.id, why.state, why.causes[0].code) == (receipt.id, "ready", "no_worker")
    assert why.summary == why.causes[0].message


async def test_why_of_an_unknown_task_is_not_found(client: AsyncClient) -> None:
    with pytest.raises(NotFound):
        await client.why(bytes(16))


async def test_an_ended_task_is_deleted_and_an_unended_one_is_not(node: Node, client: AsyncClient) -> None:
    worker = await node.worker()
    done = await client.submit("add", [1])
    await ended(worker)
    await client.wait(done.id, timeout=5)
    waiting = await client.submit("nobody.offers.it")
    assert (await client.delete(done.id)).refusal is None
    with pytest.raises(NotFound):
        await client.get(done.id)
    with pytest.raises(Conflict) as refused:
        await client.delete(waiting.id)
    assert refused.value.code == "not_finished"
    assert (await client.get(waiting.id)).state == "ready"


async def test_bulk_does_it_to_what_the_filter_fits_and_to_nothing_in_a_dry_run(client: AsyncClient) -> None:
    for mark in ("red", "red", "blue"):
        await client.submit("nobody.offers.it", labels={"mark": mark})
    assert (await client.bulk("cancel", label="mark=red", dry_run=True)).matched == 2
    assert [task.state async for task in client.list(label="mark=red")] == ["ready"] * 2
    bulk = await client.bulk("cancel", label="mark=red")
    assert (bulk.action, bulk.matched, bulk.done, bulk.more, len(bulk.sample)) == ("cancel", 2, 2, False, 2)
    assert {(task.labels["mark"], task.state) async for task in client.list()} == {
        ("red", "cancelled"),
        ("blue", "ready"),
    }


async def test_bulk_stops_at_its_limit_and_says_that_there_is_more(client: AsyncClient) -> None:
    for _ in range(3):
        await client.submit("nobody.offers.it")
    bulk = await client.bulk("cancel", method="nobody.offers.it", limit=2)
    assert (bulk.done, bulk.more) == (2, True)


@pytest.mark.parametrize(
    ("action", "wanted"), [("cancel", {}), ("burn", {"method": "add"}), ("cancel", {"states": "asleep"})]
)
async def test_bulk_without_a_filter_or_with_a_wrong_one_is_refused(
    client: AsyncClient, action: str, wanted: dict[str, Any]
) -> None:
    receipt = await client.submit("nobody.offers.it")
    with pytest.raises(InvalidInput):
        await client.bulk(action, **wanted)
    assert (await client.get(receipt.id)).state == "ready"


async def test_bulk_for_a_worker_that_nobody_knows_does_nothing(client: AsyncClient) -> None:
    await client.submit("nobody.offers.it")
    assert (await client.bulk("cancel", worker="unheard-of")).matched == 0


async def test_lists_are_narrowed_by_label_batch_and_text(client: AsyncClient) -> None:
    red = await client.submit("paint.wall", labels={"mark": "red"})
    blue = await client.submit("paint.door", labels={"mark": "blue"}, batch="doors")

    async def found(**wanted: Any) -> set[str]:
        return {task.id async for task in client.list(**wanted)}

    assert await found(label="mark=red") == {red.id}
    assert await found(label="mark") == {red.id, blue.id}
    assert await found(batch="doors") == {blue.id}
    assert await found(text="WALL") == {red.id}
    assert await found(text=blue.id[:18], batch="doors") == {blue.id}
    with pytest.raises(InvalidInput):
        await found(text="x" * 10_000)


async def test_a_batch_counts_its_tasks_and_is_waited_for(node: Node, client: AsyncClient) -> None:
    worker = await node.worker()
    await client.submit_many([("add", [n]) for n in range(3)], batch="night")
    await client.submit("add", [9], batch="other")
    info = await client.batch("night")
    assert (info.name, info.total, info.finished) == ("night", 3, False)
    with pytest.raises(WaitTimeout):
        await client.wait_batch("night", timeout=0.01)
    await ended(worker, 4)
    info = await client.wait_batch("night", timeout=5)
    assert (info.done, info.succeeded, info.failed, info.finished) == (3, 3, 0, True)
    with pytest.raises(NotFound):
        await client.batch("unheard-of")


async def test_a_task_says_after_which_others_it_comes(client: AsyncClient) -> None:
    first = await client.submit("nobody.offers.it")
    second = await client.submit("nobody.offers.it", after=[first], on_parent_failure="run", batch="b")
    view = await client.get(second.id)
    assert (view.state, view.reason, view.after, view.on_parent_failure) == ("waiting", "parents", (first.id,), "run")
    assert view.batch == "b"
    cause = (await client.why(second.id)).causes[0]
    assert (cause.code, cause.by) == ("waiting_for_parents", (first.id,))


async def test_keys_limits_and_modes_are_shown(client: AsyncClient) -> None:
    receipt = await client.submit(
        "nobody.offers.it", concurrency_key="k", concurrency_limit=3, unique_key="u", unique_mode="replace"
    )
    view = await client.get(receipt.id)
    assert (view.concurrency_key, view.concurrency_limit, view.unique_mode) == ("k", 3, "replace")


# --- groups, and what is set


async def test_what_is_paused_is_not_given_out_until_it_is_resumed(node: Node, client: AsyncClient) -> None:
    worker = await node.worker()
    paused = await client.pause("method", "add", note="the disk is full")
    assert (paused.scope, paused.name, paused.paused, paused.note) == ("method", "add", True, "the disk is full")
    receipt = await client.submit("add", [1])
    assert (await client.why(receipt.id)).causes[0].code == "paused"
    assert not (await client.resume("method", "add")).paused
    await ended(worker)
    assert (await client.wait(receipt.id, timeout=5)).ok


async def test_limits_stay_until_they_are_taken_away(client: AsyncClient) -> None:
    await client.limit("group", "mail", concurrency=4, rate="10/s", key_rate=(1, timedelta(minutes=1)))
    changed = await client.limit("group", "mail", concurrency=None)
    assert (changed.concurrency, changed.rate, changed.key_rate) == (None, RateView(10, 1.0), RateView(1, 60.0))
    assert [(c.scope, c.name, str(c.rate), str(c.key_rate)) for c in await client.controls()] == [
        ("group", "mail", "10/s", "1/m")
    ]
    await client.limit("group", "mail", rate=None, key_rate=None)
    assert await client.controls() == []


async def test_the_depth_of_a_group_is_limited_and_the_limit_taken_away(client: AsyncClient) -> None:
    assert (await client.limit("group", "mail", max_queued=1)).max_queued == 1
    assert [(c.name, c.max_queued, c.concurrency) for c in await client.controls()] == [("mail", 1, None)]
    await client.submit("m", group="mail")
    with pytest.raises(Overloaded, match=r"'mail'.*limit.*1") as caught:
        await client.submit("m", group="mail")
    assert caught.value.code == "queue_full"
    await client.submit("m", group="other")
    assert (await client.limit("group", "mail", max_queued=None)).max_queued is None
    await client.submit("m", group="mail")
    for scope, name in (("node", ""), ("method", "m")):
        with pytest.raises(InvalidInput) as refused:
            await client.limit(scope, name, max_queued=1)
        assert [(fault.path, fault.code) for fault in refused.value.errors] == [("max_queued", "group_only")]
    with pytest.raises(InvalidInput):
        await client.limit("group", "mail", max_queued=0)


async def test_groups_come_page_by_page(client: AsyncClient) -> None:
    for n in range(5):
        await client.pause("group", f"g{n}")
    names = ["", *(f"g{n}" for n in range(5))]
    said: list[str] = []
    groups, cursor = await client.groups_page(limit=2)
    while cursor:
        said += [group.name for group in groups]
        groups, cursor = await client.groups_page(cursor, 2)
    assert [*said, *(group.name for group in groups)] == names
    for n in range(5, 450):
        await client.pause("group", f"g{n}")
    assert len(await client.groups()) == 451
    with pytest.raises(InvalidInput) as refused:
        await client.groups_page("not a cursor")
    assert refused.value.errors[0].code == "invalid_cursor"


async def test_groups_are_told_with_their_depth_and_what_is_set(node: Node, client: AsyncClient) -> None:
    await node.worker()
    await client.submit("nobody.offers.it", group="mail")
    await client.pause("group", "mail")
    groups = {group.name: group for group in await client.groups()}
    mail = groups["mail"]
    assert (mail.tasks, mail.methods, mail.paused) == ({"ready": 1}, {"nobody.offers.it": 1}, True)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"set_control": house.SetControl(scope="planet", paused=True)}, "scope"),
        ({"set_control": house.SetControl(scope="node", name="x", paused=True)}, "name"),
        ({"set_control": house.SetControl(scope="method", paused=True)}, "name"),
        ({"set_control": house.SetControl(scope="group", name="a\nb", paused=True)}, "name"),
        ({"set_control": house.SetControl(scope="node", rate=house.Rate(count=1))}, "rate.period"),
        (
            {"set_control": house.SetControl(scope="node", key_rate=house.Rate(count=1, period=2**60))},
            "key_rate.period",
        ),
        ({"worker_command": house.WorkerCommand(worker="w1", command="dance")}, "command"),
        ({"why": house.Why(id=b"short")}, "id"),
        ({"delete": house.Delete(ids=[b"short"])}, "ids[0]"),
        ({"bulk": house.Bulk(action="cancel", filter=house.Filter(states=["asleep"]))}, "filter.states[0]"),
        ({"read_series": house.ReadSeries(step=2**63)}, "step"),
        ({"read_audit": house.ReadAudit(before=2**63)}, "before"),
        ({"create_token": house.CreateToken(name="x", roles=["viewer"], expires_in=2**63)}, "expires_in"),
    ],
)
async def test_wrong_requests_are_answered_with_their_place(node: Node, body: dict[str, Any], path: str) -> None:
    peer = await node.client()
    failure = await peer.ask("failure", 5, **body)
    assert [fault.path for fault in failure.errors] == [path]


# --- workers and the node


async def test_a_drained_worker_is_given_nothing_until_it_is_resumed(node: Node, client: AsyncClient) -> None:
    worker = await node.worker()
    await client.drain_worker("w1", note="a new kernel")
    [view] = await client.workers()
    assert view.draining
    receipt = await client.submit("add", [1])
    assert (await client.why(receipt.id)).causes[0].code == "workers_draining"
    await client.resume_worker("w1")
    await ended(worker)
    assert (await client.wait(receipt.id, timeout=5)).ok


async def test_a_worker_is_told_to_shut_down(node: Node, client: AsyncClient) -> None:
    worker = await node.worker()
    await client.shut_down_worker("w1")
    assert (await worker.next_frame("shut_down")).request == 0


async def test_a_command_for_a_worker_that_is_not_here_is_not_found(client: AsyncClient) -> None:
    with pytest.raises(NotFound) as refused:
        await client.drain_worker("unheard-of")
    assert refused.value.code == "worker_not_found"


async def test_the_series_is_told(client: AsyncClient) -> None:
    points = await client.series(since=datetime.now(UTC) - timedelta(hours=1), step=60)
    assert [point for point in points if point.step < 60] == []


# --- access


async def test_tokens_are_made_rotated_and_revoked_and_the_log_knows(start_node: StartNode) -> None:
    node = await start_node(Policy(open_mode=False, tokens=Tokens([Token.of(SECRET, ["admin"], name="root")])))
    async with AsyncClient("local:", SECRET, dial=LocalDoor(node.lobby.open).dial) as client:
        made = await client.create_token("ci", ["client"], groups=["mail"], expires_in=timedelta(days=1))
        assert made.token.startswith(f"rota_{made.record.kid}.")
        assert made.token not in repr(made)
        assert (made.record.roles, made.record.groups, made.record.created_by) == (("client",), ("mail",), "root")
        assert made.record.expires_at is not None
        again = await client.rotate_token(made.record.kid)
        assert again.token != made.token
        assert (await client.revoke_token(made.record.kid)).revoked_at is not None
        assert {token.kid: token.revoked_at is None for token in await client.tokens()} == {
            made.record.kid: False,
            again.record.kid: True,
        }
        lines = [line async for line in client.audit(action="token")]
        assert [(line.action, line.who, line.door, line.outcome) for line in lines] == [
            ("token.revoke", "root", "link", "ok"),
            ("token.rotate", "root", "link", "ok"),
            ("token.create", "root", "link", "ok"),
        ]
        assert made.token.partition(".")[2] not in "".join(line.after + line.before for line in lines)
        assert [line.number async for line in client.audit(limit=2)] == [line.number for line in lines[:2]]


async def test_the_audit_log_is_read_page_by_page(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.client.house.AUDIT_PAGE", 2)
    for number in range(5):
        await client.limit("group", f"g{number}", concurrency=1)
    assert [line.object async for line in client.audit(action="group.limit")] == ["g4", "g3", "g2", "g1", "g0"]


async def test_what_a_role_does_not_allow_is_refused_and_in_the_log(start_node: StartNode) -> None:
    node = await start_node(Policy(open_mode=False, tokens=Tokens([Token.of(SECRET, ["client"], name="web")])))
    async with AsyncClient("local:", SECRET, dial=LocalDoor(node.lobby.open).dial) as client:
        with pytest.raises(Forbidden):
            await client.pause()
        with pytest.raises(Forbidden):
            await client.create_token("mine", ["admin"])
        assert [(line.who, line.action, line.outcome) for line in await audit_of(node)] == [
            ("web", "create_token", "forbidden"),
            ("web", "set_control", "forbidden"),
        ]


async def audit_of(node: Node) -> list[Any]:
    from rota.contract.store import AuditQuery

    return list(await node.books.audit.read(AuditQuery(), None, 100))


async def test_a_revoked_token_closes_its_links_within_seconds(start_node: StartNode) -> None:
    node = await start_node(Policy(open_mode=False, tokens=Tokens([Token.of(SECRET, ["admin"])])), heartbeat=0.4)
    peer = await node.client(SECRET)
    assert await peer.ask("stats", 1, read_stats=pb.ReadStats())
    node.policy.renew(Tokens([Token.of("correct-horse-battery-staple-of-another-kind", ["admin"])]))
    assert (await peer.end())[0] == 4401


@pytest.mark.parametrize("verb", ["create_token", "rotate_token", "revoke_token"])
async def test_a_link_whose_token_was_revoked_makes_itself_no_other(start_node: StartNode, verb: str) -> None:
    node = await start_node(Policy(open_mode=False, tokens=Tokens([Token.of(SECRET, ["admin"])])))
    peer = await node.client(SECRET)
    made = await peer.ask("new_token", 1, create_token=house.CreateToken(name="spare", roles=["admin"]))
    node.policy.renew(Tokens([Token.of("correct-horse-battery-staple-of-another-kind", ["admin"])]))
    asked = {
        "create_token": house.CreateToken(name="mine", roles=["admin"]),
        "rotate_token": house.RotateToken(kid=made.token.kid),
        "revoke_token": house.RevokeToken(kid=made.token.kid),
    }
    peer.send(2, **{verb: asked[verb]})
    assert (await peer.next("failure")).code == "not_authenticated"
    assert [(token.kid, token.revoked_at) for token in node.books.tokens.all()] == [(made.token.kid, None)]
