"""F31 and F36 with a real node: slow callers, floods of connections and of log-ins, and no descriptors or threads left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from abused import BUSY, eventually_answers, honest, log_of, start_with_few_files, troubles, until_logged
from attacker import HEAD, POST, UPGRADE, until_cut
from processes import RIG, House, house
from raw_worker import RawWorker
from vitals import Cost

from rota import AsyncClient


@pytest.fixture
def where(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


# --- F31


SLOW = {
    "silent from the first": (b"", b""),
    "a head byte by byte": (HEAD, b"X-Slow: and slower\r\n"),
    "an upgrade byte by byte": (UPGRADE, b"X-Slow: and slower\r\n"),
    "a link without a Hello": (UPGRADE + b"\r\n", b""),
    "a body byte by byte": (POST, b"x"),
    "idle between two requests": (HEAD + b"\r\n", b""),
    "blank lines between two requests": (HEAD + b"\r\n", b"\r\n"),
}


async def test_slow_callers_are_cut_in_time_and_others_do_not_notice(where: House) -> None:
    node = await asyncio.to_thread(where.start_node, "--handshake-timeout", "1s", "--idle-timeout", "1s")
    threads = psutil.Process(node.pid).num_threads()
    async with honest(where) as caller, caller.at_work():
        cost = Cost(node.pid)
        cuts = await asyncio.gather(
            *(until_cut(where.port, first, drip) for first, drip in SLOW.values() for _ in range(10))
        )
        assert len(cuts) == 10 * len(SLOW), "each of them was cut"
        assert cost.share < BUSY
        assert psutil.Process(node.pid).num_threads() == threads, "all were there before it was ready"
    assert caller.calls > 1
    assert troubles(where) == []


async def test_who_connects_and_resets_in_a_loop_costs_little_and_others_do_not_notice(where: House) -> None:
    node = await asyncio.to_thread(where.start_node, "--max-connections-per-address", "300")
    async with honest(where) as caller, caller.at_work():
        for flood in ([], ["with a head"]):
            cost = Cost(node.pid)
            attacker = await asyncio.create_subprocess_exec(
                sys.executable, str(RIG / "attacker.py"), str(where.port), "2", *flood, stdout=asyncio.subprocess.PIPE
            )
            said, _ = await attacker.communicate()
            assert int(said) > 300, "more than an address may open for nothing"
            assert cost.share < BUSY
    assert caller.calls > 1
    assert log_of(where).count("is refused") == 1, "told once, not once a connection"


async def test_wrong_tokens_have_to_wait_and_those_who_are_known_need_not(where: House, tmp_path: Path) -> None:
    secret = "Vq8-long-random-words-that-nobody-guesses-71"
    await asyncio.to_thread(where.start_node, env={"ROTA_TOKEN": secret})
    async with AsyncClient(where.url, token=secret) as client:
        await client.stats()
        answers = [await asked(where.port, "wrong-" * 8 + str(number)) for number in range(12)]
        assert [status for status, _ in answers] == [401] * 10 + [429] * 2
        assert 0 < int(answers[-1][1]["retry-after"]) <= 60
        async with AsyncClient(where.url, token=secret) as another:
            assert (await another.stats()).clients >= 1
    assert log_of(where).count("wrong tokens") == 1


async def asked(port: int, token: str) -> tuple[int, dict[str, str]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD.replace(b"/livez", b"/") + f"Authorization: Bearer {token}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    first, *rest = head.strip().split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}


# --- F36


async def test_more_connections_than_files_are_refused_and_the_node_goes_on(where: House) -> None:
    process = await asyncio.to_thread(start_with_few_files, where, 256)
    assert "may open 256 files, which leaves room for 192 connections" in log_of(where)
    async with honest(where) as caller, caller.at_work():
        cost = Cost(process.pid)
        crowd = [socket.create_connection(("127.0.0.1", where.port), timeout=10) for _ in range(400)]
        answers = [await asyncio.to_thread(refused, sock) for sock in crowd[250:]]
        assert all(answers)
        assert process.num_fds() < 256
        assert cost.share < BUSY
        for sock in crowd:
            sock.close()
        await eventually_answers(where)
        figures = await asyncio.to_thread(figures_of, where)
        assert figures["rota_connections_refused_total"] >= 150
        assert figures["rota_connections_limit"] == 192
        assert figures["rota_connections"] < 192
    assert caller.calls > 1
    assert log_of(where).count("is refused") == 1


def figures_of(where: House) -> dict[str, float]:
    with urllib.request.urlopen(f"{where.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.split() for line in lines if line.startswith("rota_conn"))}


def refused(sock: socket.socket) -> bool:
    return sock.recv(1_000).startswith(b"HTTP/1.1 503")


async def test_without_a_descriptor_left_the_listener_rests_and_comes_back(where: House) -> None:
    process = await asyncio.to_thread(start_with_few_files, where, 256)
    async with honest(where) as caller, caller.at_work():
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.num_fds(), 256))
        crowd = [socket.create_connection(("127.0.0.1", where.port), timeout=10) for _ in range(50)]
        await until_logged(where, "no connection can be taken")
        calls, cost = caller.calls, Cost(process.pid)
        async with asyncio.timeout(20):
            while caller.calls < calls + 20:
                await asyncio.sleep(0.05)
        assert cost.share < BUSY, "the listener does not spin"
        assert process.is_running()
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (256, 256))
        await eventually_answers(where)
        for sock in crowd:
            sock.close()
    assert log_of(where).count("no connection can be taken") == 1


@pytest.mark.parametrize("at_first", [2, 0])
async def test_a_worker_that_is_given_few_threads_says_so_and_loses_nothing(where: House, at_first: int) -> None:
    allowed = where.folder / "threads"
    allowed.write_text(str(at_first))
    await asyncio.to_thread(where.start_node)
    worker = where.start_worker("--slots", "8", app="few_threads:app", env={"ROTA_TEST_THREADS": str(allowed)})
    async with AsyncClient(where.url) as client:
        receipts = await client.submit_many([("mark_in_thread", {"key": str(n), "pause": 0.02}) for n in range(40)])
        async with asyncio.timeout(20):
            while "can't start new thread" not in worker.log.read_text():
                await asyncio.sleep(0.05)
        if not at_first:
            allowed.write_text("3")
        outcomes = await client.gather([receipt.id for receipt in receipts], timeout=30)
        assert {outcome.state for outcome in outcomes} == {"succeeded"}
        views = await client.get_many([receipt.id for receipt in receipts])
    assert {(view.attempt, view.failures, view.rescues) for view in views.values()} == {(1, 0, 0)}
    told = [line for line in worker.log.read_text().splitlines() if "can't start new thread" in line]
    assert len(told) <= 2, "not once a task"
    assert "of 8 slots" in told[0]


# --- longer


@pytest.mark.evidence
async def test_a_thousand_workers_are_let_in_at_once(where: House) -> None:
    node = await asyncio.to_thread(where.start_node)
    cost, began = Cost(node.pid), time.monotonic()
    workers = [RawWorker(where.url) for _ in range(1_000)]
    await asyncio.gather(*(worker.start() for worker in workers))
    await asyncio.gather(*(worker.register("raw") for worker in workers))
    print(f"1,000 workers registered within {time.monotonic() - began:.1f} s; node {cost.share:.0%} of a core")
    assert {worker.ups for worker in workers} == {1}
    assert troubles(where) == []
    await asyncio.gather(*(worker.stop() for worker in workers))


@pytest.mark.evidence
async def test_a_minute_of_everything_at_once(where: House) -> None:
    """A slow crowd, a flood of connections, pings and wrong tokens, for `ROTA_ABUSE` seconds (60)."""
    seconds = float(os.environ.get("ROTA_ABUSE", "60"))
    flags = ["--handshake-timeout", "2s", "--idle-timeout", "2s", "--max-connections-per-address", "2000"]
    node = await asyncio.to_thread(where.start_node, *flags)
    process, until = psutil.Process(node.pid), time.monotonic() + seconds

    async def crowd(first: bytes, drip: bytes) -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                await until_cut(where.port, first, drip, every=0.5)

    async with honest(where) as caller, caller.at_work():
        memory, files, cost = process.memory_info().rss, process.num_fds(), Cost(node.pid)
        attacker = await asyncio.create_subprocess_exec(
            sys.executable, str(RIG / "attacker.py"), str(where.port), str(seconds), stdout=asyncio.subprocess.PIPE
        )
        await asyncio.gather(*(crowd(first, drip) for first, drip in SLOW.values() for _ in range(100)))
        said, _ = await attacker.communicate()
        print(
            f"{int(said)} resets; node {cost.share:.0%} of a core; {caller.calls} honest calls, {caller.longest:.3f} s"
        )
        assert cost.share < BUSY
        assert caller.calls > seconds, "more than one a second"
        assert process.memory_info().rss - memory < 64 << 20
        async with asyncio.timeout(20):
            while process.num_fds() > files + 5:
                await asyncio.sleep(0.2)
