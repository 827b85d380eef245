"""The gRPC door of a real node: its start, a real worker behind it, a zombie before it, hostile callers, and its stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import grpc.aio
import psutil
import pytest
from grpc_client import GrpcClient, GrpcLink, new_task
from grpc_health.v1 import health_pb2
from processes import ROTA, House, free_port, house

from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1 import tasks_pb2

SHORT = ("--lease-ttl", "1s", "--closed-lease-ttl", "500ms", "--heartbeat", "300ms")
SECRET = "a-token-of-thirty-two-characters-and-more"


def grpc_node(where: House, *flags: str, env: dict[str, str] | None = None) -> str:
    """Starts a node; the address of its gRPC door."""
    node = where.start_node("--grpc", "on", "--grpc-port", "0", *flags, env=env)
    return json.loads(node.line())["grpc_address"]


@pytest.fixture
def where(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


@pytest.fixture
async def client(where: House) -> AsyncIterator[GrpcClient]:
    made = GrpcClient(await asyncio.to_thread(grpc_node, where))
    yield made
    await made.close()


def refused_start(tmp_path: Path, *flags: str) -> tuple[int, str]:
    """The exit code and the words of a node that does not start."""
    done = subprocess.run(
        [ROTA, "node", "--http-port", "0", "--grpc", "on", "--data", str(tmp_path / "other"), *flags],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    return done.returncode, done.stderr


# --- with a real worker


async def test_tasks_that_come_by_grpc_are_done_by_any_worker(where: House, client: GrpcClient) -> None:
    await asyncio.to_thread(where.start_worker)
    executed = await client.ask(
        "Execute", tasks_pb2.Execute(tasks=[new_task("add", b'{"a":%d,"b":1}' % n) for n in range(50)])
    )
    assert [item.outcome.result for item in executed.items] == [b"%d" % (n + 1) for n in range(50)]
    stats = await client.ask("Stats", pb.ReadStats())
    assert (stats.tasks["succeeded"], stats.workers) == (50, 1)


async def test_a_zombie_is_refused_when_it_thaws(where: House) -> None:
    """F4 over this transport: it freezes with a task in hand, another finishes that, and then it reports all the same."""
    client = GrpcClient(await asyncio.to_thread(grpc_node, where, *SHORT))
    zombie, other = client.link(), client.link()
    await zombie.hello()
    await zombie.register("zombie", "held", slots=1)
    task = new_task("held")
    await client.ask("Submit", pb.Submit(tasks=[task]))
    [first] = (await zombie.next("assign")).tasks
    started = [pb.HeldRef(id=first.id, attempt=1, started_at=1)]
    await zombie.send(started=pb.Started(tasks=started))
    await other.hello()
    await other.register("other", "held", slots=1)
    beating = asyncio.create_task(beat(other))
    [second] = (await other.next("assign")).tasks
    assert (second.id, second.attempt) == (first.id, 2)
    with pytest.raises((grpc.aio.AioRpcError, AssertionError), match="nothing heard"):
        await zombie.next("stop")
    assert await zombie.call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    back = client.link()
    await back.hello()
    registered = await back.register("zombie", "held", held=started)
    assert [(ref.id, ref.attempt) for ref in registered.lost] == [(first.id, 1)]
    assert [each.code for each in (await back.finish(first, result=b'"late"')).refused] == ["stale_attempt"]
    assert not (await other.finish(second, result=b'"true"')).refused
    assert [each.code for each in (await back.finish(first, result=b'"late"')).refused] == ["stale_attempt"]
    beating.cancel()
    [view] = (await client.ask("Get", pb.Get(ids=[first.id], detail=True))).tasks
    assert (view.state, view.result, view.attempt, view.rescues) == ("succeeded", b'"true"', 2, 1)
    await client.close()


async def beat(worker: GrpcLink) -> None:
    while True:
        await worker.send(heartbeat=pb.Heartbeat())
        await asyncio.sleep(0.1)


# --- start


def test_the_node_says_where_its_grpc_door_is_and_loads_nothing_when_it_is_off(where: House) -> None:
    port = free_port()
    node = where.start_node("--grpc", "off", "--grpc-port", str(port))
    assert json.loads(node.line())["grpc_address"] is None
    assert "cygrpc" not in Path(f"/proc/{node.pid}/maps").read_text()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_that_is_taken_is_refused_by_its_number(tmp_path: Path, shared: bool) -> None:
    """A gRPC server would else share a port with whoever allows it."""
    with socket.socket() as taken:
        if shared:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = refused_start(tmp_path, "--grpc-port", str(port))
    assert code == 1
    assert f"127.0.0.1:{port} is in use" in said
    assert "--grpc-port PORT, or do without gRPC: --grpc off" in said


def test_a_second_node_on_the_same_port_is_refused(where: House, tmp_path: Path) -> None:
    port = grpc_node(where).rpartition(":")[2]
    code, said = refused_start(tmp_path, "--grpc-port", port)
    assert (code, port in said) == (1, True), said
    script = (
        "import grpc\nfrom concurrent import futures\n"
        f"s = grpc.server(futures.ThreadPoolExecutor(1)); s.add_insecure_port('127.0.0.1:{port}')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=40, check=False)
    assert done.returncode != 0, "the node shares its port with nobody"


def test_an_address_that_others_reach_needs_a_token_and_tls(tmp_path: Path) -> None:
    code, said = refused_start(tmp_path, "--grpc-port", "0", "--host", "0.0.0.0")
    assert code == 78
    assert "token" in said


def certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    return cert, key


async def test_with_tls_tokens_travel_encrypted_and_plain_callers_fail(tmp_path: Path) -> None:
    cert, key = await asyncio.to_thread(certificate, tmp_path)
    port = free_port()
    node = subprocess.Popen(
        [
            *(ROTA, "node", "--json", "--http-port", "0", "--grpc", "on", "--grpc-port", str(port)),
            *("--host", "0.0.0.0", "--tls-cert", str(cert), "--tls-key", str(key), "--data", str(tmp_path / "data")),
        ],
        env={**os.environ, "ROTA_TOKEN": SECRET},
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "log").open("wb"),
        text=True,
    )
    try:
        assert node.stdout is not None
        assert json.loads(await asyncio.to_thread(node.stdout.readline))["grpc_address"] == f"127.0.0.1:{port}"
        secure = GrpcClient(f"127.0.0.1:{port}", SECRET, grpc.ssl_channel_credentials(cert.read_bytes()))
        assert (await secure.ask("Stats", pb.ReadStats())).node_id
        plain = GrpcClient(f"127.0.0.1:{port}", SECRET)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await plain.ask("Stats", pb.ReadStats())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        for _ in range(10):
            await asyncio.to_thread(knock, f"127.0.0.1:{port}", b"GET / HTTP/1.1\r\n\r\n")
        assert (await secure.ask("Stats", pb.ReadStats())).node_id
        await secure.close()
        await plain.close()
    finally:
        node.terminate()
        assert await asyncio.to_thread(node.wait, 30) == 0
    said = (tmp_path / "log").read_text()
    assert "andshake" not in said, "whoever can reach the port could fill the log"
    assert SECRET not in said


# --- stop


async def test_the_stop_is_heard_on_every_stream_and_ends_in_time(where: House, client: GrpcClient) -> None:
    task = new_task("held")
    worker = client.link()
    await worker.hello()
    await worker.register("w", "held")
    await client.ask("Submit", pb.Submit(tasks=[task]))
    await worker.next("assign")
    follow = client.stream("Logs", pb.ReadLogs(id=task.id, follow=True))
    executing = asyncio.create_task(client.ask("Execute", tasks_pb2.Execute(tasks=[new_task("nobody")]), timeout=None))
    watch = client.channel.unary_stream(
        "/grpc.health.v1.Health/Watch", response_deserializer=health_pb2.HealthCheckResponse.FromString
    )(b"")
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    while sum((await client.ask("Stats", pb.ReadStats())).tasks.values()) < 2:
        await asyncio.sleep(0.02)
    assert where.node is not None
    where.node.signal(signal.SIGTERM)
    await worker.next("drain")
    with pytest.raises((grpc.aio.AioRpcError, AssertionError), match=r"UNAVAILABLE|the node stops"):
        await worker.next("welcome")
    assert await worker.call.code() is grpc.StatusCode.UNAVAILABLE
    for call in (follow.read(), executing):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert dict(iter(caught.value.trailing_metadata()))["rota-code"] == "draining"
    assert await asyncio.to_thread(where.node.wait, 20) == 0


# --- hostile callers (row 64)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field that is not indexed, without Huffman coding."""

    def text(of: bytes) -> bytes:
        size, head = len(of), b""
        if size < 127:
            return bytes((size,)) + of
        size -= 127
        while size >= 128:
            head += bytes((size % 128 + 128,))
            size //= 128
        return b"\x7f" + head + bytes((size,)) + of

    return b"\0" + text(name) + text(value)


def call_headers(path: bytes, *more: tuple[bytes, bytes]) -> bytes:
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"localhost")]
    fields += [(b"content-type", b"application/grpc"), (b"te", b"trailers"), *more]
    return b"".join(literal(name, value) for name, value in fields)


class Raw:
    """HTTP/2 by hand."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=15)
        self.send(PREFACE + frame(SETTINGS, 0, 0))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def kinds(self) -> list[int]:
        """Kinds of the frames that come until the node closes, or says nothing for a while."""
        found: list[int] = []
        buffer = b""
        with contextlib.suppress(OSError):
            self.socket.settimeout(3)
            while data := self.socket.recv(1 << 16):
                buffer += data
                while len(buffer) >= 9 and len(buffer) >= 9 + (size := int.from_bytes(buffer[:3], "big")):
                    found.append(buffer[3])
                    buffer = buffer[9 + size :]
                if GOAWAY in found:
                    break
        return found


def knock(address: str, said: bytes) -> None:
    """Says something, and waits until the other side hangs up."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=15) as peer, contextlib.suppress(ConnectionError):
        peer.sendall(said)
        while peer.recv(1 << 16):
            pass


@contextlib.contextmanager
def raw(address: str) -> Iterator[Raw]:
    made = Raw(address)
    with contextlib.closing(made.socket):
        yield made


def address_of(client: GrpcClient, where: House) -> str:
    assert where.node is not None
    return json.loads(where.node.line())["grpc_address"]


async def alive(client: GrpcClient) -> None:
    assert (await client.ask("Stats", pb.ReadStats(), timeout=30)).node_id


SHED = (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
"""What others get where too many calls are there, or wait to begin: the library's limits, and ours."""


async def alive_again(client: GrpcClient) -> None:
    """The node answers; before that it may refuse, for as long as the storm lasts."""
    async with asyncio.timeout(60):
        while True:
            try:
                await alive(client)
                return
            except grpc.aio.AioRpcError as error:
                if error.code() not in SHED:
                    raise
            await asyncio.sleep(0.05)


async def test_a_flood_of_pings_is_told_to_go_away(where: House, client: GrpcClient) -> None:
    def flood() -> list[int]:
        with raw(address_of(client, where)) as peer:
            with contextlib.suppress(OSError):
                for _ in range(50):
                    peer.send(frame(PING, 0, 0, b"12345678") * 20)
            return peer.kinds()

    assert GOAWAY in await asyncio.to_thread(flood)
    await alive(client)


async def test_streams_that_are_opened_and_reset_at_once_do_not_stop_the_others(
    where: House, client: GrpcClient
) -> None:
    """CVE-2023-44487: 10,000 of them on each of a few connections, while another caller goes on."""
    path, node = b"/rota.v1.Workers/Link", psutil.Process(where.node.pid if where.node else 0)
    before = node.memory_info().rss

    def reset() -> None:
        head = call_headers(path)
        with raw(address_of(client, where)) as peer, contextlib.suppress(OSError):
            for start in range(0, 10_000, 100):
                streams = [2 * n + 1 for n in range(start, start + 100)]
                peer.send(
                    b"".join(frame(HEADERS, 4, each, head) + frame(RST, 0, each, b"\0\0\0\x08") for each in streams)
                )

    resetting = [asyncio.create_task(asyncio.to_thread(reset)) for _ in range(3)]
    while not all(each.done() for each in resetting):
        await alive_again(client)
    await asyncio.gather(*resetting)
    await alive_again(client)
    await alive(client)
    assert node.memory_info().rss - before < 100_000_000
    stats = await client.ask("Stats", pb.ReadStats())
    assert (stats.workers, stats.clients) == (0, 0)


async def test_ten_thousand_streams_are_capped_and_the_node_goes_on(where: House, client: GrpcClient) -> None:
    """Opened and held by hand on several connections: beyond the cap of a connection they are refused."""
    node = psutil.Process(where.node.pid if where.node else 0)
    before = node.memory_info().rss
    head = call_headers(b"/rota.v1.Workers/Link")
    peers: list[Raw] = []

    def hold() -> None:
        for _ in range(10):
            peer = Raw(address_of(client, where))
            peers.append(peer)
            with contextlib.suppress(OSError):
                for start in range(0, 1_000, 100):
                    peer.send(b"".join(frame(HEADERS, 4, 2 * n + 1, head) for n in range(start, start + 100)))

    await asyncio.to_thread(hold)
    await alive_again(client)
    assert node.memory_info().rss - before < 300_000_000
    for peer in peers:
        peer.socket.close()
    async with asyncio.timeout(30):
        while node.num_fds() > 40:
            await asyncio.sleep(0.05)
    await alive_again(client)
    await alive(client)


async def test_a_connection_has_a_cap_of_streams(where: House, client: GrpcClient) -> None:
    """What is opened beyond it is refused at once, and costs the node nothing more."""

    def open_many() -> list[int]:
        head = call_headers(b"/rota.v1.Workers/Link")
        with raw(address_of(client, where)) as peer:
            peer.send(frame(SETTINGS, 1, 0))
            peer.send(b"".join(frame(HEADERS, 4, 2 * n + 1, head) for n in range(1_100)))
            return peer.kinds()

    assert (await asyncio.to_thread(open_many)).count(RST) == 100
    await alive(client)


async def test_large_metadata_is_refused(client: GrpcClient) -> None:
    call = client.channel.unary_unary("/rota.v1.Tasks/Stats")
    for size, passes in ((4_000, True), (64_000, False)):
        code = await call(b"", metadata=[("x-note", "a" * size)], timeout=10).code()
        assert code is (grpc.StatusCode.OK if passes else grpc.StatusCode.RESOURCE_EXHAUSTED), size
    await alive(client)


async def test_what_is_no_http2_is_dropped(where: House, client: GrpcClient) -> None:
    for said in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 1_000, PREFACE + b"\xff" * 1_000):
        await asyncio.to_thread(knock, address_of(client, where), said)
    await alive(client)
