"""Handlers in child processes: as in threads, and they can be killed, bounded, and crash alone."""

import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psutil
import pytest

from rota.life import keyring
from rota.model.errors import InvalidInput
from rota.wire.v1 import link_pb2 as pb
from rota.worker.processes import nursery
from rota.worker.runtime import Worker

from . import isolated_handlers as handlers
from .scripted_node import ScriptedNode, task_id

LATEST = 20.0


@contextlib.asynccontextmanager
async def at_work(node: ScriptedNode, *fns: Callable[..., Any], **options: Any) -> AsyncIterator[Worker]:
    worker = Worker("local:", dial=node.dial, isolation="process", **options)
    for fn in fns:
        worker.register_method(fn.__name__, fn, isolation="process")
    await worker.astart()
    try:
        await node.registered()
        yield worker
    finally:
        await worker.astop(5.0)
        assert children() == [], "a child outlived its worker"


def children() -> list[psutil.Process]:
    """Zombies among them."""
    return psutil.Process().children(recursive=True)


async def until(true: Callable[[], Any], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + LATEST
    while not true():
        assert asyncio.get_running_loop().time() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.005)


async def values(node: ScriptedNode, *numbers: int) -> list[Any]:
    return [msgspec.json.decode((await node.result(number)).result) for number in numbers]


# ---------------------------------------------------------------- as in a thread


async def test_def_and_async_handlers_return_their_results_from_another_process() -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.double, handlers.double_later, handlers.process_id):
        for number in range(1, 41):
            node.give(number, "double" if number % 2 else "double_later", str(number).encode())
        assert await values(node, *range(1, 41)) == [number * 2 for number in range(1, 41)]
        node.give(50, "process_id")
        assert (await values(node, 50))[0] not in (0, os.getpid())


async def test_a_context_says_in_a_child_what_it_says_in_a_thread() -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.facts):
        node.give(
            7, "facts", attempt=3, group="g", labels={"a": "b"}, failures=1, retries=4, timeout=90_000_000, version=1,
            after=[bytes(16)], batch="night",
        )  # fmt: skip
        (facts,) = await values(node, 7)
        assert 80 < facts.pop("left") <= 90.5
        assert facts == {
            "task": "00000000-0000-0000-0000-000000000007", "attempt": 3, "method": "facts", "group": "g",
            "labels": {"a": "b"}, "failures": 1, "retries": 4, "same": True,
            "after": ["00000000-0000-0000-0000-000000000000"], "batch": "night",
        }  # fmt: skip
        result = await node.result(7)
        assert abs(result.started_at / 1e6 - time.time()) < LATEST


async def test_what_handlers_raise_arrives_as_from_a_thread() -> None:
    node = ScriptedNode(max_payload=1000)
    async with at_work(
        node,
        handlers.raises,
        handlers.asks_again,
        handlers.gives_up,
        handlers.unwritable,
        handlers.large,
        handlers.double,
    ):
        node.give(1, "raises", b'"luck"')
        node.give(2, "asks_again")
        node.give(3, "gives_up")
        node.give(4, "unwritable")
        node.give(5, "large", b"2000")
        node.give(6, "double", b'"two"')
        raised = await node.result(1)
        assert (raised.verdict, raised.error.types[0], raised.error.message) == (pb.RAISED, "ValueError", "no luck")
        assert "in raises" in raised.error.traceback
        assert "rota/worker" not in raised.error.traceback
        asked = await node.result(2)
        assert (asked.verdict, asked.retry_after) == (pb.RETRY, 7_000_000)
        gave = await node.result(3)
        assert (gave.verdict, gave.error.message) == (pb.CANCELLED, "not needed")
        assert "cannot be written as JSON" in (await node.result(4)).error.message
        assert (await node.result(5)).verdict == pb.RESULT_TOO_LARGE
        assert (await node.result(6)).verdict == pb.INVALID_PARAMS


async def test_logging_ctx_log_and_progress_reach_the_node(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)  # as the worker's own log is set
    node = ScriptedNode()
    async with at_work(node, handlers.writes):
        node.give(1, "writes")
        await node.result(1)
        assert node.lines(1) == ["from logging", "from ctx", "from a thread"]
        entries = [entry for body in node.seen("report") for entry in body.entries]
        assert [entry.progress.share for entry in entries if entry.HasField("progress")] == [0.5]


async def test_params_and_results_of_megabytes_travel() -> None:
    node = ScriptedNode(max_payload=8 << 20)
    async with at_work(node, handlers.large, handlers.length):
        for number in range(1, 5):
            node.give(number, "large", b"3000000")
            node.give(number + 10, "length", json.dumps("y" * 2_000_000).encode())
        assert [len(value) for value in await values(node, 1, 2, 3, 4)] == [3_000_000] * 4
        assert await values(node, 11, 12, 13, 14) == [2_000_000] * 4


async def test_an_object_is_set_up_in_each_child_and_torn_down_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "notes"
    monkeypatch.setenv("TEST_NOTES", str(notes))
    node = ScriptedNode()
    worker = Worker("local:", dial=node.dial)
    worker.register(handlers.Counter(start=40))
    await worker.astart()
    await node.registered()
    for number in (1, 2):
        node.give(number, "counter")
        await node.result(number)
    assert await values(node, 1, 2) == [41, 42]
    await worker.astop()
    assert notes.read_text().split() == ["setup", "teardown"]
    assert children() == []


async def test_a_method_registered_while_running_is_known_to_the_children() -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.double) as worker:
        node.give(1, "double", b"1")
        await node.result(1)
        worker.register_method("later", handlers.process_id, isolation="process")
        await node.registered(2)
        node.give(2, "later")
        assert (await values(node, 2))[0] in [child.pid for child in children()]


async def test_short_tasks_share_a_child_and_long_ones_do_not_wait_for_each_other(tmp_path: Path) -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.process_id, handlers.waits, slots=3):
        for number in range(1, 101):
            node.give(number, "process_id")
        await values(node, *range(1, 101))
        for number in (201, 202):
            node.give(number, "waits", json.dumps(str(tmp_path / str(number))).encode())
            await until((tmp_path / str(number)).exists, f"{number} runs")
        node.give(203, "process_id")
        await node.result(203)
        for number in (201, 202):
            (tmp_path / f"{number}.go").touch()
        assert await values(node, 201, 202) == ["done", "done"]


async def test_whatever_is_called_back_each_task_begins_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naps of very different length: much of what was given out ahead is called back and given to other children."""
    notes = tmp_path / "notes"
    monkeypatch.setenv("TEST_NOTES", str(notes))
    chance = random.Random(7)
    naps = {number: chance.choice((0, 0, 0, 0, 1, 3, 90)) for number in range(1, 401)}
    node = ScriptedNode()
    async with at_work(node, handlers.naps, slots=24):
        node.assign(
            *(pb.Assignment(id=task_id(n), attempt=1, method="naps", params=str(ms).encode()) for n, ms in naps.items())
        )
        assert await values(node, *naps) == list(naps.values())
        began = sorted(notes.read_text().split())
        assert began == sorted(str(UUID(bytes=task_id(number))) for number in naps)


# ---------------------------------------------------------------- what cannot be found


def test_a_handler_that_a_child_could_not_find_is_refused_with_what_to_do() -> None:
    worker = Worker("local:", isolation="process")

    def inner(value: Any) -> None: ...

    for name, fn in (("a", lambda value: value), ("b", inner)):
        with pytest.raises(InvalidInput, match="top of a module") as refusal:
            worker.register_method(name, fn)
        assert refusal.value.errors[0].code == "no_origin"
        assert "test_processes.py:" in refusal.value.detail
        worker.register_method(name, fn, isolation="thread")

    class Local:
        def execute(self, ctx: Any, params: Any) -> None: ...

    with pytest.raises(InvalidInput, match="register its class"):
        worker.register(Local())


async def test_a_child_that_cannot_load_a_handler_fails_its_tasks_and_serves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "moody.py"
    module.write_text(
        "import os\nif os.environ.get('MOODY'):\n    raise OSError('not today')\ndef handle(value): return 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import moody

    monkeypatch.setenv("MOODY", "1")
    node = ScriptedNode()
    async with at_work(node, moody.handle, handlers.double):
        node.give(1, "handle")
        node.give(2, "double", b"4")
        assert await values(node, 2) == [8]
        failed = await node.result(1)
        assert (failed.verdict, failed.error.message) == (
            pb.RAISED, "the child process cannot load handle: OSError: not today",
        )  # fmt: skip


# ---------------------------------------------------------------- crashes


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("exits", b"9", "its process ended with exit code 9 while it ran"),
        ("exits", b"0", "its process ended with exit code 0 while it ran"),
        ("segfaults", b"null", "its process was killed by signal 11 (SIGSEGV) while it ran"),
    ],
)
async def test_a_crash_costs_the_task_that_ran_and_no_other(method: str, params: bytes, words: str) -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.exits, handlers.segfaults, handlers.double, slots=4):
        for number in range(1, 31):
            node.give(number, "double", str(number).encode())
        node.give(100, method, params)
        for number in range(31, 61):
            node.give(number, "double", str(number).encode())
        assert await values(node, *range(1, 61)) == [number * 2 for number in range(1, 61)]
        crashed = await node.result(100)
        assert (crashed.verdict, list(crashed.error.types), crashed.error.message) == (
            pb.CRASHED,
            ["ProcessLost"],
            words,
        )
        assert crashed.started_at > 0
        assert node.released() == []


async def test_what_was_answered_before_a_crash_is_kept() -> None:
    """Short jobs and the crash in one parcel: the answers were not yet told when the process died."""
    node = ScriptedNode()
    async with at_work(node, handlers.double, handlers.exits, slots=40) as worker:
        for number in range(1, 60):
            node.give(number, "double", b"1")
        await values(node, *range(1, 60))
        tasks = [
            pb.Assignment(id=n.to_bytes(16, "big"), attempt=1, method="double", params=b"5") for n in range(100, 120)
        ]
        tasks.insert(10, pb.Assignment(id=(200).to_bytes(16, "big"), attempt=1, method="exits", params=b"3"))
        node.assign(*tasks)
        assert await values(node, *range(100, 120)) == [10] * 20
        assert (await node.result(200)).verdict == pb.CRASHED
        assert worker.connected


async def test_each_kill_costs_one_task_at_most_and_every_task_has_one_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_NOTES", str(tmp_path / "notes"))
    chance, kills, numbers = random.Random(3), 0, range(1, 301)
    node = ScriptedNode()
    async with at_work(node, handlers.naps, slots=8):
        node.assign(
            *(
                pb.Assignment(id=task_id(n), attempt=1, method="naps", params=str(chance.randrange(5, 25)).encode())
                for n in numbers
            )
        )
        while kills < 12:
            done = len(node.results())
            await until(lambda done=done: len(node.results()) > done, "it goes on")
            await until(children, "a child")
            await asyncio.sleep(chance.uniform(0, 0.03))  # else the one that has just ended a task is hit each time
            with contextlib.suppress(psutil.NoSuchProcess):
                min(children(), key=psutil.Process.create_time).kill()
                kills += 1
        await node.until(lambda: len(node.results()) == len(numbers), "all")
        told = [int.from_bytes(result.id, "big") for body in node.seen("finish") for result in body.results]
        assert sorted(told) == list(numbers)
        verdicts = [result.verdict for result in node.results().values()]
        assert set(verdicts) <= {pb.SUCCEEDED, pb.CRASHED}
        assert 0 < verdicts.count(pb.CRASHED) <= kills


async def test_a_child_killed_while_it_has_nothing_to_do_is_replaced() -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.process_id):
        node.give(1, "process_id")
        (victim,) = await values(node, 1)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: [c.pid for c in children()] not in ([victim], []), "another child")
        node.give(2, "process_id")
        assert (await values(node, 2))[0] != victim


async def test_processes_that_never_come_up_fail_what_waits_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os\nif os.environ.get('DEADLY'):\n    os._exit(5)\ndef handle(value): return 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import deadly

    monkeypatch.setenv("DEADLY", "1")
    node = ScriptedNode()
    async with at_work(node, deadly.handle):
        node.give(1, "handle")
        failed = await node.result(1)
        assert failed.verdict == pb.RAISED
        assert failed.error.message == (
            "no process could be started for the handler: it ended with exit code 5 before it was ready"
        )


async def test_seal_keys_that_cannot_be_read_fail_what_waits_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROTA_SEAL_KEYS", raising=False)
    monkeypatch.setenv("ROTA_SEAL_KEY_FILE", "/nowhere/seal.keys")
    before = keyring.use(None)
    try:
        node = ScriptedNode()
        async with at_work(node, handlers.double):
            node.give(1, "double", b"2")
            failed = await node.result(1)
            assert failed.verdict == pb.RAISED
            assert "the seal key file /nowhere/seal.keys cannot be read" in failed.error.message
    finally:
        keyring.use(before)


# ---------------------------------------------------------------- stops


@pytest.mark.parametrize("method", ["sleeps", "sleeps_async", "spins", "holds_the_interpreter"])
async def test_cancel_ends_whatever_runs(method: str, tmp_path: Path) -> None:
    node = ScriptedNode()
    async with at_work(node, getattr(handlers, method), handlers.double):
        node.give(1, method, json.dumps(str(tmp_path / "began")).encode())
        await until((tmp_path / "began").exists, "it runs")
        node.stop(1)
        stopped = await node.result(1)  # within ten seconds; how soon is told by the chaos tests
        assert stopped.verdict == pb.STOPPED
        node.give(2, "double", b"1")
        assert await values(node, 2) == [2]


@pytest.mark.parametrize(
    ("method", "left"), [("sleeps", "cleaned up, cancelled True"), ("sleeps_async", "cleaned up"), ("spins", "")]
)
async def test_a_timeout_lets_a_handler_clean_up_and_kills_one_that_does_not(
    method: str, left: str, tmp_path: Path
) -> None:
    node = ScriptedNode()
    async with at_work(node, getattr(handlers, method)):
        node.give(1, method, json.dumps(str(tmp_path / "began")).encode(), timeout=300_000)
        late = await node.result(1)
        assert (late.verdict, late.error.types[0]) == (pb.TIMED_OUT, "TimeoutError")
        assert late.error.message == "it ran longer than its timeout of 0.3 s"
        assert (tmp_path / "began").read_text() == left
        assert ("time.sleep(120)" in late.error.traceback) == (method == "sleeps")


async def test_what_waits_behind_a_killed_task_is_not_charged(tmp_path: Path) -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.process_id, handlers.spins, slots=2):
        for number in range(1, 50):
            node.give(number, "process_id")
        await values(node, *range(1, 50))
        node.give(100, "spins", json.dumps(str(tmp_path / "began")).encode(), timeout=200_000)
        for number in range(101, 110):
            node.give(number, "process_id")
        await values(node, *range(101, 110))
        assert (await node.result(100)).verdict == pb.TIMED_OUT
        assert {result.verdict for number, result in node.results().items() if number != 100} == {pb.SUCCEEDED}


async def test_a_task_stopped_before_it_began_never_begins(tmp_path: Path) -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.waits, slots=1):
        for number in (1, 2):
            node.give(number, "waits", json.dumps(str(tmp_path / str(number))).encode())
        await until((tmp_path / "1").exists, "the first runs")
        node.stop(2)
        assert (await node.result(2)).verdict == pb.STOPPED
        (tmp_path / "1.go").touch()
        assert await values(node, 1) == ["done"]
        assert not (tmp_path / "2").exists()


async def test_a_drain_lets_the_running_end_and_gives_back_the_rest(tmp_path: Path) -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.waits, slots=1) as worker:
        for number in (1, 2, 3):
            node.give(number, "waits", json.dumps(str(tmp_path / str(number))).encode())
        await until((tmp_path / "1").exists, "the first runs")
        stopping = asyncio.create_task(worker.astop(10.0))
        await node.until(lambda: len(node.released()) == 2, "released")
        assert sorted(node.released()) == [(2, "draining"), (3, "draining")]
        (tmp_path / "1.go").touch()
        await stopping
        assert await values(node, 1) == ["done"]


async def test_a_drain_gives_back_what_does_not_end_in_its_grace(tmp_path: Path) -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.spins) as worker:
        node.give(1, "spins", json.dumps(str(tmp_path / "began")).encode())
        await until((tmp_path / "began").exists, "it runs")
        await worker.astop(0.1)
        assert node.released() == [(1, "draining")]


# ---------------------------------------------------------------- bounds


async def test_a_child_above_its_ceiling_after_a_task_is_replaced_without_losing_one() -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.takes, slots=4, max_child_memory=200 << 20):
        for number in range(1, 41):
            node.give(number, "takes", b"20")
        pids = await values(node, *range(1, 41))
        assert len(set(pids)) >= 4, "40 × 20 MiB in children of 200 MiB"
        assert {result.verdict for result in node.results().values()} == {pb.SUCCEEDED}


async def test_a_task_whose_process_is_above_the_ceiling_is_killed_and_says_why() -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.takes_and_stays, handlers.double, max_child_memory=150 << 20):
        node.give(1, "takes_and_stays", b"200")
        killed = await node.result(1)
        assert (killed.verdict, killed.error.types[0]) == (pb.CRASHED, "MemoryError")
        assert "more than the 150 MiB of max_child_memory" in killed.error.message
        node.give(2, "double", b"3")
        assert await values(node, 2) == [6]


async def test_a_child_is_replaced_after_its_share_of_tasks() -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.process_id, slots=2, max_tasks_per_child=10):
        for number in range(1, 46):
            node.give(number, "process_id")
        pids = await values(node, *range(1, 46))
        assert max(pids.count(pid) for pid in pids) <= 10
        assert len(set(pids)) >= 5


async def test_children_that_are_not_needed_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nursery, "IDLE_FOR", 0.2)
    node = ScriptedNode()
    async with at_work(node, handlers.waits, slots=3):
        for number in (1, 2, 3):
            node.give(number, "waits", json.dumps(str(tmp_path / str(number))).encode())
            await until((tmp_path / str(number)).exists, f"{number} runs")
        assert len(children()) == 3
        for number in (1, 2, 3):
            (tmp_path / f"{number}.go").touch()
        await values(node, 1, 2, 3)
        await until(lambda: len(children()) == 1, "one child is left")


# ---------------------------------------------------------------- good neighbours


async def test_children_hold_no_secrets_and_no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROTA_TOKEN", "ROTA_TOKEN_FILE", "ROTA_STORE", "ROTA_URL"):
        monkeypatch.setenv(name, "x")
    node = ScriptedNode()
    async with at_work(node, handlers.secrets, handlers.starts_a_program, handlers.process_id, slots=1):
        node.give(1, "secrets")
        node.give(2, "starts_a_program")
        node.give(3, "process_id")
        assert "ROTA_URL" in (await values(node, 1))[0]
        assert not {"ROTA_TOKEN", "ROTA_TOKEN_FILE", "ROTA_STORE"} & set((await values(node, 1))[0])
        assert await values(node, 2) == ["True"]
        (pid,) = await values(node, 3)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        node.give(4, "process_id")
        assert await values(node, 4) == [pid], "signals for the worker leave its children alone"


async def test_programs_of_a_crashed_handler_die_with_it(tmp_path: Path) -> None:
    node = ScriptedNode()
    async with at_work(node, handlers.leaves_a_program):
        node.give(1, "leaves_a_program", json.dumps(str(tmp_path / "pid")).encode())
        assert (await node.result(1)).verdict == pb.CRASHED
        program = int((tmp_path / "pid").read_text())
        await until(lambda: not psutil.pid_exists(program) or _is_dead(program), "its program is dead")


def _is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_nothing_is_left_behind() -> None:
    def open_files() -> list[str]:
        return sorted(
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if os.path.lexists(f"/proc/self/fd/{fd}")
        )

    def kinds(names: list[str]) -> dict[str, int]:
        short = [name.split(":")[0] for name in names]
        return {kind: short.count(kind) for kind in set(short)}

    node = ScriptedNode()
    async with at_work(node, handlers.double, handlers.exits, slots=3):
        node.give(1, "double", b"1")
        await node.result(1)
        before = kinds(open_files())
        for number in range(10, 16):
            node.give(number, "exits", b"1")
            await node.result(number)
        node.give(2, "double", b"1")
        await node.result(2)
        await until(lambda: len(children()) == 1, "one child")
        await until(lambda: kinds(open_files()) == before, f"{kinds(open_files())} is {before}")
