"""Certificates in the place of tokens: an authority, a node, and callers of several roles, over HTTP, links and gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_client import GrpcClient
from processes import House, Process, house

from rota import Client, Forbidden
from rota.client.tls import Tls
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

SECRET = "Vq8-long-random-words-that-nobody-guesses-71"


class Authority:
    """Signs certificates with the openssl command, as an operator would."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder, self.cert, self._key = folder, folder / f"{name}.pem", folder / f"{name}-key.pem"
        folder.mkdir(exist_ok=True)
        _openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca", "-keyout", self._key, "-out", self.cert)

    def sign(self, name: str, names: str) -> tuple[Path, Path]:
        """A certificate and its key; `names`: the subject alternative names."""
        cert, key, request, extra = (self.folder / f"{name}{end}" for end in (".pem", "-key.pem", ".csr", ".ext"))
        _openssl("req -newkey rsa:2048 -nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extra.write_text(f"subjectAltName={names}")
        _openssl(
            "x509 -req -days 2 -CAcreateserial", "-in", request, "-CA", self.cert, "-CAkey", self._key, "-out", cert,
            "-extfile", extra,
        )  # fmt: skip
        key.chmod(0o600)
        return cert, key


def _openssl(words: str, *rest: object) -> None:
    subprocess.run(["openssl", *words.split(), *map(str, rest)], check=True, capture_output=True)


class MtlsHouse(House):
    """A house whose node trusts certificates of one authority."""

    def __init__(self, folder: Path, auth: str) -> None:
        super().__init__(folder)
        self.url = self.url.replace("http://", "https://")
        self.ca = Authority(folder / "pki")
        self.server = self.ca.sign("node", "IP:127.0.0.1,DNS:localhost")
        self.tokens = folder / "tokens"
        self.tokens.touch(0o600)
        self.tokens.write_text(f"admin {SECRET}")
        flags = ["--tls-cert", self.server[0], "--tls-key", self.server[1], "--token-file", self.tokens]
        flags += ["--tls-client-ca", self.ca.cert, "--tls-client-auth", auth, "--cluster", "prod", "--grpc", "on"]
        self.grpc = json.loads(self.start_node(*map(str, flags)).line())["grpc_address"]
        self.log = folder / "node.log"

    def caller(self, role: str, names: str = "") -> tuple[Path, Path]:
        return self.ca.sign(f"a-{role}", names or f"URI:rota://prod/role/{role}")

    def context(self, shown: tuple[Path, Path] | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=self.ca.cert)
        if shown is not None:
            made.load_cert_chain(*shown)
        return made

    def get(self, path: str, shown: tuple[Path, Path] | None, token: str = "", method: str = "GET") -> int:
        """The status. Raises OSError where the handshake fails."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.context(shown))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if method == "POST":
            headers["Content-Type"] = "application/json"
        with contextlib.closing(connection):
            connection.request(method, path, b'{"method": "add"}' if method == "POST" else None, headers)
            return connection.getresponse().status

    def credentials(self, shown: tuple[Path, Path] | None) -> grpc.ChannelCredentials:
        cert, key = (each.read_bytes() for each in shown) if shown is not None else (None, None)
        return grpc.ssl_channel_credentials(self.ca.cert.read_bytes(), key, cert)

    async def call(self, shown: tuple[Path, Path] | None, token: str = "") -> grpc.StatusCode:
        client = GrpcClient(self.grpc, token, self.credentials(shown))
        try:
            await client.ask("List", pb.List(), timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code()
        finally:
            await client.close()
        return grpc.StatusCode.OK


@pytest.fixture(scope="module", params=["optional", "required"])
def where(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MtlsHouse]:
    folder = tmp_path_factory.mktemp(request.param)
    with house(folder) as cleaned:
        made = MtlsHouse(folder, request.param)
        cleaned.processes = made.processes
        made.auth = request.param
        yield made


def test_A6_a_certificate_gives_its_role_over_http(where: MtlsHouse) -> None:
    viewer, client = where.caller("viewer"), where.caller("client")
    assert where.get("/api/v1/tasks", viewer) == 200
    assert where.get("/api/v1/tasks", viewer, method="POST") == 403
    assert where.get("/api/v1/tasks", client, method="POST") in (200, 201, 202)
    assert where.get("/api/v1/tokens", client) == 403
    assert where.get("/api/v1/tokens", client, SECRET) == 200, "a token goes before a certificate"
    assert where.get("/api/v1/tasks", client, SECRET + "x") == 401, "and a bad one is not saved by it"


def test_row_54_a_certificate_of_another_cluster_or_without_a_role_does_nothing(where: MtlsHouse) -> None:
    for number, names in enumerate(
        ("URI:rota://test/role/admin", "URI:rota://prod/role/king", "DNS:admin.example.org")
    ):
        assert where.get("/api/v1/tasks", where.ca.sign(f"odd{number}", names)) == 403
        assert where.get("/livez", where.ca.sign(f"odd{number}", names)) == 200


def test_row_54_who_shows_none_needs_a_token_or_does_not_come_in(where: MtlsHouse) -> None:
    if where.auth == "optional":
        assert where.get("/api/v1/tasks", None) == 401
        assert where.get("/api/v1/tasks", None, SECRET) == 200
    else:
        with pytest.raises(OSError):
            where.get("/livez", None, SECRET)


def test_row_54_a_certificate_of_another_authority_fails_the_handshake_and_is_told_once(where: MtlsHouse) -> None:
    stranger = Authority(where.folder / "other").sign("mallory", "URI:rota://prod/role/admin")
    for _ in range(5):
        with pytest.raises(OSError):
            where.get("/api/v1/tasks", stranger)
    with socket.create_connection(("127.0.0.1", where.port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(OSError):
            assert not plain.recv(100).startswith(b"HTTP"), "plain HTTP on a TLS port gets no answer"
    told = [line for line in where.log.read_text().splitlines() if "TLS handshake" in line]
    assert len(told) == 1
    assert "127.0.0.1" in told[0]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_A6_old_versions_of_tls_are_not_spoken(where: MtlsHouse, version: ssl.TLSVersion) -> None:
    context = where.context(where.caller("viewer"))
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    context.set_ciphers("ALL:@SECLEVEL=0")
    for port in (where.port, int(where.grpc.rpartition(":")[2])):
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            pytest.raises(OSError),
            context.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            pass


async def test_row_54_a_certificate_gives_its_role_over_grpc_where_it_is_required(where: MtlsHouse) -> None:
    viewer, worker = where.caller("viewer"), where.caller("worker")
    if where.auth == "optional":
        assert await where.call(None, SECRET) is grpc.StatusCode.OK
        assert await where.call(viewer) is grpc.StatusCode.UNAUTHENTICATED, "nobody is asked for one"
        return
    stranger = Authority(where.folder / "third").sign("mallory", "URI:rota://prod/role/admin")
    assert await where.call(viewer) is grpc.StatusCode.OK
    assert await where.call(worker) is grpc.StatusCode.PERMISSION_DENIED
    assert await where.call(where.ca.sign("odd", "URI:rota://test/role/admin")) is grpc.StatusCode.PERMISSION_DENIED
    assert await where.call(None, SECRET) is grpc.StatusCode.UNAVAILABLE, "the handshake fails"
    assert await where.call(stranger) is grpc.StatusCode.UNAVAILABLE
    client = GrpcClient(where.grpc, "", where.credentials(worker))
    link = client.channel.stream_stream("/rota.v1.Workers/Link")()
    await link.write(Frame(hello=pb.Hello(versions=[1])).SerializeToString())
    async with asyncio.timeout(5):
        assert Frame.FromString(await link.read()).welcome.roles == ["worker"]
    link.cancel()
    await client.close()


def test_A6_a_worker_and_a_client_with_certificates_do_their_work(where: MtlsHouse, tmp_path: Path) -> None:
    cert, key = where.caller("worker", "URI:rota://prod/role/worker?group=mail")
    flags = ["--tls-ca", where.ca.cert, "--tls-client-cert", cert, "--tls-client-key", key]
    worker = where.start_worker(*map(str, flags), "--group", "mail")
    mine = Tls(where.ca.cert, *where.caller("client"))
    with Client(where.url, tls=mine) as client:
        assert client.submit("add", {"a": 1, "b": 2}, group="mail").result(20) == 3
    viewer = Tls(where.ca.cert, *where.caller("viewer"))
    with Client(where.url, tls=viewer) as client, pytest.raises(Forbidden):
        client.submit("add", {"a": 1, "b": 2})
    worker.stop()


def test_A6_a_worker_with_a_certificate_for_another_group_is_not_let_in(where: MtlsHouse) -> None:
    cert, key = where.caller("worker", "URI:rota://prod/role/worker?group=mail")
    flags = ["--tls-ca", where.ca.cert, "--tls-client-cert", cert, "--tls-client-key", key]
    worker = where.start_worker(*map(str, flags), "--group", "builds")
    assert worker.wait(20) != 0
    assert "outside this token's groups" in worker.log.read_text()


def serial(port: int, ca: Path, shown: tuple[Path, Path] | None) -> Any:
    context = ssl.create_default_context(cafile=ca)
    if shown is not None:
        context.load_cert_chain(*shown)
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as spoken,
    ):
        return (spoken.getpeercert() or {})["serialNumber"]


def test_A6_certificates_are_read_anew_without_a_restart(where: MtlsHouse) -> None:
    """Both doors show the new one to who comes from now on; a pair that does not fit is told, and changes nothing."""
    shown, ports = where.caller("viewer"), (where.port, int(where.grpc.rpartition(":")[2]))
    before = {serial(port, where.ca.cert, shown) for port in ports}
    assert len(before) == 1
    process = where.node
    assert isinstance(process, Process)
    fresh_cert, fresh_key = where.ca.sign("fresh", "IP:127.0.0.1,DNS:localhost")
    where.server[0].write_bytes(fresh_cert.read_bytes())
    process.signal(signal.SIGHUP)
    until(lambda: "the certificates stay as they were" in where.log.read_text())
    assert {serial(port, where.ca.cert, shown) for port in ports} == before
    os.replace(fresh_key, where.server[1])
    process.signal(signal.SIGHUP)
    for port in ports:
        until(lambda port=port: serial(port, where.ca.cert, shown) not in before)
    assert where.get("/api/v1/tasks", shown) == 200


def until(true: Any) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
