"""What must not be taken, sent to a real node over HTTP. The numbers are the rows of the catalogue of bad input.

After every case the node lives and answers, and no task was accepted unless the row says so.
"""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from processes import House, house
from rest import JSON, Rest

UUID = "01a1ffcb-863b-7300-a76b-2ea581288935"
HEAD = b"Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as made:
        made.start_node()
        yield made


@pytest.fixture
def rest(home: House) -> Iterator[Rest]:
    """The node as it stood before, and as it must stand afterwards."""
    client = Rest(home.url)
    before = client.get("/stats").json["submitted"]
    yield client
    after = client.get("/stats")
    assert after.status == 200
    assert after.json["submitted"] == before
    log = (home.folder / "node.log").read_text()
    assert "Traceback" not in log, log[-3000:]


def deep(levels: int) -> bytes:
    return b'{"method":"m","params":' + b"[" * levels + b"]" * levels + b"}"


BODIES = [
    pytest.param(b"", 400, "invalid_json", id="1-empty"),
    pytest.param(b"hello", 400, "invalid_json", id="1-no-json"),
    pytest.param(b'{"method":"m",', 400, "invalid_json", id="1-truncated"),
    pytest.param(b'{"method":"m","params":{"a":1,}}', 400, "invalid_json", id="1-trailing-comma-in-params"),
    pytest.param(b'{"method":"m"} {}', 400, "invalid_json", id="1-two-values"),
    pytest.param(b"[" * 100_000, 400, "too_deep", id="2-brackets"),
    pytest.param(b'{"params":' + b'{"a":' * 100_000, 400, "too_deep", id="2-braces"),
    pytest.param(deep(65), 400, "too_deep", id="2-params"),
    pytest.param(deep(100_000), 400, "too_deep", id="2-params-far"),
    pytest.param(b'{"method":"m","priority":' + b"9" * 5_000 + b"}", 400, "number_out_of_range", id="3-digits"),
    pytest.param(b'{"method":"m","timeout":NaN}', 400, "invalid_number", id="4-nan"),
    pytest.param(b'{"method":"m","timeout":-Infinity}', 400, "invalid_number", id="4-infinity"),
    pytest.param(b'{"method":"m","timeout":1e999}', 400, "invalid_number", id="4-1e999"),
    pytest.param(b'{"method":"m","params":[NaN]}', 400, "invalid_number", id="4-nan-in-params"),
    pytest.param(b'{"method":"m","method":"n"}', 400, "duplicate_key", id="5-duplicate"),
    pytest.param(b'{"method":"m", "meth\\u006fd" : "n"}', 400, "duplicate_key", id="5-escaped"),
    pytest.param(b'{"method":"m","labels":{"a":"1","a":"2"}}', 400, "duplicate_key", id="5-nested"),
    pytest.param(b'{"method":"\\ud800"}', 400, "invalid_unicode", id="6-surrogate"),
    pytest.param(b'{"method":"m","params":"\\udc00"}', 400, "invalid_unicode", id="6-surrogate-in-params"),
    pytest.param(b'{"method":"m\\u0000"}', 422, "invalid_name", id="7-nul"),
    pytest.param(b'{"method":"m\\u001b[31m"}', 422, "invalid_name", id="7-ansi"),
    pytest.param('{"method":"m\u202etxt"}'.encode(), 422, "invalid_name", id="7-bidi"),
    pytest.param(b'{"method":"m","group":"a\\nb"}', 422, "invalid_name", id="7-group"),
    pytest.param(b'{"method":"m","priority":9223372036854775808}', 422, "out_of_range", id="8-2**63"),
    pytest.param(b'{"method":7}', 422, "wrong_type", id="9-type"),
    pytest.param(b'{"method":"m","retries":"3"}', 422, "wrong_type", id="9-text-for-number"),
    pytest.param(b'{"method":"m","retries":true}', 422, "wrong_type", id="9-true-for-number"),
    pytest.param(b'{"params":{}}', 422, "missing_field", id="9-missing"),
    pytest.param(b"[]", 422, "wrong_type", id="9-list"),
    pytest.param(b"null", 422, "wrong_type", id="9-null"),
    pytest.param(b'{"method":"m","params":"\xff"}', 400, "invalid_unicode", id="14-utf8-in-body"),
    pytest.param(b'\xef\xbb\xbf{"method":"m"}', 400, "invalid_json", id="14-byte-order-mark"),
    pytest.param({"method": "m", "run_at": "9999-12-31T23:59:59Z"}, 422, "out_of_range", id="25-year-9999"),
    pytest.param({"method": "m", "run_at": "2026-11-21T20:00:00"}, 422, "invalid_instant", id="25-no-zone"),
    pytest.param({"method": "m", "run_at": "2026-11-21T20:00:60Z"}, 422, "invalid_instant", id="25-second-60"),
    pytest.param({"method": "m", "run_at": 1795291200000}, 422, "wrong_type", id="25-epoch-ms"),
    pytest.param({"method": "m", "run_at": "tomorrow"}, 422, "invalid_instant", id="25-words"),
    pytest.param({"method": "m", "delay": 1, "run_at": "2030-01-01T00:00:00Z"}, 422, "both_given", id="25-both"),
    pytest.param({"method": "m", "priority": 1_000_000}, 422, "out_of_range", id="26-priority"),
    pytest.param({"method": "m", "retries": -1}, 422, "out_of_range", id="26-retries-below"),
    pytest.param({"method": "m", "retries": 10**9}, 422, "out_of_range", id="26-retries-above"),
    pytest.param({"method": "m", "timeout": 0}, 422, "out_of_range", id="26-timeout-0"),
    pytest.param({"method": "m", "timeout": -1}, 422, "out_of_range", id="26-timeout-below"),
    pytest.param({"method": "m", "timeout": "5m "}, 422, "wrong_type", id="26-timeout-text"),
    pytest.param({"method": "m", "id": "x"}, 422, "invalid_value", id="22-id-in-body"),
    pytest.param({"method": "m", "after": [UUID]}, 422, "parent_not_found", id="22-unknown-parent"),
    pytest.param({"method": "m", "unique_key": ""}, 422, "invalid_key", id="7-empty-key"),
    pytest.param({"method": "m", "labels": {f"l{n}": "" for n in range(33)}}, 422, "too_many_labels", id="38-labels"),
    pytest.param({"method": "m", "labels": {"a": "x" * 65_536}}, 422, "invalid_value", id="38-long-label"),
]


@pytest.mark.parametrize("path", ["/tasks", "/execute"])
@pytest.mark.parametrize(("body", "status", "code"), BODIES)
def test_bodies(rest: Rest, path: str, body: Any, status: int, code: str) -> None:
    reply = rest.post(path, body)

    assert (reply.status, reply.code) == (status, code), reply.json
    assert reply.json["detail"]
    assert reply.json["request_id"] == reply.headers["x-request-id"]


def test_1_the_place_is_told(rest: Rest) -> None:
    assert "line 3, column 12" in rest.post("/tasks", b'{\n "method": "m",\n "params": ?}').json["detail"]


def test_9_every_wrong_place_is_told_and_the_nearest_name(rest: Rest) -> None:
    reply = rest.post("/tasks", {"metod": "m", "priority": "x", "labels": {"a": 1}, "after": [3], "timeout": 0})

    assert reply.status == 422
    assert sorted(reply.paths) == ["after[0]", "labels.a", "method", "metod", "priority", "timeout"]
    assert "did you mean method?" in reply.body.decode()


def test_3_numbers_in_params_are_nobodys_business(home: House) -> None:
    params = b'{"big":' + b"9" * 5_000 + b',"far":1e999,"twice":1,"twice":2}'
    reply = Rest(home.url).post("/tasks", b'{"method":"m","params":' + params + b"}")

    assert reply.status == 202
    assert b'"params":' + params in Rest(home.url).get(f"/tasks/{reply.json['id']}").body


# ---------------------------------------------------------------- 10 to 14: bodies and addresses


def test_10_a_body_over_the_limit_is_refused_before_it_is_sent(rest: Rest) -> None:
    """The node answers and closes while the caller has sent nothing of what it announced."""
    answer = rest.raw(b"POST /api/v1/execute HTTP/1.1\r\n" + HEAD + b"Content-Length: 100000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer
    assert b"body_too_large" in answer


@pytest.mark.parametrize("path", [b"/api/v1/execute", b"/api/v1/tasks", b"/api/v1/groups/g/pause"])
def test_10_chunks_for_ever_end_at_the_limit(home: House, rest: Rest, path: bytes) -> None:
    assert home.node is not None
    memory = psutil.Process(home.node.pid).memory_info
    before, chunk, sent = memory().rss, b"10000\r\n" + b" " * 65_536 + b"\r\n", 0
    with socket.create_connection((rest.host, rest.port), timeout=20) as sock:
        sock.sendall(b"POST " + path + b" HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 200 * 1024 * 1024:
                sock.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
    assert sent < 40 * 1024 * 1024
    assert memory().rss - before < 64 * 1024 * 1024


def test_10_params_over_the_limit(rest: Rest) -> None:
    reply = rest.post("/tasks", {"method": "m", "params": "x" * (1024 * 1024)})
    assert (reply.status, reply.code) == (413, "payload_too_large")


def test_38_far_too_many_labels_are_too_much_to_read(rest: Rest) -> None:
    reply = rest.post("/execute", {"method": "m", "labels": {f"label-{n}": "" for n in range(100_000)}})
    assert (reply.status, reply.code) == (413, "body_too_large")


KINDS = [
    pytest.param({"Content-Encoding": "gzip"}, "unsupported_encoding", id="11-gzip"),
    pytest.param({"Content-Encoding": "br, gzip"}, "unsupported_encoding", id="11-two"),
    pytest.param({"Content-Type": "text/plain"}, "unsupported_media_type", id="12-text"),
    pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, "unsupported_media_type", id="12-form"),
    pytest.param({"Content-Type": "application/json; charset=gbk"}, "unsupported_media_type", id="12-charset"),
    pytest.param({"Content-Type": ""}, "unsupported_media_type", id="12-none"),
    pytest.param({"Content-Type": "multipart/form-data; boundary=x"}, "unsupported_media_type", id="13-multipart"),
]


@pytest.mark.parametrize("path", ["/tasks", "/execute", f"/tasks/{UUID}/cancel", "/node/pause", "/tokens"])
@pytest.mark.parametrize(("headers", "code"), KINDS)
def test_kinds_of_bodies(rest: Rest, path: str, headers: dict[str, str], code: str) -> None:
    reply = rest.post(path, b'{"method":"m"}', headers)
    assert (reply.status, reply.code) == (415, code)


ADDRESSES = [
    pytest.param("/tasks/%ff", 400, "invalid_address", id="14-utf8"),
    pytest.param("/groups/a%00b", 400, "invalid_address", id="14-nul"),
    pytest.param("/groups/a%0d%0ab", 400, "invalid_address", id="14-crlf"),
    pytest.param("/%2e%2e%2f%2e%2e%2fetc/passwd", 404, "page_not_found", id="14-dots"),
    pytest.param("/../../../etc/passwd", 404, "page_not_found", id="14-plain-dots"),
    pytest.param("//tasks", 404, "page_not_found", id="14-slashes"),
    pytest.param("/tasks/", 404, "page_not_found", id="14-slash-at-the-end"),
    pytest.param("/tasks%2f" + UUID, 404, "page_not_found", id="14-encoded-slash"),
    pytest.param("/tasks/xyz", 400, "invalid_id", id="22-no-uuid"),
    pytest.param(f"/tasks/{UUID}", 404, "task_not_found", id="22-unknown"),
    pytest.param(f"/tasks/{UUID}/wait?timeout=0", 404, "task_not_found", id="22-wait"),
    pytest.param(f"/tasks/{UUID}/why", 404, "task_not_found", id="22-why"),
    pytest.param(f"/tasks/{UUID}/logs", 404, "task_not_found", id="22-logs"),
    pytest.param("/tasks?limit=0", 422, "out_of_range", id="23-limit-0"),
    pytest.param("/tasks?limit=-1", 422, "out_of_range", id="23-limit-below"),
    pytest.param("/tasks?limit=501", 422, "out_of_range", id="23-limit-above"),
    pytest.param("/tasks?limit=1e9", 422, "wrong_type", id="23-limit-1e9"),
    pytest.param("/tasks?limit=abc", 422, "wrong_type", id="23-limit-words"),
    pytest.param("/tasks?limit=" + "9" * 500, 422, "out_of_range", id="23-limit-digits"),
    pytest.param("/tasks?offset=1000000000", 422, "unknown_parameter", id="23-offset"),
    pytest.param("/tasks?limit=1&limit=2", 422, "duplicate_parameter", id="23-twice"),
    pytest.param("/tasks?cursor=x", 422, "invalid_cursor", id="23-cursor"),
    pytest.param("/tasks?cursor=" + "A" * 22, 422, "invalid_cursor", id="23-made-up-cursor"),
    pytest.param("/tasks?sort=priority", 422, "unknown_parameter", id="24-sort"),
    pytest.param("/tasks?state=' OR 1=1", 422, "unknown_state", id="24-state"),
    pytest.param("/tasks?since=yesterday", 422, "invalid_instant", id="25-since"),
    pytest.param(f"/tasks/{UUID}/wait?timeout=61", 422, "out_of_range", id="26-wait"),
    pytest.param(f"/tasks/{UUID}/wait?timeout=nan", 422, "wrong_type", id="26-wait-nan"),
    pytest.param("/stats?x=1", 422, "unknown_parameter", id="23-no-parameters"),
]


@pytest.mark.parametrize(("path", "status", "code"), ADDRESSES)
def test_addresses(rest: Rest, path: str, status: int, code: str) -> None:
    reply = rest.get(path.replace(" ", "%20"))
    assert (reply.status, reply.code) == (status, code)


def test_14_long_addresses_and_many_headers(rest: Rest) -> None:
    assert rest.raw(b"GET /api/v1/tasks?text=" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[9:12] == b"414"
    many = b"".join(b"X-%d: y\r\n" % number for number in range(200))
    assert rest.raw(b"GET /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")[9:12] == b"431"


SMUGGLED = [
    pytest.param(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="16-length-and-chunks"),
    pytest.param(b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", id="16-two-lengths"),
    pytest.param(b"Content-Length: -5\r\n\r\n", id="16-negative"),
    pytest.param(b"Content-Length: 0x5\r\n\r\n", id="16-hexadecimal"),
    pytest.param(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="16-bad-chunk"),
    pytest.param(b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="16-unknown-coding"),
    pytest.param(b"Content-Length : 5\r\n\r\nhello", id="16-blank-before-colon"),
]


@pytest.mark.parametrize("tail", SMUGGLED)
def test_smuggled_requests_are_refused_and_the_connection_ends(rest: Rest, tail: bytes) -> None:
    second = b"GET /api/v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = rest.raw(head + tail + second)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_17_ranges_are_not_looked_at(rest: Rest) -> None:
    reply = rest.get("/docs", Range="bytes=" + ",".join(f"0-{n}" for n in range(3_000)))
    assert reply.status == 200


@pytest.mark.parametrize("method", ["TRACE", "PUT", "PATCH", "DELETE", "LINK"])
def test_18_other_methods(rest: Rest, method: str) -> None:
    reply = rest.ask(method, "/tasks", b"" if method == "TRACE" else {"method": "m"})
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_18_an_override_is_not_looked_at(rest: Rest) -> None:
    reply = rest.post(f"/tasks/{UUID}", b"{}", {**JSON, "X-HTTP-Method-Override": "DELETE"})
    assert (reply.status, reply.code) == (405, "method_not_allowed")


def test_18_options_tell_what_there_is_and_nothing_for_other_origins(rest: Rest) -> None:
    reply = rest.ask("OPTIONS", "/tasks", headers={"Access-Control-Request-Method": "POST"})
    assert (reply.status, reply.body, reply.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS, POST")
    assert not [name for name in reply.headers if name.startswith("access-control")]


# ---------------------------------------------------------------- 23 to 30: lists, batches, keys, states


def test_23_a_cursor_belongs_to_its_question(home: House) -> None:
    rest = Rest(home.url)
    rest.post("/tasks", {"tasks": [{"method": "paged"} for _ in range(3)]})
    first = rest.get("/tasks?method=paged&limit=2").json
    rest.post("/tasks", {"method": "paged"})
    second = rest.get(f"/tasks?method=paged&limit=2&cursor={first['cursor']}").json

    assert [len(first["tasks"]), len(second["tasks"]), second["cursor"]] == [2, 1, None]
    assert not {task["id"] for task in first["tasks"]} & {task["id"] for task in second["tasks"]}
    other = rest.get(f"/tasks?method=other&cursor={first['cursor']}")
    assert (other.status, other.code) == (422, "invalid_cursor")


@pytest.mark.parametrize("text", ["%", "_", "' OR 1=1 --", ".*", "\\", "*", "[a-z]"])
def test_24_texts_are_literal(home: House, text: str) -> None:
    rest = Rest(home.url)
    rest.post("/tasks", {"method": "literal"})
    rest.post("/tasks", {"method": "marked", "unique_key": f"a{text}b", "unique_mode": "return"})
    found = rest.ask("GET", f"/tasks?text={''.join(f'%{byte:02x}' for byte in text.encode())}")

    assert found.status == 200
    assert {task["method"] for task in found.json["tasks"]} == {"marked"}


def test_25_an_instant_that_has_passed_means_now(home: House) -> None:
    rest = Rest(home.url)
    reply = rest.post("/tasks", {"method": "m", "run_at": "2001-01-01T00:00:00+08:00"})
    assert reply.status == 202
    assert rest.get(f"/tasks/{reply.json['id']}").json["state"] == "ready"


def test_27_a_method_that_nobody_knows_is_taken_with_a_warning(home: House) -> None:
    reply = Rest(home.url).post("/tasks", {"method": "nobody-offers-this"})
    assert (reply.status, reply.json["warning"]) == (202, "no_worker_for_method")


BATCHES = [
    pytest.param([], 422, "out_of_range", ["tasks"], id="28-none"),
    pytest.param([{"method": "m"}] * 1_001, 413, "batch_too_large", ["tasks"], id="28-1001"),
    pytest.param(
        [{"method": "m"}] * 99 + [{"method": "\u0007"}], 422, "invalid_name", ["tasks[99].method"], id="28-bad"
    ),
    pytest.param(
        [{"method": "m"}, {"method": "m", "timeout": 0}], 422, "out_of_range", ["tasks[1].timeout"], id="28-span"
    ),
    pytest.param([{"method": "m"}, {}], 422, "missing_field", ["tasks[1].method"], id="28-missing"),
]


@pytest.mark.parametrize(("tasks", "status", "code", "paths"), BATCHES)
def test_batches_are_taken_whole_or_not_at_all(
    rest: Rest, tasks: list[Any], status: int, code: str, paths: list[str]
) -> None:
    reply = rest.post("/tasks", {"tasks": tasks})
    assert (reply.status, reply.code, reply.paths) == (status, code, paths)


def test_28_the_same_key_twice_in_a_batch(home: House) -> None:
    keyed = {"method": "m", "idempotency_key": "twice-in-a-batch"}
    first, second = Rest(home.url).post("/tasks", {"tasks": [keyed, keyed]}).json["tasks"]
    assert first["id"] == second["id"]
    assert [first["duplicate"], second["duplicate"]] == [False, True]


@pytest.mark.parametrize("path", ["/tasks", "/execute"])
@pytest.mark.parametrize(
    "key", ["", "k" * 10_240, "clé", "tab\there", "  "], ids=["empty", "10kB", "accent", "tab", "blanks"]
)
def test_29_keys_that_are_none(rest: Rest, path: str, key: str) -> None:
    reply = rest.post(path, {"method": "m"}, {"Idempotency-Key": key})
    assert (reply.status, reply.code) == (400, "invalid_idempotency_key")


def test_29_a_header_is_not_for_a_batch(rest: Rest) -> None:
    reply = rest.post("/tasks", {"tasks": [{"method": "m"}]}, {"Idempotency-Key": "k"})
    assert (reply.status, reply.code) == (400, "invalid_idempotency_key")


@pytest.mark.parametrize("path", ["/tasks", "/execute"])
def test_29_a_key_stands_for_one_body(home: House, path: str) -> None:
    rest, key = Rest(home.url), {"Idempotency-Key": f"one body {path}"}
    first = rest.post(path, {"method": "m", "params": 1}, key)
    again = rest.post(path, {"method": "m", "params": 1}, key)
    other = rest.post(path, {"method": "m", "params": 2}, key)

    assert (first.status, first.json["duplicate"]) == (202, False)
    assert (again.status, again.json) == (202, {**first.json, "duplicate": True})
    assert again.headers["location"] == f"/api/v1/tasks/{first.json['id']}"
    assert (other.status, other.code) == (409, "idempotency_key_reused")


def test_30_calls_that_the_state_forbids(home: House) -> None:
    rest = Rest(home.url)
    task = rest.post("/tasks", {"method": "never"}).json["id"]
    retried = rest.post(f"/tasks/{task}/retry")
    deleted = rest.ask("DELETE", f"/tasks/{task}")
    once, twice = rest.post(f"/tasks/{task}/cancel"), rest.post(f"/tasks/{task}/cancel", {"note": "again"})

    assert (retried.status, deleted.status) == (409, 409)
    assert (once.status, once.json["state"]) == (200, "cancelled")
    assert (twice.status, twice.json) == (200, once.json)
    assert rest.ask("DELETE", f"/tasks/{task}").status == 204
    assert rest.get(f"/tasks/{task}").code == "task_not_found"


# ---------------------------------------------------------------- 33, 37: callers that go, hostile texts


def test_33_callers_that_go_while_they_speak(home: House, rest: Rest) -> None:
    for sent in (b"", b'{"method":', b'{"method":"left"'):
        with socket.create_connection((rest.host, rest.port)) as sock:
            sock.sendall(b"POST /api/v1/tasks HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\n" + sent)


def test_33_callers_that_go_before_the_answer(home: House) -> None:
    """Each task is there whole, or not at all."""
    rest = Rest(home.url)
    body = json.dumps({"method": "gone", "params": {"whole": True}, "labels": {"row": "33"}}).encode()
    for path in (b"/api/v1/tasks", b"/api/v1/execute") * 20:
        with socket.create_connection((rest.host, rest.port)) as sock:
            sock.sendall(b"POST " + path + b" HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    found = rest.get("/tasks?method=gone&limit=500").json["tasks"]

    assert all(task["labels"] == {"row": "33"} and task["state"] == "ready" for task in found)
    assert "Traceback" not in (home.folder / "node.log").read_text()


def test_33_a_wait_ends_with_its_caller(home: House) -> None:
    rest = Rest(home.url)
    task = rest.post("/tasks", {"method": "never"}).json["id"]
    with socket.create_connection((rest.host, rest.port)) as sock:
        sock.sendall(b"GET /api/v1/tasks/%b/wait?timeout=60 HTTP/1.1\r\nHost: localhost\r\n\r\n" % task.encode())
    assert rest.get(f"/tasks/{task}/wait?timeout=0.2").status == 202
    assert "Traceback" not in (home.folder / "node.log").read_text()


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "{{7*7}}",
    "${jndi:ldap://x}",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_37_hostile_texts_are_texts(home: House, text: str) -> None:
    rest = Rest(home.url)
    reply = rest.post("/tasks", {"method": text, "group": text, "labels": {"l": text}, "params": text})
    shown = rest.get(f"/tasks/{reply.json['id']}")

    assert (shown.json["method"], shown.json["group"], shown.json["labels"]["l"]) == (text, text, text)
    assert shown.headers["content-type"] == "application/json"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in shown.headers["content-security-policy"]


def test_37_hostile_texts_in_heads_stay_on_one_line_of_the_log(home: House, rest: Rest) -> None:
    reply = rest.get("/tasks/%1b%5b31m", **{"X-Request-Id": "an id with blanks"})
    assert re.fullmatch(r"[0-9a-f]{16}", reply.headers["x-request-id"])
    assert "\x1b" not in (home.folder / "node.log").read_text()
