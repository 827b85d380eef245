"""Where a node can be reached from: nowhere else, unless somebody has made it safe."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from processes import ROTA, Process, free_port, house

from rota import Client
from rota.access.bind import is_loopback

SECRET = "Vq8-long-random-words-that-nobody-guesses-71"
IN_A_NAMESPACE = """
import json, socket, subprocess, sys
rota, data = sys.argv[1:]
node = subprocess.Popen(
    [rota, "node", "--data", data, "--json", "--http-port", "18080", "--grpc-port", "15051"],
    stdout=subprocess.PIPE, text=True,
)
try:
    json.loads(node.stdout.readline())
    for host in ("127.0.0.1", "10.99.0.1"):
        open_ports = []
        for port in range(1, 65536):
            with socket.socket() as probe:
                probe.settimeout(1)
                # A probe that is given the very port it probes meets itself.
                if probe.connect_ex((host, port)) == 0 and probe.getsockname() != probe.getpeername():
                    open_ports.append(port)
        print(json.dumps([host, open_ports]), flush=True)
finally:
    node.terminate()
    node.wait(30)
"""


@pytest.fixture
def running() -> Iterator[list[Process]]:
    made: list[Process] = []
    yield made
    for process in made:
        process.stop()


def refused(tmp_path: Path, *flags: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """The exit code and the words of a node that does not start."""
    made = subprocess.run(
        [ROTA, "node", "--http-port", "0", "--grpc-port", "0", "--data", str(tmp_path / "data"), *flags],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        env={**os.environ, **(env or {})},
    )
    return made.returncode, made.stderr


def listeners(pid: int) -> list[str]:
    """The addresses on which a process, or one that it has started, listens."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return [c.laddr.ip for each in family for c in each.net_connections("inet") if c.status == psutil.CONN_LISTEN]


def test_A1_with_defaults_nothing_listens_outside_loopback(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        node = where.start_node("--grpc", "on")
        worker = where.start_worker()
        worker.line()
        heard = listeners(node.pid)
        assert len(heard) == 2
        assert all(map(is_loopback, heard))
        assert listeners(worker.pid) == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a network of its own")
def test_A1_every_port_scanned_from_another_address_is_closed(tmp_path: Path) -> None:
    lines = "ip link set lo up && ip addr add 10.99.0.1/32 dev lo"
    network = ["unshare", "--net", "sh", "-c", f'{lines} && exec "$0" "$@"']
    if subprocess.run([*network, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no network namespaces")
    done = subprocess.run(
        [*network, sys.executable, "-c", IN_A_NAMESPACE, ROTA, str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "ROTA_GRPC": "on"},
    )
    assert done.returncode == 0, done.stderr
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    assert found == {"127.0.0.1": [15051, 18080], "10.99.0.1": []}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", socket.gethostname(), "10.1.2.3", ""])
def test_row_69_another_bind_without_a_token_is_refused_and_says_what_to_do(tmp_path: Path, host: str) -> None:
    code, said = refused(tmp_path, f"--host={host}")
    assert code == 78
    assert f"rota token create admin --role admin --data {tmp_path / 'data'}" in said
    assert "listen on 127.0.0.1" in said
    assert not (tmp_path / "data").exists(), "nothing was made"


def test_row_69_the_first_token_alone_opens_no_node_to_others(tmp_path: Path, running: list[Process]) -> None:
    port = free_port()
    node = Process(
        [ROTA, "node", "--http-port", str(port), "--data", str(tmp_path / "data"), "--json"], tmp_path / "node.log"
    )
    running.append(node)
    node.start()
    node.line()
    file = tmp_path / "data" / "admin-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said = (tmp_path / "node.log").read_text()
    assert said.count("an admin token was made") == 1
    assert str(file) in said
    assert file.read_text().strip() not in said, "it says where it is, and not what it is"
    node.stop()
    again = Process(node.args, tmp_path / "again.log")
    running.append(again)
    again.start()
    again.line()
    assert "admin token was made" not in (tmp_path / "again.log").read_text(), "said once"
    again.stop()
    for flags in (("--host", "0.0.0.0"), ("--behind-tls-proxy",)):
        code, told = refused(tmp_path, *flags)
        assert code == 78
        assert "rota token create" in told


def test_row_69_with_a_token_and_without_tls_is_refused(tmp_path: Path) -> None:
    code, said = refused(tmp_path, "--host", "0.0.0.0", env={"ROTA_TOKEN": SECRET})
    assert code == 78
    assert "unencrypted" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "token",
    [
        "",
        "short",
        "default_token",
        "a" * 40,
        "changeme-changeme-changeme-changeme",
        "secret-secret-secret-secret-secret",
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_row_70_a_weak_or_empty_token_is_refused_wherever_the_node_listens(
    tmp_path: Path, token: str, host: str
) -> None:
    code, said = refused(tmp_path, "--host", host, env={"ROTA_TOKEN": token})
    assert code == 78
    assert not token or token not in said


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o604])
@pytest.mark.parametrize("what", ["token", "key", "admin-token"])
def test_row_71_secret_files_that_others_can_read_are_refused(tmp_path: Path, what: str, mode: int) -> None:
    cert, key, tokens = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "tokens"
    certify(cert, key)
    tokens.write_text(f"admin {SECRET}")
    for file in (key, tokens):
        file.chmod(0o600)
    first = tmp_path / "data" / "admin-token"
    first.parent.mkdir()
    first.write_text("rota_abcdefghijkl." + "Zx9" * 14 + "q")
    first.chmod(0o600)
    {"token": tokens, "key": key, "admin-token": first}[what].chmod(mode)
    code, said = refused(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key), "--token-file", str(tokens))
    assert code == 78
    assert "chmod 600" in said


def test_row_71_files_that_are_missing_do_not_fit_or_have_expired_are_refused(tmp_path: Path) -> None:
    cert, key, other = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "other.pem"
    certify(cert, key)
    certify(tmp_path / "other-cert.pem", other)
    for flags, words in (
        (("--token-file", str(tmp_path / "none")), "cannot be read"),
        (("--tls-cert", str(cert), "--tls-key", str(tmp_path / "none")), "cannot be read"),
        (("--tls-cert", str(tmp_path / "none"), "--tls-key", str(key)), "cannot be used"),
        (("--tls-cert", str(cert), "--tls-key", str(other)), "cannot be used"),
    ):
        code, said = refused(tmp_path, *flags)
        assert code == 78
        assert words in said
    old, request = tmp_path / "old.pem", tmp_path / "request.pem"
    for command in (
        ["req", "-new", "-key", str(key), "-subj", "/CN=localhost", "-out", str(request)],
        ["x509", "-req", "-in", str(request), "-signkey", str(key), "-days", "-1", "-out", str(old)],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    code, said = refused(tmp_path, "--tls-cert", str(old), "--tls-key", str(key))
    assert code == 78
    assert "expired on" in said


def test_row_71_a_certificate_that_expires_soon_is_warned_of(tmp_path: Path, running: list[Process]) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certify(cert, key)
    node = Process(
        [
            ROTA,
            "node",
            "--http-port",
            "0",
            "--data",
            str(tmp_path / "data"),
            "--tls-cert",
            str(cert),
            "--tls-key",
            str(key),
            "--json",
        ],
        tmp_path / "node.log",
    )
    running.append(node)
    node.start()
    node.line()
    deadline = time.monotonic() + 10
    while "expires on" not in (tmp_path / "node.log").read_text():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


@pytest.mark.parametrize(
    "command", [("node",), ("worker", "handlers:app"), ("tasks", "list"), ("submit", "add"), ("stats",)]
)
@pytest.mark.parametrize("form", ["--token={}", "--token {}"])
def test_row_73_a_token_on_the_command_line_is_refused(tmp_path: Path, command: tuple[str, ...], form: str) -> None:
    done = subprocess.run(
        [ROTA, *command, *form.format(SECRET).split(" ")], capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == 2
    assert SECRET not in done.stderr + done.stdout


def certify(cert: Path, key: Path) -> None:
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*make, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    key.chmod(0o600)


def test_row_31_requests_above_the_rate_are_refused_and_told_when_to_come_again(
    tmp_path: Path, running: list[Process]
) -> None:
    node = Process(
        [ROTA, "node", "--http-port", "0", "--data", str(tmp_path / "data"), "--rate-limit", "5", "--json"],
        tmp_path / "node.log",
    )
    running.append(node)
    node.start()
    port = int(json.loads(node.line())["http_url"].rpartition(":")[2])
    answers = [ask(port, "/api/v1/tasks") for _ in range(30)]
    refused_ones = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} == {200, 429}
    assert len(refused_ones) >= 10, "a burst of ten is let through"
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused_ones)
    assert {json.loads(answer.read())["code"] for answer in refused_ones} == {"too_many_requests"}
    assert ask(port, "/livez").status == 200, "health is not counted"


def test_the_first_token_that_is_made_ends_open_mode_live(tmp_path: Path, running: list[Process]) -> None:
    node = Process(
        [ROTA, "node", "--http-port", "0", "--data", str(tmp_path / "data"), "--json"], tmp_path / "node.log"
    )
    running.append(node)
    node.start()
    port = int(json.loads(node.line())["http_url"].rpartition(":")[2])
    first = (tmp_path / "data" / "admin-token").read_text().strip()
    assert ask(port, "/api/v1/tasks").status == 200
    made = ask(port, "/api/v1/tokens", {"name": "ci", "roles": ["client"]})
    told = json.loads(made.read())
    assert made.status == 201
    assert "open" in told["notice"]
    assert ask(port, "/api/v1/tasks").status == 401
    assert ask(port, "/api/v1/tasks", token=told["token"]).status == 200
    assert ask(port, "/api/v1/tokens", token=told["token"]).status == 403
    second = ask(port, "/api/v1/tokens", {"name": "more", "roles": ["viewer"]}, token=first)
    assert second.status == 201, "the first token still lets an admin in"
    assert not json.loads(second.read())["notice"]
    node.stop()
    again = Process(node.args, tmp_path / "again.log")
    running.append(again)
    again.start()
    port = int(json.loads(again.line())["http_url"].rpartition(":")[2])
    assert ask(port, "/api/v1/tasks").status == 401, "and it stays so after a restart"
    assert ask(port, "/api/v1/tasks", token=told["token"]).status == 200
    database = (tmp_path / "data" / "rota.db").read_bytes() + (tmp_path / "data" / "rota.db-wal").read_bytes()
    assert told["token"].encode() not in database
    assert told["token"].partition(".")[2].encode() not in database


def test_handlers_beside_a_node_that_asks_for_tokens_are_let_in(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        tokens = tmp_path / "tokens"
        tokens.touch(0o600)
        tokens.write_text(f"client {SECRET}")
        where.start_node("--app", "handlers:app", "--token-file", str(tokens))
        with Client(where.url, token=SECRET) as client:
            assert client.execute("add", {"a": 1, "b": 2}, wait_timeout=20) == 3


def ask(port: int, path: str, body: object = None, token: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers)
    return connection.getresponse()
