"""A worker's link over a gRPC stream: the same frames, the same session, and how it ends."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from doors_kit import KEY, new_id, payload
from grpc_kit import SECRET, TASKS, WORKERS, Client, Door, StartDoor, guarded, task

from rota.access.policy import Policy
from rota.access.tokens import Token, Tokens
from rota.transport import grpc_link, outflow
from rota.transport.gate import Limits
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def submitted(client: Client, count: int = 1, **rest: Any) -> list[bytes]:
    return list((await client.ask("Submit", pb.Submit(tasks=[task(**rest) for _ in range(count)]))).ids)


async def test_a_worker_lives_on_a_stream(client: Client) -> None:
    worker = client.link()
    welcome = await worker.hello(sdk="test")
    assert (welcome.version, welcome.node_id) == (1, "node-1")
    await worker.register("w1")
    ids = await submitted(client, 3)
    tasks = await worker.assigned(3)
    assert [each.id for each in tasks] == ids
    await worker.send(started=pb.Started(tasks=[pb.HeldRef(id=each.id, attempt=1, started_at=1) for each in tasks]))
    await worker.send(3, heartbeat=pb.Heartbeat())
    await worker.next("done")
    assert not (await worker.finish(*tasks[:2])).refused
    await worker.send(4, release=pb.Release(tasks=[pb.Ref(id=ids[2], attempt=1)], reason="draining"))
    await worker.next("done")
    page = await client.ask("Get", pb.Get(ids=ids))
    assert [each.state for each in page.tasks[:2]] == ["succeeded", "succeeded"]
    assert page.tasks[0].worker == "w1"
    await worker.send(goodbye=pb.Goodbye(reason="done"))
    await worker.call.done_writing()
    assert (await worker.end()).status is grpc.StatusCode.OK


async def test_large_frames_pass_both_ways(client: Client) -> None:
    worker = await client.worker()
    params = payload(1_000_000)
    ids = [await submitted(client, params=params) for _ in range(6)]
    for each in await worker.assigned(6):
        assert each.params == params
        await worker.finish(each, result=params)
    for [task_id] in ids:
        assert (await client.ask("Get", pb.Get(ids=[task_id]))).tasks[0].result == params


async def test_a_newer_stream_of_a_worker_ends_the_older_and_keeps_its_tasks(client: Client) -> None:
    older = await client.worker("same")
    [task_id] = await submitted(client)
    [one] = await older.assigned()
    newer = client.link()
    await newer.hello()
    held = [pb.HeldRef(id=task_id, attempt=one.attempt, started_at=1)]
    assert not (await newer.register("same", held=held)).lost
    assert (await older.end())[:2] == (grpc.StatusCode.ABORTED, "superseded")
    assert not (await newer.finish(one)).refused
    assert (await client.ask("Get", pb.Get(ids=[task_id]))).tasks[0].attempt == 1


async def test_a_stolen_worker_id_is_refused(client: Client) -> None:
    owner = await client.worker("mine")
    thief = client.link()
    await thief.hello()
    await thief.send(
        1, register=pb.Register(facts=pb.WorkerFacts(id="mine", slots=1), session_key=b"another key of 16 bytes")
    )
    assert (await thief.end())[:2] == (grpc.StatusCode.PERMISSION_DENIED, "worker_id_taken")
    assert not owner.call.done()


async def test_a_zombies_finish_is_refused_and_the_newer_attempt_counts(door: Door, client: Client) -> None:
    """Its task has been given to another, and then the first reports."""
    zombie = await client.worker("zombie")
    [task_id] = await submitted(client)
    [first] = await zombie.assigned()
    facts = pb.WorkerFacts(id="zombie", slots=1)
    await zombie.send(2, register=pb.Register(facts=facts, session_key=KEY, draining=True))
    await zombie.next("registered")
    await zombie.send(3, release=pb.Release(tasks=[pb.Ref(id=task_id, attempt=1)], reason="draining"))
    await zombie.next("done")
    other = await client.worker("other")
    [second] = await other.assigned()
    assert (second.id, second.attempt) == (task_id, 2)
    [refusal] = (await zombie.finish(first, result=b'"late"')).refused
    assert refusal.code == "stale_attempt"
    assert not (await other.finish(second, result=b'"true"')).refused
    [again] = (await zombie.finish(first, result=b'"late"')).refused
    assert again.code == "stale_attempt"
    [view] = (await client.ask("Get", pb.Get(ids=[task_id], detail=True))).tasks
    assert (view.state, view.result, view.attempt) == ("succeeded", b'"true"', 2)


async def test_a_finish_of_what_is_unknown_or_anothers_changes_nothing(client: Client) -> None:
    owner, other = await client.worker("owner"), await client.worker("other", methods=("nothing",))
    await submitted(client)
    [one] = await owner.assigned()
    assert [each.code for each in (await other.finish(one)).refused] == ["stale_attempt"]
    unknown = pb.Assignment(id=new_id(), attempt=1)
    assert [each.code for each in (await other.finish(unknown)).refused] == ["task_not_found"]
    assert not (await owner.finish(one)).refused
    assert not (await owner.finish(one)).refused, "the same report twice gives the same answer"
    assert [each.code for each in (await owner.finish(one, result=b"4")).refused] == ["conflict"]


async def test_when_a_stream_breaks_what_had_not_started_goes_back_at_once(client: Client) -> None:
    worker = await client.worker("w1")
    await submitted(client)
    await worker.assigned()
    worker.call.cancel()
    [again] = await (await client.worker("w2")).assigned()
    assert again.attempt == 2


# --- what breaks the protocol


@pytest.mark.parametrize(
    ("frames", "status", "code"),
    [
        ([Frame(request=1, get=pb.Get())], PRECONDITION, "bad_frame"),
        ([Frame(request=1, register=pb.Register())], PRECONDITION, "bad_frame"),
        ([Frame(hello=pb.Hello(versions=[1]))] * 2, PRECONDITION, "bad_frame"),
        ([Frame(hello=pb.Hello(versions=[9]))], PRECONDITION, "unknown_version"),
        ([Frame(hello=pb.Hello(versions=[1])), Frame(finish=pb.Finish())], PRECONDITION, "bad_frame"),
        ([Frame(hello=pb.Hello(versions=[1])), Frame(welcome=pb.Welcome())], PRECONDITION, "bad_frame"),
        ([b"\xff\xff\xff"], grpc.StatusCode.INVALID_ARGUMENT, "invalid_message"),
        ([Frame(hello=pb.Hello(versions=[1])), b"\x0b" * 10_000], grpc.StatusCode.INVALID_ARGUMENT, "invalid_message"),
    ],
)
async def test_what_breaks_the_protocol_ends_the_stream_with_a_status(
    client: Client, frames: list[Frame | bytes], status: grpc.StatusCode, code: str
) -> None:
    link = client.link()
    for frame in frames:
        await link.call.write(frame if isinstance(frame, bytes) else frame.SerializeToString())
    found = await link.end()
    assert (found.status, found.code) == (status, code)
    assert (await client.ask("Stats", pb.ReadStats())).workers == 0


async def test_an_empty_frame_is_a_request_that_nobody_knows(client: Client) -> None:
    link = client.link()
    await link.hello()
    await link.send(7)
    assert (await link.next("failure")).code == "unknown_request"
    await link.send(1, heartbeat=pb.Heartbeat())
    assert (await link.end()).code == "bad_frame"


async def test_a_frame_beyond_the_roles_is_refused_and_the_stream_goes_on(start_door: StartDoor) -> None:
    client = (await start_door(guarded("worker"))).client(SECRET)
    worker = await client.worker()
    await worker.send(5, submit=pb.Submit(tasks=[task(id=new_id())]))
    assert (await worker.next("failure")).code == "forbidden"
    await worker.send(6, heartbeat=pb.Heartbeat())
    await worker.next("done")


async def test_a_worker_serves_no_group_outside_its_tokens(start_door: StartDoor) -> None:
    door = await start_door(Policy(open_mode=False))
    door.node.policy._book = door.node.books.tokens
    _, text = await door.node.books.tokens.create("mailer", ["worker"], ["mail"], None, "a test")
    link = door.client(text).link()
    await link.hello()
    facts = pb.WorkerFacts(id="w1", slots=1, groups=["video"])
    await link.send(4, register=pb.Register(facts=facts, session_key=KEY))
    assert (await link.next("failure")).code == "forbidden"


async def test_a_token_that_holds_no_longer_ends_its_streams(start_door: StartDoor) -> None:
    policy = guarded("worker")
    link = (await start_door(policy, heartbeat=0.4)).client(SECRET).link()
    await link.hello()
    policy.renew(Tokens([Token.of(SECRET + "-another", ["worker"])]))
    end = await link.end()
    assert (end.status, end.code) == (grpc.StatusCode.UNAUTHENTICATED, "not_authenticated")


async def test_connections_beyond_the_limit_are_not_taken_and_one_that_ends_makes_room(start_door: StartDoor) -> None:
    door = await start_door(limits=Limits(connections=2))
    place = door.server.address.rpartition(":")
    kept = []
    for _ in range(2):
        reader, writer = await asyncio.open_connection(place[0], int(place[2]))
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
        assert await reader.readexactly(9), "settings"
        kept.append(writer)
    reader, writer = await asyncio.open_connection(place[0], int(place[2]))
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    kept[0].close()
    async with asyncio.timeout(10):
        assert await _node_id_once_let_in(door) == "node-1"
    kept[1].close()


async def _node_id_once_let_in(door: Door) -> str:
    """The library takes a moment to see that a connection has ended."""
    while True:
        try:
            return (await door.client().ask("Stats", pb.ReadStats(), timeout=10)).node_id
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.05)


async def test_a_stream_without_a_hello_is_ended(start_door: StartDoor) -> None:
    link = (await start_door(hello_within=0.1, heartbeat=0.4)).client().link()
    await link.call.wait_for_connection()
    assert (await link.end())[:2] == (grpc.StatusCode.DEADLINE_EXCEEDED, "silent")


async def test_who_does_not_read_holds_back_itself_and_is_ended(
    start_door: StartDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outflow, "STALLED_AFTER", 0.2)
    monkeypatch.setattr(grpc_link, "CLOSE_WITHIN", 0.2)
    door = await start_door()
    client, slow = door.client(), door.client()
    params = payload(1_000_000)
    for _ in range(30):
        await submitted(client, params=params)
    link = slow.link()
    await link.send(hello=pb.Hello(versions=[1], window=1 << 30))
    facts = pb.WorkerFacts(id="slow", slots=100)
    await link.send(1, register=pb.Register(facts=facts, methods=[pb.Method(name="add")], session_key=KEY))
    await until(lambda: door.node.engine.live_counts().workers == 1)
    await until(lambda: door.node.engine.live_counts().workers == 0)
    assert (await client.ask("Stats", pb.ReadStats())).tasks["ready"] == 30


async def test_the_stop_tells_workers_and_ends_their_streams(door: Door, client: Client) -> None:
    worker = await client.worker()
    door.node.engine.drain()
    assert (await worker.next("drain")).reason
    leaving = asyncio.create_task(door.node.lobby.leave(within=2.0))
    await worker.next("goodbye")
    assert (await worker.end())[:2] == (grpc.StatusCode.UNAVAILABLE, "going_away")
    await leaving
    assert len(door.node.lobby) == 0


async def test_cancelled_streams_leave_nothing_behind(door: Door, client: Client) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(50):
        link = client.link()
        await link.hello()
        link.call.cancel()
    await until(lambda: len(door.node.lobby) == 0)
    await until(lambda: len(asyncio.all_tasks()) <= before + 1)
    assert await client.raw(WORKERS + "List")
    assert await client.raw(TASKS + "Stats")
