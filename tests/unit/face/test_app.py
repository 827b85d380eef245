"""The app's face: decoration, arguments, options, typing of results, errors where they were written."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from rota import App, Context, InvalidInput, NotFound, Overloaded, Retry, TaskCancelled, TaskFailed, WaitTimeout
from rota.client.views import Receipt
from rota.face.binding import Binder
from rota.face.many import handles
from rota.face.testing import Testing
from rota.model.method import NO_OPTIONS, Options


@dataclass
class Point:
    x: int
    y: int


class Flaky(Exception):
    pass


app = App(name="tests")


@app.task
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@app.task
async def mirror(point: Point) -> Point:
    return Point(point.y, point.x)


@app.task(retries=2, retry_delay=30, retry_jitter=0, retry_on=[Flaky])
async def flaky(ctx: Context, succeed_after: int) -> int:
    ctx.log.info("try %d", ctx.failures)
    if ctx.failures < succeed_after:
        raise Flaky("not yet")
    return ctx.failures


@app.task
def shout(*words: str, **more: str) -> str:
    return "-".join([*words, *(f"{k}={v}" for k, v in more.items())]).upper()


@app.task
def fail(message: str) -> None:
    raise ValueError(message)


@app.task(name="again later")
def later(ctx: Context) -> int:
    if ctx.attempt == 1:
        raise Retry(after=5)
    return ctx.attempt


@pytest.fixture(scope="module")
def rota() -> Iterator[Testing]:
    with app.testing() as rota:
        yield rota


# ---------------------------------------------------------------- declaration


def test_a_task_function_still_runs_here() -> None:
    assert add(1) == 3
    assert asyncio.run(mirror(Point(1, 2))) == Point(2, 1)
    assert (add.__name__, add.__doc__, repr(add)) == ("add", "Add two numbers.", "<task add>")


def test_a_worker_finds_what_it_needs() -> None:
    assert (add.name, add.version, add.docs, add.defaults, add.isolation) == (
        "add",
        1,
        ("Add two numbers.",),
        NO_OPTIONS,
        None,
    )
    assert add.fn(1, 1) == 2
    assert flaky.defaults == Options(
        retries=2, retry_delay=30_000_000, retry_jitter=0.0, retry_on=(f"{__name__}.Flaky",)
    )
    assert [task.name for task in app.tasks] == ["add", "mirror", "flaky", "shout", "fail", "again later"]


def test_a_name_is_taken_once_in_each_version() -> None:
    other = App()

    @other.task(name="f")
    def first() -> None: ...

    with pytest.raises(InvalidInput, match="two tasks of the name 'f'"):

        @other.task(name="f")
        def second() -> None: ...

    @other.task(name="f", version=2)
    def third() -> None: ...

    assert len(other.tasks) == 2


@pytest.mark.parametrize("name", ["", "a@2", "a\nb", "x" * 129])
def test_a_bad_name_is_refused_at_the_decorator(name: str) -> None:
    with pytest.raises(InvalidInput):
        App().task(name=name or " ")(lambda: None)


@pytest.mark.parametrize("said", [{"cron": "* * * * *"}, {"timezone": "UTC"}, {"overlap": "skip"}, {"retrys": 3}])
def test_what_is_no_option_is_a_type_error(said: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"'{next(iter(said))}' is not an option"):
        App().task(**said)(lambda: None)
    with pytest.raises(TypeError, match="is not an option"):
        add.options(**said)


def test_a_wrong_address_is_told_at_once() -> None:
    with pytest.raises(InvalidInput, match="no address of a node"):
        App("localhost:8080")


def test_tasks_are_functions_and_not_methods() -> None:
    class Mail:
        send = App().task(lambda self: None)

    with pytest.raises(TypeError, match=r"rota\.Task"):
        _ = Mail().send


# ---------------------------------------------------------------- arguments


def test_arguments_travel_by_name() -> None:
    assert add.call(1).params == b'{"a":1}'
    assert add.call(1, 5).params == b'{"a":1,"b":5}'
    assert add.call(b=5, a=1).params == b'{"a":1,"b":5}'


def test_the_context_is_not_sent() -> None:
    assert flaky.call(3).params == b'{"succeed_after":3}'
    assert later.call().params == b"{}"
    assert Binder(lambda ctx, a: None)([1], {}) == {"a": 1}


def test_variadic_arguments_travel_as_an_array_or_by_name() -> None:
    assert shout.call("a", "b").params == b'["a","b"]'
    assert shout.call(x="y").params == b'{"x":"y"}'
    with pytest.raises(TypeError, match="cannot travel together"):
        shout.call("a", x="y")


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional"),
        ((1,), {"c": 1}, "unexpected keyword argument 'c'"),
        ((1,), {"a": 1}, "multiple values"),
    ],
)
def test_wrong_arguments_are_told_where_they_were_written(args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        add.submit(*args, **kwargs)


def test_what_cannot_travel_is_told_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"params\.a\[1\]: an object of type"):
        add.submit([1, object()])  # type: ignore[arg-type]


def test_options_go_over_the_declared_ones() -> None:
    sent = flaky.options(retries=5, priority=1, version=2, labels={"k": "v"}).call(1)
    assert (sent.options.retries, sent.options.priority, sent.options.retry_delay) == (5, 1, 30_000_000)
    assert (sent.version, sent.labels) == (2, {"k": "v"})
    delayed = App().task(delay=60)(lambda: None)
    assert delayed.options(timeout=timedelta(seconds=1)).call().options.delay == 60_000_000
    from datetime import UTC, datetime

    at = delayed.options(eta=datetime(2030, 1, 1, tzinfo=UTC)).call().options
    assert at.HasField("run_at")
    assert not at.HasField("delay")


# ---------------------------------------------------------------- running


def test_submit_gives_a_handle_and_delay_is_its_alias(rota: Testing) -> None:
    handle = add.submit(1, 2)
    assert handle.result(timeout=10) == 3
    assert handle.status() == "succeeded"
    assert add.delay(5).result(timeout=10) == 7
    assert repr(handle) == f"<Handle {handle.id}>"


def test_execute_returns_the_result(rota: Testing) -> None:
    assert add.execute(1, 2, timeout=10) == 3
    assert add.execute(a=1, timeout=10) == 3
    assert add.options(priority=1).execute(4, timeout=10) == 6


def test_results_come_as_the_function_says(rota: Testing) -> None:
    assert mirror.submit(Point(1, 2)).result(timeout=10) == Point(2, 1)
    assert mirror.execute(Point(3, 4), timeout=10) == Point(4, 3)


def test_variadic_functions_run(rota: Testing) -> None:
    assert shout.execute("a", "b", timeout=10) == "A-B"
    assert shout.execute(x="y", timeout=10) == "X=Y"


def test_a_failure_is_raised_again_with_its_type_and_traceback(rota: Testing) -> None:
    handle = fail.submit("bang")
    with pytest.raises(TaskFailed) as raised:
        handle.result(timeout=10)
    assert (raised.value.error_type.rpartition(".")[2], raised.value.message) == ("ValueError", "bang")
    assert "raise ValueError(message)" in raised.value.traceback
    rota.settle()
    assert handle.retry().state in ("ready", "running", "failed")


def test_a_delay_waits_for_the_clock_in_hand(rota: Testing) -> None:
    handle = add.options(delay=60).submit(1, 1)
    rota.advance(59)
    assert handle.status() == "scheduled"
    rota.advance(1)
    assert handle.result(timeout=10) == 2


def test_retries_run_as_time_goes_on(rota: Testing) -> None:
    handle = flaky.submit(2)
    rota.settle()
    assert handle.status() == "scheduled"
    rota.advance(30 + 60)
    assert handle.result(timeout=10) == 2
    assert [line.text for line in handle.logs()] == ["try 0", "try 1", "try 2"]
    assert [attempt.reason for attempt in handle.view().attempts] == ["raised", "raised"]


def test_a_task_out_of_tries_fails(rota: Testing) -> None:
    handle = flaky.submit(9)
    rota.advance(3600)
    with pytest.raises(TaskFailed, match="not yet"):
        handle.result(timeout=10)


def test_a_handler_asks_for_another_try(rota: Testing) -> None:
    handle = later.options(retries=1).submit()
    rota.advance(5)
    assert handle.result(timeout=10) == 2


def test_a_scheduled_task_is_cancelled(rota: Testing) -> None:
    handle = add.options(delay=60).submit(1)
    assert handle.cancel("not needed").state == "cancelled"
    with pytest.raises(TaskCancelled):
        handle.result(timeout=10)


def test_waiting_too_long_does_not_end_the_task(rota: Testing) -> None:
    handle = add.options(delay=60).submit(1)
    with pytest.raises(WaitTimeout):
        handle.result(timeout=0.05)
    rota.advance(60)
    assert handle.result(timeout=10) == 3


def test_map_gives_results_in_order(rota: Testing) -> None:
    assert list(add.map(range(100), timeout=10)) == [n + 2 for n in range(100)]
    assert list(app.map(add, [1, 2], [3, 4])) == [4, 6]
    results = fail.map(["a"])
    with pytest.raises(TaskFailed):
        next(results)
    with pytest.raises(TypeError, match="at least one"):
        next(add.map())


def test_many_are_submitted_and_waited_for(rota: Testing) -> None:
    many = app.submit_many([add.call(n, n) for n in range(50)])
    assert [handle.result(timeout=10) for handle in many] == [2 * n for n in range(50)]
    more = app.submit_many([add.call(1), add.options(delay=30).call(2)], atomic=True)
    ended = app.wait_many(reversed(more), timeout=10)
    assert next(ended) is more[0]
    rota.advance(30)
    assert next(ended).result() == 4


def test_a_refused_task_among_many_is_raised() -> None:
    refused = Receipt("", refusal=Overloaded("full", code="queue_full"))
    with pytest.raises(Overloaded, match=r"1 of 2 tasks were refused \(1 were accepted\); the first, at 1: full"):
        handles(app.client, [Receipt("x"), refused])


def test_a_method_that_is_not_known_here_is_sent_by_name(rota: Testing) -> None:
    assert app.send("add", {"a": 1, "b": 1}).result(timeout=10) == 2
    assert app.send("add", [1, 1], priority=1).result(timeout=10) == 2
    assert app.send("nobody").warning == "no_worker_for_method"


def test_an_unknown_task_is_not_found(rota: Testing) -> None:
    with pytest.raises(NotFound):
        rota.client.get("00000000-0000-7000-8000-000000000000")


async def test_the_async_face() -> None:
    async with app.testing() as rota:
        handle = await add.asubmit(1, 2)
        assert await handle == 3
        assert await handle.aresult() == 3
        assert await handle.astatus() == "succeeded"
        assert await add.aexecute(2, 2, timeout=10) == 4
        assert await mirror.aexecute(Point(1, 2), timeout=10) == Point(2, 1)
        assert [result async for result in add.amap([1, 2, 3], timeout=10)] == [3, 4, 5]
        delayed = await flaky.asubmit(1)
        await rota.aadvance(30)
        assert await delayed == 1
        assert [line.text async for line in delayed.alogs()] == ["try 0", "try 1"]
        many = await app.asubmit_many([add.call(n) for n in range(5)])
        assert {handle.id async for handle in app.await_many(many, timeout=10)} == {handle.id for handle in many}
        assert await (await app.asend("add", [1, 1])) == 2
        waiting = await add.options(delay=60).asubmit(1)
        assert (await waiting.acancel()).state == "cancelled"


def test_the_app_has_its_own_client_again_after_testing() -> None:
    own = App("http://127.0.0.1:1")
    before = own.client
    with own.testing() as rota:
        assert own.client is rota.client
    assert own.client is before
