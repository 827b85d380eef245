"""Whatever order the frames of a worker and of an operator come in, however often, and whatever they name: answers, or a clear end."""

import asyncio
from typing import Any

from doors_kit import KEY, Node, Peer
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.link.codes import Close
from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

ENDS = {Close.BAD_FRAME, Close.POLICY, Close.SUPERSEDED, Close.WORKER_ID_TAKEN, Close.NORMAL}


def frames_about(task_id: bytes) -> dict[str, dict[str, Any]]:
    facts, add = pb.WorkerFacts(id="w1", slots=2), [pb.Method(name="add")]
    held = [pb.HeldRef(id=task_id, attempt=1)]
    return {
        "register": {"register": pb.Register(facts=facts, methods=add, session_key=KEY)},
        "register with the task": {"register": pb.Register(facts=facts, methods=add, held=held, session_key=KEY)},
        "register as a thief": {"register": pb.Register(facts=facts, methods=add, session_key=b"t" * 16)},
        "started": {"started": pb.Started(tasks=held)},
        "finish": {"finish": pb.Finish(results=[pb.Result(id=task_id, attempt=1, verdict=1, result=b"1")])},
        "finish otherwise": {"finish": pb.Finish(results=[pb.Result(id=task_id, attempt=1, verdict=2)])},
        "finish a later attempt": {"finish": pb.Finish(results=[pb.Result(id=task_id, attempt=2, verdict=1)])},
        "finish an unknown task": {"finish": pb.Finish(results=[pb.Result(id=b"u" * 16, attempt=1, verdict=5)])},
        "release": {"release": pb.Release(tasks=[pb.Ref(id=task_id, attempt=1)], reason="recalled")},
        "heartbeat": {"heartbeat": pb.Heartbeat(load=pb.Load(cpu=0.5))},
        "report": {"report": pb.Report(entries=[pb.Report.Entry(id=task_id, attempt=1, lines=[pb.LogLine(text="x")])])},
        "cancel": {"cancel": pb.Cancel(ids=[task_id])},
        "retry": {"retry": pb.Retry(ids=[task_id])},
        "delete": {"delete": house.Delete(ids=[task_id])},
        "cancel all": {"bulk": house.Bulk(action="cancel", filter=house.Filter(method="add"))},
        "retry all": {"bulk": house.Bulk(action="retry", filter=house.Filter(method="add"))},
        "pause": {"set_control": house.SetControl(scope="method", name="add", paused=True)},
        "resume": {"set_control": house.SetControl(scope="method", name="add", paused=False)},
        "one at once": {"set_control": house.SetControl(scope="node", concurrency=1)},
        "drain": {"worker_command": house.WorkerCommand(worker="w1", command="drain")},
        "take again": {"worker_command": house.WorkerCommand(worker="w1", command="resume")},
        "shut down": {"worker_command": house.WorkerCommand(worker="w1", command="shut_down")},
        "why": {"why": house.Why(id=task_id)},
        "groups": {"list_groups": house.ListGroups()},
        "goodbye": {"goodbye": pb.Goodbye(reason="bye")},
        "hello": {"hello": pb.Hello(versions=[1])},
    }


STEPS = st.lists(st.tuples(st.sampled_from(sorted(frames_about(b""))), st.integers(0, 1), st.booleans()), max_size=30)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_no_order_of_frames_fails_inside_the_node(steps: list[tuple[str, int, bool]]) -> None:
    asyncio.run(scenario(steps))


async def scenario(steps: list[tuple[str, int, bool]]) -> None:
    node = Node()
    await node.start()
    try:
        client = await node.client()
        [task_id] = await client.submit()
        peers = [await node.client(), await node.client()]
        for number, (step, which, pause) in enumerate(steps, 1):
            peer = peers[which] = await an_open(node, peers[which])
            peer.send(number, **frames_about(task_id)[step])
            if pause:
                await asyncio.sleep(0)
        await node.lobby.leave()
        for peer in peers:
            check(peer)
    finally:
        await node.stop()


async def an_open(node: Node, peer: Peer) -> Peer:
    if peer.ended is None:
        return peer
    check(peer)
    return await node.client()


def check(peer: Peer) -> None:
    assert peer.ended is None or peer.ended[0] in ENDS | {Close.GOING_AWAY}
    failures = [frame.failure.code for frame in peer.frames if frame.WhichOneof("body") == "failure"]
    assert set(failures) <= {"not_registered", "worker_not_found", "task_not_found"}
