"""The async client: what shares frames, what is waited for, what is told when the node is away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from fake_node import FakeLink, FakeNode, default_answer

from rota.client.call import call
from rota.client.client import AsyncClient
from rota.link.codes import Close
from rota.model.errors import (
    CannotConnect,
    Conflict,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    RotaError,
    TaskCancelled,
    TaskExpired,
    TaskFailed,
    TaskTimedOut,
    Unavailable,
    WaitTimeout,
)
from rota.wire.v1.link_pb2 import (
    Ended,
    Error,
    Failure,
    Frame,
    LogLine,
    Logs,
    Outcomes,
    Submitted,
    Task,
    TaskPage,
)

A, B = bytes([1]) * 16, bytes([2]) * 16
A_TEXT = "01010101-0101-0101-0101-010101010101"


@pytest.fixture
async def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
async def client(node: FakeNode) -> AsyncIterator[AsyncClient]:
    async with AsyncClient("http://a:1", dial=node.dial, connect_timeout=0.3) as client:
        yield client


def tell(link: FakeLink, *ids: bytes, state: str = "succeeded", **more: object) -> None:
    link.send(Frame(ended=Ended(outcomes=[Ended.Outcome(id=each, state=state, **more) for each in ids])))  # type: ignore[arg-type]


def finishing(link: FakeLink, frame: Frame) -> Frame | None:
    """A node whose workers take no time."""
    ids = [task.id for task in frame.submit.tasks] if frame.submit.wait else list(frame.wait.ids)
    link.loop.call_soon(tell, link, *ids)
    return default_answer(frame)


async def test_submits_of_one_loop_turn_share_a_frame(node: FakeNode, client: AsyncClient) -> None:
    receipts = await asyncio.gather(*(client.submit("add", [n]) for n in range(50)))
    frames = node.bodies("submit")
    assert [len(frame.submit.tasks) for frame in frames] == [50]
    assert [task.params for task in frames[0].submit.tasks] == [f"[{n}]".encode() for n in range(50)]
    assert len({receipt.id for receipt in receipts}) == 50


async def test_what_comes_while_submits_are_under_way_shares_the_next_frame(
    node: FakeNode, client: AsyncClient
) -> None:
    held: list[tuple[FakeLink, Frame]] = []
    node.answer = lambda link, frame: held.append((link, frame))
    waiting = []
    for n in range(20):
        waiting.append(asyncio.create_task(client.submit("add", n)))
        for _ in range(5):
            await asyncio.sleep(0)
    await node.until("submit", 4)
    assert len(node.bodies("submit")) == 4
    node.answer = lambda link, frame: default_answer(frame)
    for link, frame in held:
        link.send(Frame(request=frame.request, submitted=Submitted()))
    await asyncio.gather(*waiting)
    assert [len(frame.submit.tasks) for frame in node.bodies("submit")] == [1, 1, 1, 1, 16]


async def test_a_refused_task_fails_alone(node: FakeNode, client: AsyncClient) -> None:
    refusal = Submitted.Exception(index=1, refusal=Failure(code="queue_full", detail="full"))
    node.answer = lambda link, frame: Frame(submitted=Submitted(exceptions=[refusal]))
    good, bad = await asyncio.gather(client.submit("a"), client.submit("b"), return_exceptions=True)
    assert good.refusal is None  # type: ignore[union-attr]
    assert isinstance(bad, RotaError)
    assert bad.code == "queue_full"


async def test_a_duplicate_names_the_task_that_was_there(node: FakeNode, client: AsyncClient) -> None:
    node.answer = lambda link, frame: Frame(
        submitted=Submitted(exceptions=[Submitted.Exception(index=0, duplicate_of=A, warning="w")])
    )
    receipt = await client.submit("add", unique_key="k")
    assert (receipt.id, receipt.duplicate, receipt.warning) == (A_TEXT, True, "w")


async def test_a_submit_is_sent_again_with_the_same_id_when_the_link_breaks(
    node: FakeNode, client: AsyncClient
) -> None:
    def break_once(link: FakeLink, frame: Frame) -> Frame | None:
        if len(node.links) == 1:
            link.close(Close.ABNORMAL, "broke")
            return None
        own = frame.submit.tasks[0].id
        return Frame(submitted=Submitted(exceptions=[Submitted.Exception(index=0, duplicate_of=own)]))

    node.answer = break_once
    receipt = await client.submit("add", 1)
    first, second = node.bodies("submit")
    assert first.submit.tasks[0].id == second.submit.tasks[0].id
    assert not receipt.duplicate


async def test_execute_submits_waits_and_returns_the_result(node: FakeNode, client: AsyncClient) -> None:
    def finish(link: FakeLink, frame: Frame) -> Frame | None:
        assert frame.submit.wait
        link.loop.call_soon(lambda: tell(link, frame.submit.tasks[0].id, result=b'{"sum":3}'))
        return default_answer(frame)

    node.answer = finish
    assert await client.execute("add", {"a": 1, "b": 2}) == {"sum": 3}


async def test_an_outcome_may_come_before_the_receipt(node: FakeNode, client: AsyncClient) -> None:
    def finish(link: FakeLink, frame: Frame) -> Frame | None:
        tell(link, frame.submit.tasks[0].id, result=b"3")
        return default_answer(frame)

    node.answer = finish
    assert await client.execute("add") == 3


async def test_executing_a_duplicate_waits_for_the_task_that_was_there(node: FakeNode, client: AsyncClient) -> None:
    def stand_in(link: FakeLink, frame: Frame) -> Frame | None:
        if frame.HasField("wait"):
            link.loop.call_soon(lambda: tell(link, *frame.wait.ids, result=b'"theirs"'))
            return default_answer(frame)
        return Frame(submitted=Submitted(exceptions=[Submitted.Exception(index=0, duplicate_of=A)]))

    node.answer = stand_in
    assert await client.execute("add", unique_key="k") == "theirs"


@pytest.mark.parametrize(
    ("state", "reason", "error"),
    [
        ("failed", "raised", TaskFailed),
        ("failed", "timed_out", TaskTimedOut),
        ("cancelled", "cancelled_by_caller", TaskCancelled),
        ("expired", "expired_unstarted", TaskExpired),
    ],
)
async def test_a_task_that_did_not_succeed_raises_what_became_of_it(
    node: FakeNode, client: AsyncClient, state: str, reason: str, error: type[RotaError]
) -> None:
    def finish(link: FakeLink, frame: Frame) -> Frame | None:
        what = Error(types=["m.Boom", "Exception"], message="bang", traceback="Traceback …")
        link.loop.call_soon(lambda: tell(link, frame.submit.tasks[0].id, state=state, reason=reason, error=what))
        return default_answer(frame)

    node.answer = finish
    with pytest.raises(error) as raised:
        await client.execute("add")
    if isinstance(raised.value, TaskFailed):
        assert (raised.value.error_type, raised.value.message, raised.value.traceback) == (
            "m.Boom",
            "bang",
            "Traceback …",
        )


async def test_waiting_too_long_raises_and_tells_the_node(node: FakeNode, client: AsyncClient) -> None:
    with pytest.raises(WaitTimeout, match="goes on"):
        await client.wait(A, timeout=0.05)
    assert list((await node.until("unwait"))[0].unwait.ids) == [A]


async def test_a_cancelled_wait_tells_the_node(node: FakeNode, client: AsyncClient) -> None:
    waiting = asyncio.create_task(client.wait(A))
    await node.until("wait")
    waiting.cancel()
    await node.until("unwait")


async def test_an_unknown_task_is_not_found(node: FakeNode, client: AsyncClient) -> None:
    def unknown(link: FakeLink, frame: Frame) -> Frame | None:
        link.loop.call_soon(lambda: tell(link, *frame.wait.ids, state="unknown"))
        return default_answer(frame)

    node.answer = unknown
    with pytest.raises(NotFound):
        await client.wait(A)
    node.answer = lambda link, frame: default_answer(frame)
    with pytest.raises(NotFound):
        await client.get(A)


async def test_a_wait_survives_a_lost_link(node: FakeNode, client: AsyncClient) -> None:
    waiting = asyncio.create_task(client.wait(A))
    await node.until("wait")
    node.link.close(Close.GOING_AWAY, "the node stops")
    await node.until("wait", 2)
    tell(node.link, A, result=b"1")
    assert (await waiting).ok


async def test_outcomes_of_many_come_as_they_end(node: FakeNode, client: AsyncClient) -> None:
    ids = [number.to_bytes(16, "big") for number in range(1, 4)]
    outcomes = client.wait_many(ids)
    first = asyncio.create_task(anext(outcomes))
    await node.until("wait")
    tell(node.link, ids[2])
    assert (await first).id.endswith("3")
    tell(node.link, ids[0], ids[1])
    assert [outcome.id[-1] async for outcome in outcomes] == ["1", "2"]


async def test_any_number_is_waited_for_in_a_bounded_window(node: FakeNode, client: AsyncClient) -> None:
    most = 0

    def finish(link: FakeLink, frame: Frame) -> Frame | None:
        nonlocal most
        most = max(most, client.core._end.waiting)
        return finishing(link, frame)

    node.answer = finish
    ids = (number.to_bytes(16, "big") for number in range(25_000))
    assert len([outcome async for outcome in client.wait_many(ids)]) == 25_000
    assert most <= 10_000


async def test_gathered_outcomes_come_in_the_order_of_the_ids(node: FakeNode, client: AsyncClient) -> None:
    def backwards(link: FakeLink, frame: Frame) -> Frame | None:
        link.loop.call_soon(lambda: tell(link, *reversed(frame.wait.ids)))
        return default_answer(frame)

    node.answer = backwards
    outcomes = await client.gather([A, B, A])
    assert [outcome.id[:2] for outcome in outcomes] == ["01", "02", "01"]


async def test_not_all_in_time_names_those_that_are_missing(node: FakeNode, client: AsyncClient) -> None:
    with pytest.raises(WaitTimeout, match=A_TEXT):
        async for _ in client.wait_many([A], timeout=0.05):
            pass
    await node.until("unwait")


async def test_many_are_submitted_in_frames_within_the_limits(node: FakeNode, client: AsyncClient) -> None:
    receipts = await client.submit_many(("add", [n]) for n in range(2_500))
    assert [len(frame.submit.tasks) for frame in node.bodies("submit")] == [1000, 1000, 500]
    assert len({receipt.id for receipt in receipts}) == 2_500
    big = [call("store", "x" * 900_000) for _ in range(5)]
    await client.submit_many(big)
    assert [len(frame.submit.tasks) for frame in node.bodies("submit")[3:]] == [2, 2, 1]


async def test_refusals_of_many_come_beside_the_receipts(node: FakeNode, client: AsyncClient) -> None:
    refusal = Submitted.Exception(index=1, refusal=Failure(code="invalid_name", detail="bad"))
    node.answer = lambda link, frame: Frame(submitted=Submitted(exceptions=[refusal]))
    receipts = await client.submit_many([("a", 1), ("b", 2, {"priority": 3}), call("c", 3)])
    assert [receipt.refusal is None for receipt in receipts] == [True, False, True]
    assert node.bodies("submit")[0].submit.tasks[1].options.priority == 3


async def test_an_atomic_batch_is_one_frame(node: FakeNode, client: AsyncClient) -> None:
    await client.submit_many([("a", 1), ("b", 2)], atomic=True)
    assert node.bodies("submit")[0].submit.atomic
    with pytest.raises(InvalidInput, match="one frame"):
        await client.submit_many((("a", n) for n in range(1_001)), atomic=True)


async def test_no_node_is_told_in_time_with_the_way_out() -> None:
    node = FakeNode()
    node.refuses = ConnectionRefusedError("nobody there")
    async with AsyncClient("http://a:1,http://b:2", dial=node.dial, connect_timeout=0.1) as client:
        with pytest.raises(CannotConnect) as raised:
            await client.submit("add")
        with pytest.raises(CannotConnect):
            await client.wait(A)
    for part in ("http://a:1, http://b:2", "nobody there", "rota node", "ROTA_URL", "0.1 s"):
        assert part in str(raised.value)


async def test_calls_wait_for_a_node_that_comes_back_in_time(node: FakeNode, client: AsyncClient) -> None:
    node.refuses = ConnectionRefusedError("not yet")
    submitting = asyncio.create_task(client.submit("add"))
    while len(node.dialled) < 1:
        await asyncio.sleep(0)
    node.refuses = None
    assert (await submitting).id


async def test_what_was_sent_before_an_outage_has_an_unknown_outcome(node: FakeNode, client: AsyncClient) -> None:
    def vanish(link: FakeLink, frame: Frame) -> Frame | None:
        node.refuses = ConnectionRefusedError("gone")
        link.close(Close.ABNORMAL, "broke")
        return None

    node.answer = vanish
    with pytest.raises(Unavailable) as raised:
        await client.submit("add")
    assert raised.value.code == "outcome_unknown"


async def test_a_retry_is_never_asked_twice(node: FakeNode, client: AsyncClient) -> None:
    def vanish(link: FakeLink, frame: Frame) -> Frame | None:
        link.close(Close.ABNORMAL, "broke")
        return None

    node.answer = vanish
    with pytest.raises(Unavailable, match="look at the task"):
        await client.retry(A)
    assert len(node.bodies("retry")) == 1


async def test_a_bad_token_is_told_at_once_and_asked_anew_by_the_next_call(node: FakeNode, client: AsyncClient) -> None:
    node.refuses = NotAuthenticated("no such token")
    for tries in (1, 2):
        with pytest.raises(NotAuthenticated):
            await client.submit("add")
        assert len(node.dialled) == tries


async def test_closing_answers_what_waits(node: FakeNode, client: AsyncClient) -> None:
    waiting = asyncio.create_task(client.wait(A))
    await node.until("wait")
    await client.close()
    with pytest.raises(Unavailable, match="closed"):
        await waiting
    assert (await client.submit("add")).id  # and a later call connects again


async def test_too_large_params_are_refused_before_they_are_sent(node: FakeNode, client: AsyncClient) -> None:
    await client.submit("add")
    with pytest.raises(InvalidInput) as raised:
        await client.submit("add", "x" * (1 << 20))
    assert raised.value.code == "payload_too_large"
    assert len(node.bodies("submit")) == 1


async def test_one_call_that_is_too_large_for_a_frame_fails_alone(node: FakeNode, client: AsyncClient) -> None:
    node.welcome.max_frame, node.welcome.max_payload = 1000, 1 << 20
    good, bad = await asyncio.gather(
        client.submit("add"), client.submit_many([("add", "x" * 2000)]), return_exceptions=True
    )
    assert good.id  # type: ignore[union-attr]
    assert isinstance(bad, InvalidInput)


async def test_lists_come_page_by_page(node: FakeNode, client: AsyncClient) -> None:
    def pages(link: FakeLink, frame: Frame) -> Frame | None:
        last = frame.list.cursor == "next"
        return Frame(tasks=TaskPage(tasks=[Task(id=B if last else A, state="ready")], cursor="" if last else "next"))

    node.answer = pages
    found = [task async for task in client.list(states="ready", created_after=datetime(2026, 1, 1, tzinfo=UTC))]
    assert [task.id[:2] for task in found] == ["01", "02"]
    asked = node.bodies("list")[0].list
    assert (list(asked.states), asked.created_after) == (["ready"], 1_767_225_600_000_000)
    assert len([task async for task in client.list(limit=1)]) == 1
    with pytest.raises(ValueError, match="time zone"):
        _ = [task async for task in client.list(created_before=datetime(2026, 1, 1))]


async def test_a_get_goes_on_where_the_node_stopped(node: FakeNode, client: AsyncClient) -> None:
    def one_by_one(link: FakeLink, frame: Frame) -> Frame | None:
        more = len(frame.get.ids) > 1
        return Frame(tasks=TaskPage(tasks=[Task(id=frame.get.ids[0])], cursor="1" if more else ""))

    node.answer = one_by_one
    assert len(await client.get_many([A, B])) == 2


async def test_a_task_is_shown_in_plain_values(node: FakeNode, client: AsyncClient) -> None:
    shown = Task(
        id=A,
        method="add",
        state="succeeded",
        params=b'{"a":1}',
        result=b"2",
        created_at=1_767_225_600_000_000,
        timeout=1_500_000,
    )
    node.answer = lambda link, frame: Frame(tasks=TaskPage(tasks=[shown]))
    task = await client.get(A_TEXT)
    assert (task.params, task.result, task.timeout, task.ended) == ({"a": 1}, 2, 1.5, True)
    assert task.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert task.started_at is None


async def test_cancel_answers_the_state_or_raises_the_refusal(node: FakeNode, client: AsyncClient) -> None:
    item = Outcomes.Item(id=A, state="running", pending=True)
    node.answer = lambda link, frame: Frame(outcomes=Outcomes(items=[item]))
    assert (await client.cancel(A, "enough")).pending
    assert node.bodies("cancel")[0].cancel.reason == "enough"
    item.refusal.code = "already_finished"
    with pytest.raises(Conflict):
        await client.cancel(A)


async def test_logs_are_followed_until_the_task_has_ended(node: FakeNode, client: AsyncClient) -> None:
    node.answer = lambda link, frame: None
    lines = client.logs(A, follow=True)
    first = asyncio.create_task(anext(lines))
    request = (await node.until("read_logs"))[0].request
    node.link.send(Frame(request=request, logs=Logs(lines=[LogLine(number=1, level=20, text="one")])))
    assert (await first).text == "one"
    node.link.send(Frame(request=request, logs=Logs(lines=[LogLine(number=2, text="two")], complete=True)))
    assert [line.text async for line in lines] == ["two"]


async def test_one_client_in_two_running_loops_is_refused(client: AsyncClient) -> None:
    await client.submit("add")

    async def elsewhere() -> str:
        with pytest.raises(RotaError) as raised:
            await client.submit("add")
        return raised.value.code

    assert await asyncio.to_thread(asyncio.run, elsewhere()) == "wrong_loop"


def test_a_client_may_be_used_in_one_loop_after_another() -> None:
    node = FakeNode()
    client = AsyncClient("http://a:1", dial=node.dial)

    async def once() -> str:
        receipt = await client.submit("add")
        await client.close()
        return receipt.id

    assert asyncio.run(once()) != asyncio.run(once())
