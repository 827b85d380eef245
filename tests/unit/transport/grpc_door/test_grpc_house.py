"""The house over gRPC: the services Admin and Nodes, and what Tasks has besides the calls of single tasks."""

import grpc
import pytest
from google.protobuf.message import Message
from grpc_kit import ADMIN, NODES, SECRET, Client, Door, StartDoor, guarded, task

from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def submitted(client: Client, *tasks: pb.NewTask) -> list[bytes]:
    return list((await client.ask("Submit", pb.Submit(tasks=tasks))).ids)


async def states(client: Client, ids: list[bytes]) -> list[str]:
    return [each.state for each in (await client.ask("Get", pb.Get(ids=ids))).tasks]


async def test_a_chain_runs_in_its_order_and_a_batch_counts_it(door: Door, client: Client) -> None:
    [first] = await submitted(client, task(batch="night"))
    [second] = await submitted(client, task(after=[first], batch="night"))
    assert await states(client, [first, second]) == ["ready", "waiting"]
    batch = await client.ask("Batch", house.ReadBatch(name="night"))
    assert dict(batch.tasks) == {"ready": 1, "waiting": 1}
    worker = await client.worker()
    [one] = await worker.assigned()
    await worker.finish(one)
    [two] = await worker.assigned()
    assert (two.id, list(two.after), two.batch) == (second, [first], "night")
    await worker.finish(two)
    assert dict((await client.ask("Batch", house.ReadBatch(name="night"))).tasks) == {"succeeded": 2}


async def test_why_says_what_holds_a_task_back(client: Client) -> None:
    [waiting] = await submitted(client, task("nobody.offers.it"))
    told = await client.ask("Why", house.Why(id=waiting))
    assert (told.id, told.state, told.causes[0].code) == (waiting, "ready", "no_worker")


async def test_delete_and_bulk_answer_for_what_they_did(client: Client) -> None:
    ids = await submitted(client, task("nobody.offers.it", labels={"k": "v"}), task("nobody.offers.it"))
    filter_ = house.Filter(label="k=v")
    dry = await client.ask("Bulk", house.Bulk(action="cancel", filter=filter_, dry_run=True))
    assert dry.matched == 1
    bulk = await client.ask("Bulk", house.Bulk(action="cancel", filter=filter_))
    assert (bulk.done, list(bulk.sample)) == (1, [ids[0]])
    outcomes = (await client.ask("Delete", house.Delete(ids=ids))).items
    assert [item.refusal.code for item in outcomes] == ["", "not_finished"]
    assert await states(client, ids) == ["ready"]


async def test_a_group_is_paused_limited_and_told(client: Client) -> None:
    await submitted(client, task("nobody.offers.it", options=pb.Options(group="mail")))
    control = await client.ask(
        ADMIN + "SetControl",
        house.SetControl(scope="group", name="mail", paused=True, rate=house.Rate(count=5, period=1_000_000)),
    )
    assert (control.paused, control.rate.count, control.concurrency) == (True, 5, 0)
    [kept] = (await client.ask(ADMIN + "Controls", house.ListControls())).controls
    assert kept == control
    groups = {group.name: group for group in (await client.ask(ADMIN + "Groups", house.ListGroups())).groups}
    assert (dict(groups["mail"].tasks), groups["mail"].control) == ({"ready": 1}, control)
    cleared = await client.ask(
        ADMIN + "SetControl", house.SetControl(scope="group", name="mail", paused=False, rate=house.Rate())
    )
    assert (cleared.paused, cleared.HasField("rate")) == (False, False)


async def test_a_worker_is_drained_resumed_and_shut_down(client: Client) -> None:
    worker = await client.worker("w1")
    for command in ("drain", "resume", "shut_down"):
        await client.ask(ADMIN + "CommandWorker", house.WorkerCommand(worker="w1", command=command))
    await worker.next("shut_down")


async def test_the_node_tells_its_figures_and_series(client: Client) -> None:
    assert (await client.ask(NODES + "Stats", pb.ReadStats())).node_id == "node-1"
    assert (await client.ask(NODES + "Series", house.ReadSeries())) == house.Series()


async def test_tokens_are_made_and_revoked_and_the_audit_log_says_so(start_door: StartDoor) -> None:
    client = (await start_door(guarded("admin"))).client(SECRET)
    made = await client.ask(ADMIN + "CreateToken", house.CreateToken(name="ci", roles=["viewer"]))
    assert (made.token.name, list(made.token.roles), made.token.every_group) == ("ci", ["viewer"], True)
    rotated = await client.ask(ADMIN + "RotateToken", house.RotateToken(kid=made.token.kid))
    revoked = await client.ask(ADMIN + "RevokeToken", house.RevokeToken(kid=made.token.kid))
    assert revoked.revoked_at
    listed = (await client.ask(ADMIN + "Tokens", house.ListTokens())).tokens
    assert {token.kid for token in listed} == {made.token.kid, rotated.token.kid}
    lines = (await client.ask(ADMIN + "Audit", house.ReadAudit(action="token"))).lines
    assert [(line.action, line.door) for line in lines] == [
        ("token.revoke", "grpc"),
        ("token.rotate", "grpc"),
        ("token.create", "grpc"),
    ]


@pytest.mark.parametrize(
    ("method", "body", "field"),
    [
        ("Bulk", house.Bulk(action="burn", filter=house.Filter(method="add")), "action"),
        ("Bulk", house.Bulk(action="cancel", filter=house.Filter(states=["asleep"])), "filter.states[0]"),
        ("Why", house.Why(id=b"x"), "id"),
        ("Delete", house.Delete(ids=[b"x"]), "ids[0]"),
        ("Submit", pb.Submit(tasks=[task(after=[b"x"])]), "tasks[0].after[0]"),
        ("Submit", pb.Submit(tasks=[task(after=[b"x" * 16], on_parent_failure="cry")]), "tasks[0].on_parent_failure"),
        ("Submit", pb.Submit(tasks=[task(batch="a\nb")]), "tasks[0].batch"),
        ("Submit", pb.Submit(tasks=[task(options=pb.Options(unique_mode="cry"))]), "tasks[0].options.unique_mode"),
        ("Submit", pb.Submit(tasks=[task(options=pb.Options(debounce=5_000_000))]), "tasks[0].options.debounce"),
        (
            "Submit",
            pb.Submit(tasks=[task(options=pb.Options(concurrency_limit=2))]),
            "tasks[0].options.concurrency_limit",
        ),
        (ADMIN + "SetControl", house.SetControl(scope="planet", paused=True), "scope"),
        (ADMIN + "CommandWorker", house.WorkerCommand(worker="w1", command="dance"), "command"),
    ],
)
async def test_wrong_input_is_an_invalid_argument_with_its_place(
    client: Client, method: str, body: Message, field: str
) -> None:
    found = await client.refused(method, body)
    assert (found.status, found.fields) == (INVALID, [field])


async def test_who_is_not_there_is_not_found(client: Client) -> None:
    for method, body, code in (
        ("Why", house.Why(id=bytes(16)), "task_not_found"),
        ("Batch", house.ReadBatch(name="unheard-of"), "batch_not_found"),
        (ADMIN + "RevokeToken", house.RevokeToken(kid="unheard-of"), "token_not_found"),
        (ADMIN + "CommandWorker", house.WorkerCommand(worker="unheard-of", command="drain"), "worker_not_found"),
        ("Submit", pb.Submit(tasks=[task(after=[bytes(16)])]), "parent_not_found"),
    ):
        found = await client.refused(method, body)
        assert (found.status, found.code) == (grpc.StatusCode.NOT_FOUND, code), method
