"""A worker at a scripted node: what the node sees is what a user gets."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rota.link.codes import Close
from rota.model.errors import Conflict, InvalidInput, NotAuthenticated
from rota.wire.v1 import link_pb2 as pb
from rota.worker.context import Cancel, Context, Retry, current
from rota.worker.runtime import Worker

from .scripted_node import ScriptedNode, ids, task_id


@contextlib.asynccontextmanager
async def at_work(node: ScriptedNode, *register: Any, grace: float = 5.0, **options: Any) -> AsyncIterator[Worker]:
    worker = Worker("local:", dial=node.dial, **options)
    for name, fn in register:
        worker.register_method(name, fn)
    await worker.astart()
    try:
        await node.registered()
        yield worker
    finally:
        await worker.astop(grace)


async def test_async_and_def_handlers_return_their_results() -> None:
    node = ScriptedNode()

    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    def shout(ctx: Context, value: str) -> str:
        return f"{value.upper()} {ctx.attempt}"

    async with at_work(node, ("double", double), ("shout", shout)):
        node.give(1, "double", b"21")
        node.give(2, "shout", b'"hey"', attempt=3)
        assert (await node.result(1)).result == b"42"
        second = await node.result(2)
        assert (second.result, second.attempt, second.verdict) == (b'"HEY 3"', 3, pb.SUCCEEDED)
        assert second.started_at > 0


async def test_it_says_who_it_is_and_what_it_offers() -> None:
    node = ScriptedNode()
    worker = Worker(
        "local:", dial=node.dial, name="w", application="shop", groups=("a", "b"), slots=3, labels={"x": "y"}
    )
    worker.register_method("add", lambda v: v, "Adds.", version=2, retries=3, timeout=30)
    await worker.astart()
    await node.registered()
    register = node.seen("register")[0]
    facts, (method,) = register.facts, register.methods
    assert (facts.name, facts.application, list(facts.groups), facts.slots) == ("w", "shop", ["a", "b"], 3)
    assert facts.id == worker.id
    assert facts.host
    assert facts.pid
    assert facts.language.startswith("python 3")
    assert facts.memory_bytes
    assert (method.name, method.version, list(method.docs)) == ("add", 2, ["Adds."])
    assert (method.defaults.retries, method.defaults.timeout) == (3, 30_000_000)
    assert len(register.session_key) >= 16
    await worker.astop()


async def test_a_method_added_while_it_runs_is_offered_at_once() -> None:
    node = ScriptedNode()
    async with at_work(node) as worker:
        worker.register_method("late", lambda value: value)
        await node.registered(2)
        assert [m.name for m in node.seen("register")[1].methods] == ["late"]
        node.give(1, "late", b"7")
        assert (await node.result(1)).result == b"7"


async def test_errors_travel_with_type_message_and_a_traceback_without_rotas_frames() -> None:
    node = ScriptedNode()

    async def waits_and_breaks(value: Any) -> None:
        await asyncio.sleep(0)
        raise ValueError("no good")

    def breaks(value: Any) -> None:
        raise KeyError("k")

    async with at_work(node, ("a", waits_and_breaks), ("b", breaks)):
        node.give(1, "a")
        node.give(2, "b")
        first, second = await node.result(1), await node.result(2)
        assert first.verdict == second.verdict == pb.RAISED
        assert list(first.error.types) == ["ValueError", "Exception"]
        assert list(second.error.types) == ["KeyError", "LookupError", "Exception"]
        assert first.error.message == "no good"
        assert "waits_and_breaks" in first.error.traceback
        assert "rota/worker" not in first.error.traceback + second.error.traceback


async def test_a_handler_may_ask_for_another_try_or_cancel_its_task() -> None:
    node = ScriptedNode()

    def retry(value: Any) -> None:
        raise Retry(2.5, "not yet")

    async def cancel(value: Any) -> None:
        raise Cancel("not needed")

    async with at_work(node, ("retry", retry), ("cancel", cancel)):
        node.give(1, "retry")
        node.give(2, "cancel")
        first, second = await node.result(1), await node.result(2)
        assert (first.verdict, first.retry_after, first.error.message) == (pb.RETRY, 2_500_000, "not yet")
        assert (second.verdict, second.error.message) == (pb.CANCELLED, "not needed")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError("mine")])
async def test_a_handlers_own_exit_is_its_tasks_failure_not_the_workers_end(error: BaseException) -> None:
    node = ScriptedNode()

    async def leave(value: Any) -> None:
        await asyncio.sleep(0)
        raise error

    def leave_plainly(value: Any) -> None:
        raise error

    async with at_work(node, ("a", leave), ("d", leave_plainly), ("ok", lambda value: 1)):
        node.give(1, "a")
        node.give(2, "d")
        assert (await node.result(1)).verdict == (await node.result(2)).verdict == pb.RAISED
        node.give(3, "ok")
        assert (await node.result(3)).result == b"1"


async def test_bad_params_and_unknown_methods_are_told() -> None:
    node = ScriptedNode()

    def typed(value: int) -> int:
        return value

    async with at_work(node, ("typed", typed)):
        node.give(1, "typed", b'"x"')
        node.give(2, "typed", b"{")
        node.give(3, "nobody")
        assert (await node.result(1)).verdict == (await node.result(2)).verdict == pb.INVALID_PARAMS
        assert "nobody" in (await node.result(3)).error.message


async def test_a_result_over_the_limit_or_beyond_json_is_a_failure() -> None:
    node = ScriptedNode(max_payload=100)
    async with at_work(node, ("big", lambda value: "x" * value), ("odd", lambda value: {"a": [1, object()]})):
        node.give(1, "big", b"98")
        node.give(2, "big", b"99")
        node.give(3, "odd")
        assert (await node.result(1)).verdict == pb.SUCCEEDED
        assert (await node.result(2)).verdict == pb.RESULT_TOO_LARGE
        odd = await node.result(3)
        assert odd.error.types[0] == "TypeError"
        assert "result['a'][1]" in odd.error.message


# ---------------------------------------------------------------- starts, order, slots


async def test_runs_that_start_at_once_are_declared_before_their_handlers_begin() -> None:
    node = ScriptedNode()
    seen: list[int] = []

    def look(value: int) -> None:
        seen.append(len([t for body in node.seen("started") for t in body.tasks if t.id == task_id(value)]))

    async with at_work(node, ("look", look), slots=2):
        node.give(1, "look", b"1")
        node.give(2, "look", b"2")
        await node.result(1)
        await node.result(2)
    assert seen == [1, 1]


async def test_an_announced_run_that_waits_for_a_slot_is_declared_before_it_begins() -> None:
    node, gate = ScriptedNode(), asyncio.Event()
    declared: list[bool] = []

    async def first(value: Any) -> None:
        await gate.wait()

    async def suspect(value: Any) -> None:
        declared.append(task_id(2) in {t.id for body in node.seen("started") for t in body.tasks})

    async with at_work(node, ("first", first), ("suspect", suspect), slots=1):
        node.give(1, "first")
        node.give(2, "suspect", announce=True)
        await node.started(1)
        gate.set()
        await node.result(2)
    assert declared == [True]


async def test_a_run_that_started_late_and_lasts_is_declared_then() -> None:
    node, gates = ScriptedNode(), [asyncio.Event(), asyncio.Event()]

    async def wait(value: int) -> None:
        await gates[value].wait()

    async with at_work(node, ("wait", wait), slots=1):
        node.give(1, "wait", b"0")
        node.give(2, "wait", b"1")
        await node.started(1)
        gates[0].set()
        await node.started(2)
        gates[1].set()
        await node.result(2)


async def test_handlers_begin_in_the_order_assigned_and_never_more_than_the_slots() -> None:
    node = ScriptedNode()
    begun: list[int] = []
    now = most = 0
    lock = threading.Lock()

    def enter(number: int) -> None:
        nonlocal now, most
        with lock:
            begun.append(number)
            now += 1
            most = max(most, now)

    def leave() -> None:
        nonlocal now
        with lock:
            now -= 1

    async def light(number: int) -> None:
        enter(number)
        await asyncio.sleep(0.001)
        leave()

    def heavy(number: int) -> None:
        enter(number)
        time.sleep(0.001)
        leave()

    async with at_work(node, ("light", light), ("heavy", heavy), slots=4):
        node.assign(
            *(
                pb.Assignment(id=task_id(n), attempt=1, method=("light", "heavy")[n % 2], params=str(n).encode())
                for n in range(200)
            )
        )
        await node.until(lambda: len(node.results()) == 200)
    assert most <= 4
    # Two executors begin side by side, so neighbours within the slots may change places.
    assert all(abs(place - number) < 8 for place, number in enumerate(begun))


async def test_one_methods_handlers_begin_strictly_in_order() -> None:
    node = ScriptedNode()
    begun: list[int] = []

    async def note(number: int) -> None:
        begun.append(number)
        if number % 3 == 0:
            await asyncio.sleep(0)

    async with at_work(node, ("note", note), slots=3):
        for start in range(0, 300, 30):
            numbers = range(start, start + 30)
            node.assign(
                *(pb.Assignment(id=task_id(n), attempt=1, method="note", params=str(n).encode()) for n in numbers)
            )
        await node.until(lambda: len(node.results()) == 300)
    assert begun == list(range(300))


async def test_results_of_many_tasks_share_frames() -> None:
    node = ScriptedNode()

    async def nothing(value: Any) -> None:
        return None

    async with at_work(node, ("nothing", nothing)):
        node.assign(*(pb.Assignment(id=task_id(n), attempt=1, method="nothing") for n in range(1000)))
        await node.until(lambda: len(node.results()) == 1000)
    assert len(node.seen("finish")) < 100


# ---------------------------------------------------------------- context


async def test_a_handler_sees_its_task() -> None:
    node = ScriptedNode()
    seen: dict[str, Any] = {}

    async def look(ctx: Context, value: Any) -> None:
        await asyncio.sleep(0)
        assert current() is ctx
        seen.update(
            id=ctx.task_id, method=ctx.method, failures=ctx.failures, retries=ctx.retries, created=ctx.created_at,
            fire=ctx.fire_at, deadline=ctx.deadline, labels=dict(ctx.labels), group=ctx.group, cancelled=ctx.cancelled,
            after=ctx.after, batch=ctx.batch,
        )  # fmt: skip

    async with at_work(node, ("look", look)):
        node.give(
            5, "look", failures=1, retries=3, created_at=1_000_000, timeout=5_000_000, labels={"a": "b"}, group="g"
        )
        await node.result(5)
    assert seen["id"] == "00000000-0000-0000-0000-000000000005"
    assert (seen["method"], seen["failures"], seen["retries"], seen["group"]) == ("look", 1, 3, "g")
    assert seen["created"].timestamp() == 1.0
    assert seen["fire"] is None
    assert seen["deadline"] is not None
    assert seen["labels"] == {"a": "b"}
    assert not seen["cancelled"]
    assert (seen["after"], seen["batch"]) == ((), None)


async def test_a_handler_sees_what_its_task_comes_after_and_its_batch() -> None:
    node = ScriptedNode()

    async def look(ctx: Context, value: Any) -> list[Any]:
        return [ctx.after, ctx.batch]

    async with at_work(node, ("look", look)):
        node.give(5, "look", after=[task_id(3), task_id(4)], batch="night")
        result = await node.result(5)
    parents = '["00000000-0000-0000-0000-000000000003","00000000-0000-0000-0000-000000000004"]'
    assert result.result.decode() == f'[{parents},"night"]'


async def test_logging_and_progress_reach_the_task_before_its_outcome_does() -> None:
    node = ScriptedNode()

    def chatty(ctx: Context, value: Any) -> None:
        ctx.log.info("by the context %d", 1)
        logging.getLogger("user.code").warning("by logging")
        threading.Thread(target=lambda: ctx.log.error("from a thread of its own")).start()
        for step in range(101):
            ctx.progress(step / 100, f"step {step}")

    async with at_work(node, ("chatty", chatty)):
        node.give(1, "chatty")
        await node.result(1)
        await node.until(lambda: len(node.lines(1)) == 3)
    assert set(node.lines(1)) == {"by the context 1", "by logging", "from a thread of its own"}
    progress = [e.progress for body in node.seen("report") for e in body.entries if e.HasField("progress")]
    assert progress[-1].share == 1.0
    assert len(progress) < 10
    kinds = [kind for kind, _ in node.frames if kind in ("report", "finish")]
    assert kinds[0] == "report"


async def test_what_is_logged_outside_of_handlers_is_nobodys() -> None:
    node = ScriptedNode()
    async with at_work(node, ("ok", lambda value: 1)):
        logging.getLogger("elsewhere").warning("not a task's")
        node.give(1, "ok")
        await node.result(1)
    assert not node.seen("report")


# ---------------------------------------------------------------- timeouts and stops


async def test_a_handler_that_runs_too_long_is_stopped() -> None:
    node = ScriptedNode()
    ended: list[str] = []

    async def slow(value: Any) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("async")
            raise

    def slow_thread(value: Any) -> None:
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.append("thread")

    async with at_work(node, ("a", slow), ("d", slow_thread)):
        node.give(1, "a", timeout=100_000)
        node.give(2, "d", timeout=100_000)
        first, second = await node.result(1), await node.result(2)
        assert first.verdict == second.verdict == pb.TIMED_OUT
        assert first.error.types[0] == "TimeoutError"
        assert 90_000 < first.ran < 5_000_000
        assert "slow_thread" in second.error.traceback
    assert sorted(ended) == ["async", "thread"]


async def test_a_cancelled_task_is_stopped_started_or_not() -> None:
    node = ScriptedNode()

    async def slow(value: Any) -> None:
        await asyncio.sleep(60)

    async with at_work(node, ("slow", slow), slots=1):
        node.give(1, "slow")
        node.give(2, "slow")
        await node.started(1)
        node.stop(2)
        assert (await node.result(2)).verdict == pb.STOPPED
        assert (await node.result(2)).started_at == 0
        node.stop(1, attempt=9)
        node.stop(1)
        assert (await node.result(1)).verdict == pb.STOPPED


async def test_a_handler_that_ends_well_although_told_to_stop_has_succeeded() -> None:
    node, begun = ScriptedNode(), asyncio.Event()

    async def stubborn(value: Any) -> str:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return "done anyway"

    async with at_work(node, ("stubborn", stubborn)):
        node.give(1, "stubborn")
        await begun.wait()
        node.stop(1)
        result = await node.result(1)
        assert (result.verdict, result.result) == (pb.SUCCEEDED, b'"done anyway"')


async def test_a_thread_that_cannot_be_stopped_is_left_behind_and_its_slot_stays_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rota.worker.watch.THREAD_PATIENCE", 0.2)
    node, gate = ScriptedNode(), threading.Event()
    exhausted = threading.Event()

    begun: set[int] = set()

    def deaf(value: int) -> None:
        while not gate.is_set():  # as deaf as a thread in one long C call
            with contextlib.suppress(BaseException):
                begun.add(value)
                gate.wait(30)

    async with at_work(node, ("deaf", deaf), ("ok", lambda value: 1), slots=4, on_exhausted=exhausted.set):
        node.give(1, "deaf", b"1", timeout=60_000)
        assert (await node.result(1)).verdict == pb.ABANDONED_TIMED_OUT
        for number in range(2, 6):
            node.give(number, "ok")
        await node.until(lambda: len(node.results()) == 5)
        assert not exhausted.is_set()
        node.give(7, "deaf", b"7")
        while 7 not in begun:
            await asyncio.sleep(0)
        node.stop(7)
        assert (await node.result(7)).verdict == pb.ABANDONED_STOPPED
        assert await asyncio.to_thread(exhausted.wait, 5)
        gate.set()


async def test_an_exception_meant_for_one_run_never_reaches_the_next_on_its_thread() -> None:
    node = ScriptedNode()

    def swallows(value: Any) -> str:
        with contextlib.suppress(BaseException):
            while True:
                pass
        return "swallowed"

    async with at_work(node, ("swallows", swallows), ("ok", lambda value: sum(range(2000))), slots=1):
        for round_ in range(0, 30, 3):
            node.give(round_, "swallows")
            await node.started(round_)
            node.stop(round_)
            node.give(round_ + 1, "ok")
            node.give(round_ + 2, "ok")
            assert (await node.result(round_)).verdict in (pb.SUCCEEDED, pb.STOPPED)
            assert (await node.result(round_ + 1)).verdict == (await node.result(round_ + 2)).verdict == pb.SUCCEEDED


# ---------------------------------------------------------------- the link goes and comes


async def test_outcomes_made_while_the_link_is_down_are_told_afterwards() -> None:
    node, gate = ScriptedNode(), asyncio.Event()
    begun = asyncio.Event()

    async def wait(value: Any) -> int:
        begun.set()
        await gate.wait()
        return 5

    async with at_work(node, ("wait", wait)) as worker:
        node.give(1, "wait")
        await begun.wait()
        node.down = True
        node.cut()
        while worker.connected:
            await asyncio.sleep(0)
        gate.set()
        while not worker._foreman.end.unconfirmed:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        node.down = False
        await node.registered(2)
        assert ids(node.seen("register")[1].held) == [1]
        assert (await node.result(1)).result == b"5"


async def test_an_unconfirmed_outcome_is_told_again_and_a_lost_one_is_not() -> None:
    node = ScriptedNode()
    node.mute.add("finish")
    async with at_work(node, ("ok", lambda value: value)):
        node.give(1, "ok", b"1")
        node.give(2, "ok", b"2")
        await node.result(1)
        await node.result(2)
        node.frames.clear()
        node.mute.clear()
        node.lost = [(task_id(2), 1)]
        node.cut()
        assert (await node.result(1)).result == b"1"
        assert 2 not in node.results()
        assert sorted(ids(node.seen("register")[0].held)) == [1, 2]


async def test_what_the_node_calls_lost_is_stopped_and_not_reported() -> None:
    node, ended = ScriptedNode(), asyncio.Event()
    begun = asyncio.Event()

    async def slow(value: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with at_work(node, ("slow", slow), ("ok", lambda value: 1)):
        node.give(1, "slow")
        await begun.wait()
        node.lost = [(task_id(1), 1)]
        node.cut()
        await asyncio.wait_for(ended.wait(), 5)
        node.give(2, "ok")
        await node.result(2)
        assert 1 not in node.results()


async def test_unstarted_tasks_wait_while_the_link_is_down() -> None:
    node, gate = ScriptedNode(), asyncio.Event()
    begun: list[int] = []

    async def wait(value: int) -> None:
        begun.append(value)
        await gate.wait()

    async with at_work(node, ("wait", wait), slots=1) as worker:
        node.give(1, "wait", b"1")
        node.give(2, "wait", b"2")
        while not begun:
            await asyncio.sleep(0)
        node.down = True
        node.cut()
        while worker.connected:
            await asyncio.sleep(0)
        gate.set()
        while not worker._foreman.end.unconfirmed:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        assert begun == [1]
        node.lost = [(task_id(2), 1)]
        node.down = False
        await node.registered(2)
        held = node.seen("register")[1].held
        assert {int.from_bytes(h.id, "big"): h.started_at > 0 for h in held} == {1: True, 2: False}
        await node.result(1)
    assert begun == [1]


async def test_a_worker_whose_link_stays_away_stops_its_tasks_by_its_own_deadline() -> None:
    node, ended = ScriptedNode(closed_lease_ttl=0.3), asyncio.Event()
    begun = asyncio.Event()

    async def slow(value: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with at_work(node, ("slow", slow)):
        node.give(1, "slow")
        await begun.wait()
        node.down = True
        cut_at = time.monotonic()
        node.cut()
        await asyncio.wait_for(ended.wait(), 5)
        assert time.monotonic() - cut_at < 2.0
        node.down = False
        await node.registered(2)
        assert not node.seen("register")[1].held
        assert 1 not in node.results()


async def test_heartbeats_go_on_while_a_handler_blocks() -> None:
    node = ScriptedNode(lease_ttl=0.3)
    worker = Worker("local:", dial=node.dial)

    async def blocks(value: Any) -> None:
        time.sleep(0.5)  # the very mistake

    worker.register_method("blocks", blocks)
    with worker:
        await node.registered()
        node.give(1, "blocks")
        await node.started(1)
        before = len(node.seen("heartbeat"))
        await node.result(1)
        assert len(node.seen("heartbeat")) - before >= 2
        worker.stop(1.0)


async def test_a_half_open_link_stops_tasks_when_heartbeats_are_no_longer_answered() -> None:
    node, ended = ScriptedNode(lease_ttl=0.6), asyncio.Event()
    begun = asyncio.Event()

    async def slow(value: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with at_work(node, ("slow", slow)):
        node.give(1, "slow")
        await begun.wait()
        await node.until(lambda: len(node.seen("heartbeat")) >= 2)
        assert not ended.is_set()
        node.answers_heartbeats = False
        await asyncio.wait_for(ended.wait(), 5)
        await node.until(lambda: (1, "lapsed") in node.released())


async def test_a_link_half_open_from_its_beginning_stops_tasks_too() -> None:
    node, ended = ScriptedNode(lease_ttl=0.6), asyncio.Event()
    node.answers_heartbeats = False

    async def slow(value: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with at_work(node, ("slow", slow)):
        node.give(1, "slow")
        await asyncio.wait_for(ended.wait(), 5)
        await node.until(lambda: (1, "lapsed") in node.released())


async def test_recall_gives_back_the_last_unstarted_tasks() -> None:
    node, gate = ScriptedNode(), asyncio.Event()

    async def wait(value: Any) -> None:
        await gate.wait()

    async with at_work(node, ("wait", wait), slots=1):
        for number in range(1, 5):
            node.give(number, "wait")
        await node.started(1)
        node.send(pb.Frame(recall=pb.Recall(count=2)))
        await node.until(lambda: len(node.released()) == 2)
        assert sorted(node.released()) == [(3, "recalled"), (4, "recalled")]
        gate.set()
        await node.until(lambda: set(node.results()) == {1, 2})


async def test_doubled_assignments_run_once_and_a_newer_attempt_replaces_the_older() -> None:
    node, gate = ScriptedNode(), asyncio.Event()
    begun: list[int] = []

    async def wait(ctx: Context, value: Any) -> int:
        begun.append(ctx.attempt)
        if ctx.attempt == 1:
            await gate.wait()
        return ctx.attempt

    async with at_work(node, ("wait", wait)):
        node.give(1, "wait")
        node.give(1, "wait")
        while not begun:
            await asyncio.sleep(0)
        node.give(1, "wait", attempt=2)
        assert (await node.result(1)).attempt == 2
    assert begun == [1, 2]


# ---------------------------------------------------------------- the end


async def test_a_drain_finishes_what_runs_and_gives_back_the_rest() -> None:
    node, gate = ScriptedNode(), asyncio.Event()

    async def wait(value: Any) -> int:
        await gate.wait()
        return 1

    worker = Worker("local:", dial=node.dial, slots=1)
    worker.register_method("wait", wait)
    await worker.astart()
    await node.registered()
    node.give(1, "wait")
    node.give(2, "wait")
    await node.started(1)
    stopping = asyncio.create_task(worker.astop(5.0))
    await node.until(lambda: node.released())
    assert node.released() == [(2, "draining")]
    assert node.seen("register")[-1].draining
    node.give(3, "wait")
    await node.until(lambda: len(node.released()) == 2)
    gate.set()
    await stopping
    assert node.results()[1].result == b"1"
    assert [kind for kind, _ in node.frames][-1] == "goodbye"
    assert worker.wait(0) == 0


async def test_a_worker_told_to_shut_down_ends_as_after_a_stop() -> None:
    node, gate = ScriptedNode(), asyncio.Event()

    async def wait(value: Any) -> int:
        await gate.wait()
        return 1

    worker = Worker("local:", dial=node.dial, slots=1)
    worker.register_method("wait", wait)
    await worker.astart()
    await node.registered()
    node.give(1, "wait")
    node.give(2, "wait")
    await node.started(1)
    node.send(pb.Frame(shut_down=pb.ShutDown(reason="a new kernel")))
    await node.until(lambda: node.released() == [(2, "draining")])
    node.send(pb.Frame(shut_down=pb.ShutDown()))
    gate.set()
    await node.until(lambda: [kind for kind, _ in node.frames][-1] == "goodbye")
    assert node.results()[1].result == b"1"
    assert await asyncio.to_thread(worker.wait, 5) == 0


def test_a_worker_process_told_to_shut_down_leaves_with_zero() -> None:
    node = ScriptedNode()
    worker = Worker("local:", dial=node.dial)
    worker.register_method("add", sum)
    codes: list[int] = []
    runner = threading.Thread(target=lambda: codes.append(worker.run()))
    runner.start()
    node.wait_until(lambda: node.seen("register"))
    node.send(pb.Frame(shut_down=pb.ShutDown()))
    runner.join(10)
    assert codes == [0]


async def test_what_does_not_end_within_the_grace_is_stopped_and_given_back() -> None:
    node = ScriptedNode()

    async def slow(value: Any) -> None:
        await asyncio.sleep(60)

    async with at_work(node, ("slow", slow), grace=0.05):
        node.give(1, "slow")
        await node.started(1)
    assert node.released() == [(1, "draining")]
    assert not node.results()
    assert [kind for kind, _ in node.frames][-1] == "goodbye"


async def test_a_drain_waits_for_the_link_to_tell_its_outcomes() -> None:
    node, gate = ScriptedNode(), asyncio.Event()
    begun = asyncio.Event()

    async def wait(value: Any) -> int:
        begun.set()
        await gate.wait()
        return 1

    async with at_work(node, ("wait", wait)) as worker:
        node.give(1, "wait")
        await begun.wait()
        node.down = True
        node.cut()
        while worker.connected:
            await asyncio.sleep(0)
        stopping = asyncio.create_task(worker.astop(5.0))
        gate.set()
        while not worker._foreman.end.unconfirmed:  # type: ignore[union-attr]
            await asyncio.sleep(0)
        node.down = False
        await stopping
    assert node.results()[1].result == b"1"


async def test_stop_may_come_twice_or_before_the_start() -> None:
    worker = Worker("local:", dial=ScriptedNode().dial)
    await worker.astop()
    await worker.astart()
    await asyncio.gather(worker.astop(1.0), worker.astop(0.0))
    await worker.astop()
    assert worker.wait(0) == 0


@pytest.mark.parametrize(
    ("code", "error"),
    [(Close.SUPERSEDED, Conflict), (Close.WORKER_ID_TAKEN, Conflict), (Close.NOT_AUTHENTICATED, NotAuthenticated)],
)
async def test_a_node_that_will_not_have_the_worker_ends_it(code: int, error: type[Exception]) -> None:
    node = ScriptedNode()
    async with at_work(node) as worker:
        node.cut(code, "go away")
        with pytest.raises(error, match="go away"):
            await asyncio.to_thread(worker.wait, 5)


async def test_objects_are_set_up_before_the_first_task_and_torn_down_at_the_stop() -> None:
    node = ScriptedNode()
    life: list[str] = []

    class Mailer:
        name = "mail"
        group = "post"
        description = "Sends a mail."

        def setup(self) -> None:
            life.append("setup")

        async def execute(self, ctx: Context, params: Any) -> Any:
            life.append("execute")
            return params

        async def teardown(self) -> None:
            life.append("teardown")

    worker = Worker("local:", dial=node.dial)
    worker.register(Mailer)
    await worker.astart()
    await node.registered()
    register = node.seen("register")[0]
    assert (register.methods[0].defaults.group, list(register.facts.groups)) == ("post", ["post"])
    node.give(1, "mail", b'{"to":"x"}')
    node.give(2, "mail")
    assert (await node.result(1)).result == b'{"to":"x"}'
    await node.result(2)
    await worker.astop()
    assert life == ["setup", "execute", "execute", "teardown"]


def test_in_the_background_it_needs_no_loop_of_the_caller() -> None:
    node = ScriptedNode()

    async def add(value: list[int]) -> int:
        await asyncio.sleep(0)
        return sum(value)

    worker = Worker("local:", dial=node.dial)
    worker.register_method("add", add)
    worker.register_method("name", lambda value: threading.current_thread().name)
    with worker:
        node.wait_until(lambda: node.seen("register"))
        node.give(1, "add", b"[1,2]")
        node.give(2, "name")
        node.wait_until(lambda: len(node.results()) == 2)
    assert node.results()[1].result == b"3"
    assert worker.wait(0) == 0
    worker.stop()


def test_run_ends_when_it_is_stopped_and_handlers_use_the_calling_thread() -> None:
    node = ScriptedNode()
    worker = Worker("local:", dial=node.dial)

    async def here(value: Any) -> bool:
        return threading.current_thread() is runner

    worker.register_method("here", here)
    codes: list[int] = []
    runner = threading.Thread(target=lambda: codes.append(worker.run()))
    runner.start()
    node.wait_until(lambda: node.seen("register"))
    node.give(1, "here")
    node.wait_until(lambda: node.results())
    worker.stop()
    runner.join(10)
    assert codes == [0]
    assert node.results()[1].result == b"true"


@pytest.mark.parametrize(
    "options",
    [
        {"slots": 0},
        {"slots": True},
        {"weight": 0},
        {"groups": ("",)},
        {"isolation": "fork"},
        {"max_child_memory": -1},
        {"url": "ftp://x"},
    ],
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Worker(**options)
