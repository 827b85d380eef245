"""F27 over HTTP, with a real node and worker: what is as large as it may be, one byte more, and a hundred times as much, and
what the node's memory does."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from processes import House, house
from rest import Reply, Rest

from rota.transport.http.route import MAX_BATCH_BODY, MAX_TASK_BODY

LIMIT = 64 * 1024
MAX_LINE = 16 * 1024
SIZES = [LIMIT - 1, LIMIT, LIMIT + 1, 100 * LIMIT]
SPARE = 24 << 20
"""Bytes by which a node may grow beside what it takes in."""
PATHS = ["/tasks", "/tasks?", "/execute", "/execute?"]
"""The short way and, with the question mark, the way of all other requests."""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("sizes")) as made:
        made.start_node("--max-payload", "64KiB")
        made.start_worker(app="sizes:app").line()
        yield made


@pytest.fixture
def rest(where: House) -> Rest:
    return Rest(where.url)


@contextlib.contextmanager
def lean(where: House, spare: int = SPARE) -> Iterator[None]:
    """The node does not grow by what is refused."""
    assert where.node is not None
    process = psutil.Process(where.node.pid)
    before = process.memory_info().rss
    yield
    grown = process.memory_info().rss - before
    assert grown < spare, f"{grown / 2**20:.0f} MiB"


def task(text: bytes) -> bytes:
    return b'{"method":"takes","params":' + text + b"}"


def text_of(size: int) -> bytes:
    """JSON of so many bytes, as params of `takes`."""
    return b'{"text":"' + b"p" * (size - 11) + b'"}'


def outcome(rest: Rest, method: str, params: object) -> dict:
    reply = rest.post("/execute", {"method": method, "params": params, "wait": 20})
    assert reply.status == 200, reply
    return reply.json


# --- params


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", SIZES)
def test_params(where: House, rest: Rest, path: str, size: int) -> None:
    with lean(where):
        reply = rest.post(path, task(text_of(size)))
    if size <= LIMIT:
        assert reply.status == 202
        assert rest.get(f"/tasks/{reply.json['id']}/wait?timeout=20").json["result"] == size - 11
    else:
        refused(reply, size, "/execute" in path)
    assert rest.post(path, task(text_of(10))).status == 202


def refused(reply: Reply, size: int, single: bool) -> None:
    assert reply.status == 413
    if size > MAX_TASK_BODY and single:
        assert reply.code == "body_too_large"
        assert str(MAX_TASK_BODY) in reply.json["detail"]
        return
    assert reply.code == "payload_too_large"
    assert str(LIMIT) in json.dumps(reply.json)


@pytest.mark.parametrize("at", [0, 37, 99])
@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_params_of_one_in_a_batch(rest: Rest, at: int, size: int) -> None:
    items = [task(text_of(10)) for _ in range(100)]
    items[at] = task(text_of(size))
    reply = rest.post("/tasks", b'{"tasks":[' + b",".join(items) + b"]}")
    assert reply.status == (202 if size <= LIMIT else 413)
    if size > LIMIT:
        assert reply.paths == [f"tasks[{at}].params"]


# --- bodies


@pytest.mark.parametrize(("path", "most"), [("/execute", MAX_TASK_BODY), ("/tasks", MAX_BATCH_BODY)])
@pytest.mark.parametrize("beyond", [-1, 0, 1])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies(where: House, rest: Rest, path: str, most: int, beyond: int, chunked: bool) -> None:
    """White space around the JSON is part of the body."""
    body = task(text_of(LIMIT))
    body += b" " * (most + beyond - len(body))
    with lean(where, SPARE + 3 * most):
        status = status_of(rest, path, body, chunked)
    assert status == (202 if beyond <= 0 else 413)


def status_of(rest: Rest, path: str, body: bytes, chunked: bool) -> int:
    head = f"POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    head += "Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {len(body)}\r\n\r\n"
    return int(rest.raw(head.encode() + sent, within=30).split()[1])


@pytest.mark.parametrize(("path", "most"), [("/execute", MAX_TASK_BODY), ("/tasks", MAX_BATCH_BODY)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_hundred_times_too_much_is_not_read(where: House, path: str, most: int, chunked: bool) -> None:
    sent = 0
    kind = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {100 * most}"
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n" if chunked else b" " * 65_536
    with lean(where, SPARE + most), socket.create_connection(("127.0.0.1", where.port), timeout=20) as sock:
        head = f"POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{kind}\r\n\r\n"
        sock.sendall(head.encode())
        with contextlib.suppress(ConnectionError):
            while sent < 100 * most:
                sent += sock.send(piece)
    assert sent < most + (16 << 20), "what is on its way in both systems, and what is thrown away"


def test_a_batch_of_all_that_fits(where: House, rest: Rest) -> None:
    """250 tasks with the largest params: nearly 16 MiB."""
    with lean(where, 8 * MAX_BATCH_BODY):
        reply = rest.post("/tasks", b'{"tasks":[' + b",".join([task(text_of(LIMIT))] * 250) + b"]}")
    assert reply.status == 202
    assert rest.get(f"/tasks/{reply.json['tasks'][-1]['id']}/wait?timeout=30").json["result"] == LIMIT - 11


# --- results


@pytest.mark.parametrize("size", SIZES)
def test_results(where: House, rest: Rest, size: int) -> None:
    with lean(where):
        said = outcome(rest, "returns", {"size": size})
    if size <= LIMIT:
        assert said["result"] == "r" * (size - 2)
        assert len(rest.get(f"/tasks/{said['id']}").json["result"]) == size - 2
    else:
        assert (said["state"], said["reason"], said["attempt"]) == ("failed", "result_too_large", 1)
        assert str(LIMIT) in said["error"]["message"]


# --- log lines


@pytest.mark.parametrize("size", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 100 * MAX_LINE])
def test_log_lines(where: House, rest: Rest, size: int) -> None:
    with lean(where):
        said = outcome(rest, "says", {"size": size})
        with socket.create_connection(("127.0.0.1", where.port), timeout=20) as sock:
            path = f"/api/v1/tasks/{said['id']}/logs?follow=true"
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            stream = b"".join(iter(lambda: sock.recv(65_536), b""))
    expected = "l" * size if size <= MAX_LINE else "l" * MAX_LINE + " … (line cut)"
    assert [line["text"] for line in rest.get(f"/tasks/{said['id']}/logs").json["lines"]] == [expected]
    assert stream.count(b"l" * MAX_LINE) == (size >= MAX_LINE), "followed, it is the same"
    assert (" … (line cut)" in json.dumps(stream.decode(), ensure_ascii=False)) is (size > MAX_LINE)


@pytest.mark.parametrize("path", PATHS)
def test_a_node_that_takes_larger_params_takes_them_by_every_way(tmp_path: Path, path: str) -> None:
    with house(tmp_path) as made:
        made.start_node("--max-payload", "3MiB")
        rest = Rest(made.url)
        assert rest.post(path, task(text_of(3 << 20))).status == 202
        assert rest.post(path, task(text_of((3 << 20) + 1))).code == "payload_too_large"
        assert rest.get("/stats").json["unended"] == 1
