"""A link at work: requests, order, credit, batches, roles, and how it ends."""

import asyncio
from typing import Any

import pytest
from doors_kit import KEY, Node, Peer, StartNode, new_id, payload

from rota.access.policy import Policy
from rota.access.tokens import Token, Tokens, make_secret
from rota.link.codes import Close
from rota.model.errors import Unavailable
from rota.transport import outflow
from rota.transport.frame_batch import FRAME_BYTES
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame


async def test_a_task_goes_from_the_client_to_the_worker_and_back(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    [task_id] = await client.submit()
    [task] = await worker.assigned()
    assert (task.id, task.method, task.params, task.attempt) == (task_id, "add", b"[1]", 1)
    worker.send(started=pb.Started(tasks=[pb.HeldRef(id=task.id, attempt=1)]))
    assert not (await worker.finish(task)).refused
    outcome = (await client.outcomes())[task_id]
    assert (outcome.state, outcome.result) == ("succeeded", b"3")


async def test_many_tasks_travel_in_few_frames(node: Node) -> None:
    worker, client = await node.worker(slots=1000), await node.client()
    ids = await client.submit(500)
    frame = await worker.next("assign")
    assert len(frame.tasks) == 500
    await worker.finish(*frame.tasks)
    assert len((await client.next("ended")).outcomes) == 500
    assert len(ids) == 500


async def test_large_payloads_are_split_over_frames(node: Node) -> None:
    worker, client = await node.worker(slots=100), await node.client()
    params = payload(700_000)
    for _ in range(6):
        await client.submit(1, params=params)
    tasks = await worker.assigned(6)
    await worker.finish(*tasks[:3], result=params)
    await worker.finish(*tasks[3:], result=params)
    for ended in await client.outcomes(6):
        assert ended
    assert all(task.params == params for task in tasks)


async def test_one_malformed_task_refuses_itself_alone(node: Node) -> None:
    client = await node.client()
    good = new_id()
    tasks = [pb.NewTask(id=b"short", method="add"), pb.NewTask(id=good, method="add")]
    submitted = await client.ask("submitted", submit=pb.Submit(tasks=tasks))
    refused = {item.index: item.refusal for item in submitted.exceptions if item.HasField("refusal")}
    assert list(refused) == [0]
    assert refused[0].errors[0].path == "tasks[0].id"
    assert len((await client.ask("tasks", get=pb.Get(ids=[good]))).tasks) == 1


async def test_an_atomic_batch_with_a_malformed_task_is_refused(node: Node) -> None:
    client = await node.client()
    good = new_id()
    tasks = [pb.NewTask(id=good, method="add"), pb.NewTask(id=b"short", method="add")]
    failure = await client.ask("failure", submit=pb.Submit(tasks=tasks, atomic=True))
    assert failure.errors[0].path == "tasks[1].id"
    assert not (await client.ask("tasks", get=pb.Get(ids=[good]))).tasks


async def test_a_repeated_submit_names_the_task_that_was_there(node: Node) -> None:
    client = await node.client()
    [task_id] = await client.submit(idempotency_key="k")
    again = pb.NewTask(id=new_id(), method="add", params=b"[1]", idempotency_key="k")
    submitted = await client.ask("submitted", submit=pb.Submit(tasks=[again]))
    assert submitted.exceptions[0].duplicate_of == task_id


async def test_who_learns_the_other_id_late_is_still_told_of_its_end(node: Node) -> None:
    """The outcome may leave before the answer that names the other id; it is told again after it."""
    worker, client = await node.worker(), await node.client()
    [task_id] = await client.submit(wait=False, idempotency_key="k")
    await worker.finish(*await worker.assigned())
    again = pb.NewTask(id=new_id(), method="add", params=b"[1]", idempotency_key="k")
    await client.ask("submitted", submit=pb.Submit(tasks=[again], wait=True))
    assert (await client.outcomes())[task_id].state == "succeeded"


async def test_a_wait_tells_at_once_of_ended_and_unknown_tasks(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    [task_id] = await client.submit(wait=False)
    await worker.finish(*await worker.assigned())
    nobody = new_id()
    await client.ask("done", wait=pb.Wait(ids=[task_id, nobody]))
    told = await client.outcomes(2)
    assert {told[task_id].state, told[nobody].state} == {"succeeded", "unknown"}


async def test_after_unwait_nothing_is_told(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    first, second = await client.submit(2)
    await client.ask("done", unwait=pb.Unwait(ids=[first]))
    await worker.finish(*await worker.assigned(2))
    assert set(await client.outcomes()) == {second}


async def test_cancel_and_retry_answer_for_each_id(node: Node) -> None:
    client = await node.client()
    [task_id] = await client.submit(wait=False)
    nobody = new_id()
    outcomes = await client.ask("outcomes", cancel=pb.Cancel(ids=[task_id, nobody], reason="no need"))
    assert [item.state for item in outcomes.items] == ["cancelled", ""]
    assert outcomes.items[1].refusal.code == "task_not_found"
    outcomes = await client.ask("outcomes", retry=pb.Retry(ids=[task_id]))
    assert outcomes.items[0].state == "ready"


async def test_cancelling_a_running_task_tells_its_worker(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    [task_id] = await client.submit()
    [task] = await worker.assigned()
    worker.send(started=pb.Started(tasks=[pb.HeldRef(id=task.id, attempt=1)]))
    outcomes = await client.ask("outcomes", cancel=pb.Cancel(ids=[task_id]))
    assert outcomes.items[0].pending
    stop = await worker.next("stop")
    assert [(ref.id, ref.attempt) for ref in stop.tasks] == [(task_id, 1)]


async def test_a_list_is_read_page_by_page(node: Node) -> None:
    client = await node.client()
    ids = await client.submit(250, wait=False)
    seen: list[bytes] = []
    cursor = ""
    for _ in range(4):
        page = await client.ask("tasks", list=pb.List(limit=100, cursor=cursor))
        seen += [task.id for task in page.tasks]
        cursor = page.cursor
        if not cursor:
            break
    assert seen == ids[::-1]


async def test_a_page_of_large_tasks_ends_early_and_goes_on(node: Node) -> None:
    client = await node.client()
    params = payload(900_000)
    ids: list[bytes] = []
    for _ in range(5):
        ids += await client.submit(1, wait=False, params=params)
    answered: list[bytes] = []
    rest = ids
    while rest:
        page = await client.ask("tasks", get=pb.Get(ids=rest, detail=True))
        answered += [task.id for task in page.tasks]
        rest = rest[int(page.cursor) :] if page.cursor else []
    assert answered == ids


async def test_a_list_can_be_narrowed(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    await client.submit(3)
    await worker.finish(*(await worker.assigned(3))[:1])
    await client.outcomes(1)

    async def found(**query: Any) -> int:
        return len((await client.ask("tasks", list=pb.List(**query))).tasks)

    assert await found(states=["succeeded"]) == 1
    assert await found(states=["unended"]) == 2
    assert await found(worker="w1") == 3
    assert await found(worker="nobody") == 0
    assert await found(method="other") == 0


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"get": pb.Get(ids=[b"x"])}, "ids[0]"),
        ({"wait": pb.Wait(ids=[b"x"])}, "ids[0]"),
        ({"unwait": pb.Unwait(ids=[b"x"])}, "ids[0]"),
        ({"cancel": pb.Cancel(ids=[b"x"])}, "ids[0]"),
        ({"retry": pb.Retry(ids=[b""])}, "ids[0]"),
        ({"get": pb.Get(ids=[b"x" * 16] * 10_001)}, "ids"),
        ({"list": pb.List(states=["bogus"])}, "states[0]"),
        ({"list": pb.List(cursor="x")}, "cursor"),
        ({"list": pb.List(cursor="99999999999999999999999")}, "cursor"),
        ({"read_logs": pb.ReadLogs(id=b"x")}, "id"),
        ({"submit": pb.Submit()}, "tasks"),
        ({"submit": pb.Submit(tasks=[pb.NewTask(id=b"x" * 16, method="a")] * 1001)}, "tasks"),
        ({"register": pb.Register(facts=pb.WorkerFacts(id="w", slots=1))}, "session_key"),
        ({"register": pb.Register(session_key=KEY)}, "facts.slots"),
    ],
)
async def test_wrong_requests_are_answered_with_the_path(node: Node, body: dict[str, Any], path: str) -> None:
    client = await node.client()
    failure = await client.ask("failure", **body)
    assert failure.errors[0].path == path
    assert (await client.ask("stats", read_stats=pb.ReadStats())).node_id == "node-1"


@pytest.mark.parametrize(
    ("register", "path"),
    [
        ({"methods": [pb.Method(name=f"m{n}") for n in range(10_001)]}, "methods"),
        ({"methods": [pb.Method(name="x" * (1 << 20))]}, "methods[0].name"),
        ({"methods": [pb.Method(name="a"), pb.Method(name="a")]}, "methods"),
        ({"methods": [pb.Method(name="a", docs=["x" * (1 << 17)])]}, "methods[0].docs"),
        ({"facts": pb.WorkerFacts(id="w", slots=1_000_000_000)}, "facts.slots"),
        ({"facts": pb.WorkerFacts(id="w", slots=1, weight=2_000)}, "facts.weight"),
        ({"facts": pb.WorkerFacts(id="w", slots=1, groups=[f"g{n}" for n in range(257)])}, "facts.groups"),
        ({"facts": pb.WorkerFacts(id="x" * 1_000, slots=1)}, "facts.id"),
    ],
)
async def test_a_worker_beyond_the_limits_is_not_registered(node: Node, register: dict[str, Any], path: str) -> None:
    worker = await node.client()
    said = {"facts": pb.WorkerFacts(id="w", slots=1), "session_key": KEY, **register}
    failure = await worker.ask("failure", register=pb.Register(**said))
    assert [fault.path for fault in failure.errors] == [path]
    assert (await worker.ask("stats", read_stats=pb.ReadStats())).workers == 0


async def test_a_worker_serves_no_group_outside_its_tokens(start_node: StartNode) -> None:
    node = await start_node(Policy(open_mode=False))
    node.policy._book = node.books.tokens
    _, text = await node.books.tokens.create("mailer", ["worker"], ["mail"], None, "a test")
    worker = await node.client(text)
    for groups in (["video"], ["mail", "video"], []):
        facts = pb.WorkerFacts(id="w1", slots=1, groups=groups)
        failure = await worker.ask("failure", register=pb.Register(facts=facts, session_key=KEY))
        assert failure.code == "forbidden"
    facts = pb.WorkerFacts(id="w1", slots=1, groups=["mail"])
    assert await worker.ask("registered", register=pb.Register(facts=facts, session_key=KEY)) is not None


async def test_the_same_result_twice_is_kept_once_and_another_one_is_a_conflict(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    [task_id] = await client.submit()
    [task] = await worker.assigned()
    assert not (await worker.finish(task)).refused
    assert not (await worker.finish(task)).refused
    assert [item.code for item in (await worker.finish(task, result=b"4")).refused] == ["conflict"]
    assert (await client.outcomes())[task_id].result == b"3"


async def test_figures_workers_and_methods_are_told(node: Node) -> None:
    worker, client = await node.worker(methods=("add", "sub")), await node.client()
    await client.submit()
    await worker.finish(*await worker.assigned())
    stats = await client.ask("stats", read_stats=pb.ReadStats())
    assert (stats.workers, stats.clients, stats.submitted, stats.finished) == (1, 1, 1, 1)
    assert stats.tasks["succeeded"] == 1
    assert stats.pid
    assert stats.memory_bytes
    [view] = (await client.ask("workers", list_workers=pb.ListWorkers())).workers
    assert (view.facts.id, view.online, list(view.methods)) == ("w1", True, ["add", "sub"])
    methods = (await client.ask("methods", list_methods=pb.ListMethods())).methods
    assert {(method.name, method.workers) for method in methods} == {("add", 1), ("sub", 1)}


async def test_a_store_that_is_away_is_told_with_a_time_to_come_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise Unavailable("the disk is away", code="store_unavailable")

    client = await node.client()
    monkeypatch.setattr(node.engine, "get", away)
    failure = await client.ask("failure", get=pb.Get(ids=[new_id()]))
    assert (failure.code, failure.retry_after) == ("store_unavailable", 1_000_000)


async def test_a_fault_inside_the_node_is_an_answer_and_tells_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise KeyError("secret detail")

    client = await node.client()
    monkeypatch.setattr(node.engine, "get", broken)
    failure = await client.ask("failure", get=pb.Get(ids=[new_id()]))
    assert failure.code == "internal"
    assert "secret" not in failure.detail
    assert "secret detail" in caplog.text


async def test_nothing_of_a_worker_begins_before_its_register_has_ended(node: Node) -> None:
    """Register and everything after it in one go; and the worker hears Registered before the first task."""
    client, worker = await node.client(), await node.client()
    await client.submit(wait=False)
    facts = pb.WorkerFacts(id="w1", slots=4)
    register = pb.Register(facts=facts, methods=[pb.Method(name="add")], session_key=KEY)
    worker.send(1, register=register)
    worker.send(started=pb.Started())
    worker.send(heartbeat=pb.Heartbeat())
    worker.send(2, release=pb.Release())
    worker.send(3, finish=pb.Finish())
    await worker.next("done")
    await worker.next("finished")
    kinds = [frame.WhichOneof("body") for frame in worker.frames]
    if "assign" not in kinds:
        await worker.assigned()
    assert "registered" in kinds[:1]


async def test_a_duplicated_worker_says_everything_twice_and_nothing_happens_twice(node: Node) -> None:
    client, worker = await node.client(), await node.client()
    facts = pb.WorkerFacts(id="w1", slots=4)
    register = pb.Register(facts=facts, methods=[pb.Method(name="add")], session_key=KEY)
    for _ in range(2):
        worker.send(1, register=register)
    [task_id] = await client.submit()
    [task] = await worker.assigned()
    started = pb.Started(tasks=[pb.HeldRef(id=task.id, attempt=1)])
    result = pb.Result(id=task.id, attempt=1, verdict=1, result=b"3")
    for _ in range(2):
        worker.send(started=started)
        worker.send(5, finish=pb.Finish(results=[result]))
        worker.send(6, release=pb.Release(tasks=[pb.Ref(id=task.id, attempt=1)]))
    for _ in range(2):
        assert not (await worker.next("finished")).refused
        await worker.next("done")
    assert (await client.outcomes())[task_id].result == b"3"
    [view] = (await client.ask("tasks", get=pb.Get(ids=[task_id], detail=True))).tasks
    assert (view.attempt, view.state, len(view.attempts)) == (1, "succeeded", 0)


async def test_a_stale_result_is_refused_by_place(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    await client.submit()
    [task] = await worker.assigned()
    results = [pb.Result(id=task.id, attempt=1, verdict=1), pb.Result(id=new_id(), attempt=1, verdict=1)]
    finished = await worker.ask("finished", finish=pb.Finish(results=results))
    assert [(item.index, item.code) for item in finished.refused] == [(1, "task_not_found")]


async def test_a_stolen_worker_id_is_refused_and_the_owner_stays(node: Node) -> None:
    owner, thief = await node.worker(), await node.client()
    facts = pb.WorkerFacts(id="w1", slots=1)
    thief.send(1, register=pb.Register(facts=facts, session_key=b"x" * 16))
    assert (await thief.end())[0] == Close.WORKER_ID_TAKEN
    assert owner.ended is None


async def test_a_worker_that_comes_again_takes_over(node: Node) -> None:
    first, client = await node.worker(), await node.client()
    [task_id] = await client.submit()
    [task] = await first.assigned()
    second = await node.client()
    registered = await second.register(held=[pb.HeldRef(id=task.id, attempt=1), pb.HeldRef(id=new_id(), attempt=4)])
    assert [ref.attempt for ref in registered.lost] == [4]
    assert (await first.end())[0] == Close.SUPERSEDED
    await second.finish(task)
    assert (await client.outcomes())[task_id].state == "succeeded"


async def test_a_link_is_one_workers(node: Node) -> None:
    worker = await node.worker("w1")
    worker.send(1, register=pb.Register(facts=pb.WorkerFacts(id="w2", slots=1), session_key=KEY))
    code, reason = await worker.end()
    assert code == Close.BAD_FRAME
    assert "w1" in reason


async def test_methods_can_be_added_on_the_same_link(node: Node) -> None:
    worker, client = await node.worker(methods=("sub",)), await node.client()
    await client.submit()
    await worker.register(methods=("sub", "add"))
    assert len(await worker.assigned()) == 1


async def test_a_flapping_worker_leaves_nothing_behind(node: Node) -> None:
    client = await node.client()
    [task_id] = await client.submit()
    for _ in range(20):
        worker = await node.worker()
        worker.carrier.close(1006, "")
        await worker.end()
    worker = await node.worker()
    [task] = await worker.assigned()
    await worker.finish(task)
    assert (await client.outcomes())[task_id].state == "succeeded"
    assert len(node.lobby) == 2


async def test_a_killed_worker_gives_its_unstarted_tasks_back_at_once(node: Node) -> None:
    first, client = await node.worker("w1"), await node.client()
    await client.submit()
    await first.assigned()
    second = await node.worker("w2")
    first.carrier.close(1006, "killed")
    [task] = await second.assigned()
    assert task.attempt == 2


async def test_logs_and_progress_reach_who_follows(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    [task_id] = await client.submit(wait=False)
    [task] = await worker.assigned()
    client.send(4, read_logs=pb.ReadLogs(id=task_id, follow=True))
    for text in ("one", "two"):
        line = pb.LogLine(at=1, level=20, text=text)
        entry = pb.Report.Entry(id=task_id, attempt=1, lines=[line], progress=pb.Progress(share=0.5, note="half"))
        worker.send(report=pb.Report(entries=[entry]))
    texts: list[str] = []
    while texts != ["one", "two"]:
        logs = await client.next("logs")
        texts += [each.text for each in logs.lines]
        assert not logs.complete
    [view] = (await client.ask("tasks", get=pb.Get(ids=[task_id], detail=True))).tasks
    assert (view.progress.share, view.progress.note) == (0.5, "half")
    await worker.finish(task)
    assert (await client.next("logs")).complete


async def test_logs_that_are_there_are_read_in_one_go(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    [task_id] = await client.submit()
    [task] = await worker.assigned()
    lines = [pb.LogLine(at=n, level=20, text=f"{n} " + "x" * 8000) for n in range(200)]
    for start in range(0, 200, 50):
        entry = pb.Report.Entry(id=task_id, attempt=1, lines=lines[start : start + 50])
        worker.send(report=pb.Report(entries=[entry]))
    await worker.finish(task)
    await client.outcomes()
    client.send(4, read_logs=pb.ReadLogs(id=task_id))
    answers = [await client.next("logs")]
    while not answers[-1].complete:
        answers.append(await client.next("logs"))
    assert [line.at for answer in answers for line in answer.lines] == list(range(200))
    assert len(answers) > 1
    assert all(answer.ByteSize() <= FRAME_BYTES for answer in answers)


async def test_the_logs_of_an_unknown_task_are_not_found(node: Node) -> None:
    client = await node.client()
    for follow in (False, True):
        failure = await client.ask("failure", read_logs=pb.ReadLogs(id=new_id(), follow=follow))
        assert failure.code == "task_not_found"


async def test_too_many_follows_are_refused_and_end_with_the_link(node: Node) -> None:
    client = await node.client()
    [task_id] = await client.submit(wait=False)
    for number in range(100):
        client.send(number + 1, read_logs=pb.ReadLogs(id=task_id, follow=True))
    failure = await client.ask("failure", 500, read_logs=pb.ReadLogs(id=task_id, follow=True))
    assert failure.code == "too_many_follows"
    client.carrier.close(1000, "")
    await client.end()


@pytest.mark.parametrize(
    ("role", "allowed", "denied"),
    [
        ("viewer", {"stats": {"read_stats": pb.ReadStats()}}, {"submit": pb.Submit()}),
        ("client", {"workers": {"list_workers": pb.ListWorkers()}}, {"register": pb.Register()}),
        ("worker", {}, {"list": pb.List()}),
        ("operator", {"tasks": {"list": pb.List()}}, None),
    ],
)
async def test_roles_allow_what_they_say(
    start_node: StartNode, role: str, allowed: dict[str, Any], denied: dict[str, Any] | None
) -> None:
    secret = make_secret()
    node = await start_node(Policy(open_mode=False, tokens=Tokens([Token.of(secret, [role])])))
    peer = await node.client(secret)
    for answer, body in allowed.items():
        await peer.ask(answer, **body)
    if denied is not None:
        assert (await peer.ask("failure", **denied)).code == "forbidden"


async def test_a_token_in_the_hello_opens_the_link_and_a_bad_one_does_not(start_node: StartNode) -> None:
    secret = make_secret()
    node = await start_node(Policy(open_mode=False, tokens=Tokens([Token.of(secret, ["client"])])))
    assert list((await (await node.dial()).hello(token=secret)).roles) == ["client"]
    for token in ("", "wrong"):
        peer = await node.dial()
        peer.send(hello=pb.Hello(versions=[1], token=token))
        assert (await peer.end())[0] == Close.NOT_AUTHENTICATED


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\xff\xff garbage", Close.BAD_FRAME),
        (Frame(get=pb.Get()).SerializeToString(), Close.BAD_FRAME),
        (Frame(hello=pb.Hello(versions=[7])).SerializeToString(), Close.UNKNOWN_VERSION),
        (b"\x00" * (5 << 20), Close.TOO_BIG),
    ],
)
async def test_what_is_no_beginning_ends_the_link(node: Node, message: bytes, code: Close) -> None:
    peer = await node.dial()
    peer.carrier.write(message)
    assert (await peer.end())[0] == code
    assert len(node.lobby) == 0


async def test_more_than_sixty_four_requests_take_turns(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, gate = 0, 0, asyncio.Event()

    async def slow(_ids: Any) -> dict[bytes, Any]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await gate.wait()
        at_once -= 1
        return {}

    client = await node.client()
    monkeypatch.setattr(node.engine, "get", slow)
    for number in range(200):
        client.send(number + 1, get=pb.Get(ids=[b"x" * 16]))
    client.send(hello := 0, ping=pb.Ping())
    while most < 64:
        await asyncio.sleep(0)
    gate.set()
    answered = {(await client.next_frame("tasks")).request for _ in range(200)}
    assert answered == set(range(1, 201))
    assert most == 64
    assert hello == 0


async def test_a_heartbeat_is_not_held_up_by_requests(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()

    async def slow(*_: Any) -> dict[bytes, Any]:
        await gate.wait()
        return {}

    worker = await node.worker()
    monkeypatch.setattr(node.engine, "get", slow)
    for number in range(100):
        worker.send(number + 1, get=pb.Get(ids=[b"x" * 16]))
    worker.send(heartbeat=pb.Heartbeat(load=pb.Load(cpu=0.25)))
    other = await node.client()
    view = (await other.ask("workers", list_workers=pb.ListWorkers())).workers[0]
    while view.load.cpu != 0.25:
        view = (await other.ask("workers", list_workers=pb.ListWorkers())).workers[0]
    gate.set()


async def test_a_client_that_gives_no_credit_is_told_everything_in_time(node: Node) -> None:
    """While it is behind only ids are kept for it; once it reads on, the outcomes come from the store."""
    worker = await node.worker(slots=100)
    client = await node.client(window=1)
    params = payload(900_000)
    ids: list[bytes] = []
    for _ in range(10):
        ids += await client.submit()
        client.send(credit=1 << 20)
    tasks = await worker.assigned(10)
    for task in tasks:
        await worker.finish(task, result=params)
    told: dict[bytes, pb.Ended.Outcome] = {}
    while len(told) < 10:
        client.send(credit=1 << 20)
        told.update({outcome.id: outcome for outcome in (await client.next("ended")).outcomes})
    assert set(told) == set(ids)
    assert all(outcome.result == params for outcome in told.values())


class StuckCarrier:
    """Takes messages and passes none on."""

    def __init__(self) -> None:
        self.buffered = 0
        self.ended: tuple[int, str] | None = None

    def write(self, message: bytes) -> None:
        self.buffered += len(message)

    def close(self, code: int, reason: str) -> None:
        self.ended = (code, reason)


async def test_a_peer_that_does_not_read_is_closed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outflow, "STALLED_AFTER", -1.0)
    carrier = StuckCarrier()
    session = node.lobby.open(carrier)
    session.message(Frame(hello=pb.Hello(versions=[1], window=1 << 30)).SerializeToString())
    carrier.buffered = outflow.HIGH_WATER + 1
    session.tick()
    assert carrier.ended is not None
    assert carrier.ended[0] == Close.POLICY
    session.closed(*carrier.ended)


async def test_a_peer_that_lags_has_no_further_request_begun(node: Node) -> None:
    carrier = StuckCarrier()
    session = node.lobby.open(carrier)
    session.message(Frame(hello=pb.Hello(versions=[1], window=1 << 30)).SerializeToString())
    carrier.buffered = outflow.HIGH_WATER + 1
    session.message(Frame(request=1, read_stats=pb.ReadStats()).SerializeToString())
    assert not session.under_way
    carrier.buffered = 0
    session.tick()
    while not session.under_way:
        await asyncio.sleep(0)
    session.closed(1006, "")


async def test_leaving_says_goodbye_to_everybody(node: Node) -> None:
    worker, client = await node.worker(), await node.client()
    await node.lobby.leave("back soon")
    for peer in (worker, client):
        assert (await peer.next("goodbye")).reason == "back soon"
        assert (await peer.end())[0] == Close.GOING_AWAY
    assert len(node.lobby) == 0


async def test_a_worker_that_says_goodbye_has_drained(node: Node) -> None:
    worker = await node.worker()
    worker.send(goodbye=pb.Goodbye(reason="deploy"))
    worker.carrier.close(1000, "")
    await worker.end()
    client = await node.client()
    [view] = (await client.ask("workers", list_workers=pb.ListWorkers(all=True))).workers
    while view.online:
        [view] = (await client.ask("workers", list_workers=pb.ListWorkers(all=True))).workers
    assert view.gone_reason == "deploy"


async def test_a_silent_link_is_ended(node: Node) -> None:
    peer: Peer = await node.dial()
    session = next(iter(node.lobby._guests))
    session._end._opened_at -= 10  # type: ignore[attr-defined]
    session.tick()
    assert (await peer.end())[0] == Close.SILENT


async def test_requests_under_way_are_answered_before_the_node_leaves(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, asked = asyncio.Event(), asyncio.Event()

    async def slow(_ids: Any) -> dict[bytes, Any]:
        asked.set()
        await gate.wait()
        return {}

    client = await node.client()
    monkeypatch.setattr(node.engine, "get", slow)
    client.send(1, get=pb.Get(ids=[b"x" * 16]))
    await asked.wait()
    leaving = asyncio.create_task(node.lobby.leave("bye", within=5.0))
    await asyncio.sleep(0)
    gate.set()
    assert (await client.next_frame("tasks")).request == 1
    assert (await client.end())[0] == Close.GOING_AWAY
    await leaving


async def test_a_node_does_not_wait_for_ever_for_what_is_under_way(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(_ids: Any) -> dict[bytes, Any]:
        return await asyncio.get_running_loop().create_future()

    client = await node.client()
    monkeypatch.setattr(node.engine, "get", stuck)
    client.send(1, get=pb.Get(ids=[b"x" * 16]))
    await node.lobby.leave("bye", within=0.05)
    assert (await client.end())[0] == Close.GOING_AWAY


async def test_a_flood_of_heartbeats_reaches_the_engine_now_and_then(node: Node) -> None:
    worker = await node.worker()
    for number in range(100):
        worker.send(heartbeat=pb.Heartbeat(load=pb.Load(cpu=number / 100)))
    await worker.ask("done", release=pb.Release())
    [view] = (await worker.ask("workers", list_workers=pb.ListWorkers())).workers
    assert view.load.cpu == 0.0
