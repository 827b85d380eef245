"""Every verb over HTTP, against a real node and a real worker."""

import json
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import House, house
from rest import Reply, Rest

PLAIN, SPECIAL = {}, {"X-Special": "asks for the router"}
"""Headers of a request that takes the short way, and of one that does not."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as made:
        made.start_node()
        made.start_worker("--name", "the-worker").line()
        yield made


@pytest.fixture
def rest(home: House) -> Rest:
    return Rest(home.url)


def done(rest: Rest, method: str, params: Any, **more: Any) -> Any:
    """The outcome of a task that ends within seconds."""
    reply = rest.post("/execute", {"method": method, "params": params, "wait": 20, **more})
    assert reply.status == 200, reply
    return reply.json


def held(rest: Rest, gate: Path) -> str:
    """A task that runs until the gate is there."""
    task = rest.post("/tasks", {"method": "hold", "params": {"gate": str(gate)}}).json["id"]
    while rest.get(f"/tasks/{task}").json["started_at"] is None:
        rest.get(f"/tasks/{task}/wait?timeout=0.05")
    return task


# ---------------------------------------------------------------- tasks


@pytest.mark.parametrize("headers", [PLAIN, SPECIAL], ids=["short", "router"])
def test_execute_answers_with_the_result(rest: Rest, headers: dict[str, str]) -> None:
    reply = rest.post("/execute", {"method": "add", "params": {"a": 20, "b": 22}, "wait": 20}, headers)

    assert reply.status == 200
    assert {**reply.json, "id": ""} == {
        "id": "",
        "state": "succeeded",
        "reason": "returned",
        "attempt": 1,
        "result": 42,
        "error": None,
        "duplicate": False,
    }


def test_execute_answers_with_the_error(rest: Rest) -> None:
    outcome = done(rest, "flaky", {"times": 9}, retries=0)
    assert (outcome["state"], outcome["reason"], outcome["result"]) == ("failed", "raised", None)
    assert outcome["error"]["type"]
    assert "Traceback" in outcome["error"]["traceback"]


@pytest.mark.parametrize("headers", [PLAIN, SPECIAL], ids=["short", "router"])
def test_execute_without_wait_or_in_vain_answers_with_the_id(rest: Rest, headers: dict[str, str]) -> None:
    for more in ({}, {"wait": 0}, {"wait": 0.05}, {"wait": 1.2}):
        reply = rest.post("/execute", {"method": "nobody", **more}, headers)
        assert reply.status == 202
        assert reply.headers["location"] == f"/api/v1/tasks/{reply.json['id']}"
        assert rest.get(f"/tasks/{reply.json['id']}").json["state"] == "ready"


def test_a_repeat_that_waits_gets_the_outcome_of_the_first(rest: Rest) -> None:
    key = {"Idempotency-Key": "waits twice"}
    body = {"method": "add", "params": {"a": 1, "b": 1}, "wait": 20}
    first, again = rest.post("/execute", body, key), rest.post("/execute", body, key)

    assert (first.status, again.status) == (200, 200)
    assert again.json == {**first.json, "duplicate": True}


BODIES = [
    {"method": "add", "params": {"a": 1, "b": 2}},
    {"method": "nobody"},
    {"tasks": [{"method": "add", "params": {"a": 1, "b": 2}}, {"method": "nobody"}]},
    {"method": "x\u0000"},
    {"method": 3},
    {"tasks": [{"method": "m"}, {"method": "m", "priority": 99}]},
    [],
]


@pytest.mark.parametrize("path", ["/tasks", "/execute"])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_the_short_way_answers_as_the_router_does(rest: Rest, path: str, body: Any) -> None:
    def shape(reply: Reply) -> Any:
        headers = {name: value for name, value in reply.headers.items() if name not in ("x-request-id", "location")}
        said = json.loads(reply.body, object_hook=lambda each: {**each, "id": "", "request_id": ""})
        return reply.status, headers, "location" in reply.headers, said

    assert shape(rest.post(path, body, PLAIN)) == shape(rest.post(path, body, SPECIAL))


def test_a_task_is_shown_with_all_that_was_asked(rest: Rest) -> None:
    asked = {
        "method": "nobody",
        "params": {"n": [1, "二"]},
        "group": "blue",
        "priority": 3,
        "retries": 2,
        "timeout": 1.5,
        "result_ttl": 60,
        "unique_key": "u-1",
        "order_key": "o-1",
        "concurrency_key": "c-1",
        "concurrency_limit": 4,
        "batch": "shown",
        "labels": {"tier": "gold"},
        "run_at": "2090-01-01T00:00:00+08:00",
    }
    reply = rest.post("/tasks", {**asked, "run_at": "2030-01-01T00:00:00+08:00"})
    shown = rest.get(f"/tasks/{reply.json['id']}").json

    kept = {name: value for name, value in asked.items() if name != "run_at"}
    assert {name: shown[name] for name in kept} == kept
    assert (shown["state"], shown["due_at"]) == ("scheduled", "2029-12-31T16:00:00.000000Z")


@pytest.mark.parametrize("headers", [PLAIN, SPECIAL], ids=["short", "router"])
def test_large_params_come_back_as_they_were(rest: Rest, headers: dict[str, str]) -> None:
    params = [{"n": number, "text": "长" * 100} for number in range(1_000)]
    reply = rest.post("/tasks", {"method": "nobody", "params": params}, headers)
    assert reply.status == 202
    assert rest.get(f"/tasks/{reply.json['id']}").json["params"] == params


def test_tries_are_shown(rest: Rest) -> None:
    task = done(rest, "flaky", {"times": 2})["id"]
    shown = rest.get(f"/tasks/{task}").json
    assert (shown["attempt"], shown["failures"], shown["result"]) == (3, 2, 3)
    assert [(each["attempt"], each["reason"]) for each in shown["attempts"]] == [(1, "raised"), (2, "raised")]
    assert all(each["error"]["message"] for each in shown["attempts"])


def test_logs_and_progress(rest: Rest) -> None:
    task = done(rest, "chatters", {"lines": 5})["id"]
    first = rest.get(f"/tasks/{task}/logs?limit=2").json
    rest_of_it = rest.get(f"/tasks/{task}/logs?after={first['after']}").json

    assert [line["text"] for line in first["lines"] + rest_of_it["lines"]] == [f"line {n}" for n in range(5)]
    assert rest_of_it["ended"] is True
    assert rest.get(f"/tasks/{task}/logs?after={rest_of_it['after']}").json["lines"] == []
    assert rest.get(f"/tasks/{task}").json["progress"]["share"] == 1.0
    followed = rest.get(f"/tasks/{task}/logs?follow=true")
    assert followed.headers["content-type"] == "text/event-stream"
    assert b"line 4" in followed.body


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("label=row:find", 3),
        ("label=row", 3),
        ("label=row:other", 0),
        ("label=row:find&group=left", 1),
        ("label=row:find&state=ready,scheduled", 3),
        ("label=row:find&state=ended", 0),
        ("label=row:find&method=find-b", 1),
        ("batch=find", 2),
        ("label=row:find&worker=nobody", 0),
        ("label=row:find&since=2020-01-01T00:00:00Z&until=2090-01-01T00:00:00Z", 3),
        ("label=row:find&until=2020-01-01T00:00:00Z", 0),
        ("text=find-key", 1),
    ],
)
def test_lists_are_filtered(rest: Rest, asked: str, found: int) -> None:
    if not rest.get("/tasks?label=row:find").json["tasks"]:
        common = {"labels": {"row": "find"}}
        rest.post(
            "/tasks",
            {
                "tasks": [
                    {"method": "find-a", "group": "left", "batch": "find", **common},
                    {"method": "find-b", "delay": 1_000, "batch": "find", **common},
                    {"method": "find-a", "unique_key": "find-key", **common},
                ]
            },
        )
    assert len(rest.get(f"/tasks?{asked}").json["tasks"]) == found


def test_a_wait_ends_with_the_task(rest: Rest, tmp_path: Path) -> None:
    task = held(rest, tmp_path / "gate")
    assert rest.get(f"/tasks/{task}/wait?timeout=0").json == {"id": task, "state": "running"}
    replies: list[Reply] = []
    waiting = threading.Thread(target=lambda: replies.append(rest.get(f"/tasks/{task}/wait?timeout=30")))
    waiting.start()
    (tmp_path / "gate").touch()
    waiting.join(20)

    assert (replies[0].status, replies[0].json["state"]) == (200, "succeeded")
    assert rest.get(f"/tasks/{task}/wait").json == replies[0].json


def test_a_wait_takes_as_long_as_it_may(rest: Rest) -> None:
    task, began = rest.post("/tasks", {"method": "nobody"}).json["id"], time.monotonic()
    assert rest.get(f"/tasks/{task}/wait?timeout=2.5").status == 202
    assert time.monotonic() - began >= 2.5


def test_a_running_task_is_cancelled_by_its_worker(rest: Rest, tmp_path: Path) -> None:
    task = held(rest, tmp_path / "never")
    assert rest.ask("DELETE", f"/tasks/{task}").status == 409
    asked = rest.post(f"/tasks/{task}/cancel", {"note": "not needed"})

    assert (asked.status, asked.json) == (200, {"id": task, "state": "running", "pending": True})
    assert rest.get(f"/tasks/{task}/wait?timeout=20").json["state"] == "cancelled"


def test_an_ended_task_runs_again_and_goes(rest: Rest) -> None:
    task = done(rest, "add", {"a": 1, "b": 1})["id"]
    again = rest.post(f"/tasks/{task}/retry")
    assert (again.status, again.json["pending"]) == (200, False)
    assert rest.get(f"/tasks/{task}/wait?timeout=20").json["attempt"] == 2
    assert rest.ask("DELETE", f"/tasks/{task}").status == 204
    assert rest.get(f"/tasks/{task}").status == 404


def test_many_at_once(rest: Rest) -> None:
    rest.post("/tasks", {"tasks": [{"method": "many", "batch": "bulk"} for _ in range(5)]})
    meant = {"filter": {"batch": "bulk"}}
    tried = rest.post("/tasks/cancel", {**meant, "dry_run": True}).json
    assert (tried["matched"], tried["done"], rest.get("/batches/bulk").json["states"]["ready"]) == (5, 5, 5)

    cancelled = rest.post("/tasks/cancel", meant).json
    assert (cancelled["done"], len(cancelled["sample"]), cancelled["more"]) == (5, 5, False)
    batch = rest.get("/batches/bulk").json
    assert (batch["total"], batch["unended"], batch["states"]["cancelled"]) == (5, 0, 5)

    assert rest.post("/tasks/retry", meant).json["done"] == 0, "without a state it is the failed ones that are meant"
    assert rest.post("/tasks/retry", {"filter": {"batch": "bulk", "state": ["cancelled"]}}).json["done"] == 5
    assert rest.post("/tasks/delete", meant).json["done"] == 0
    rest.post("/tasks/cancel", meant)
    assert rest.post("/tasks/delete", {**meant, "limit": 2}).json["more"] is True
    assert rest.post("/tasks/delete", meant).json["done"] == 3
    assert rest.get("/batches/bulk").code == "batch_not_found"


def test_many_needs_a_filter_that_says_something(rest: Rest) -> None:
    refused = rest.post("/tasks/delete", {"filter": {}})
    assert (refused.status, refused.code) == (422, "empty_filter")
    assert rest.post("/tasks/delete", {"filter": {"worker": "nobody"}}).json["matched"] == 0


# ---------------------------------------------------------------- the house


def test_methods(rest: Rest) -> None:
    listed = {each["name"]: each for each in rest.get("/methods").json["methods"]}
    shown = rest.get("/methods/flaky").json

    assert listed["add"]["docs"] == ["Adds."]
    assert listed["add"]["params_schema"]["required"] == ["a", "b"]
    assert shown["versions"][0]["defaults"] == {"retries": 5, "retry_delay": 0.05}
    assert len(shown["served_by"]) == 1
    assert rest.get("/methods/nobody-offers-this").code == "method_not_found"


def test_workers(rest: Rest) -> None:
    (worker,) = rest.get("/workers").json["workers"]
    assert rest.get(f"/workers/{worker['id']}").json["name"] == "the-worker"
    assert rest.post("/workers/the-worker/drain", {"note": "for a while"}).json["draining"] is True
    assert rest.post(f"/workers/{worker['id']}/resume").json["draining"] is False
    assert rest.get("/workers/nobody").code == "worker_not_found"
    assert rest.post("/workers/nobody/drain").code == "worker_not_found"


@pytest.mark.parametrize("place", ["/groups/red", "/groups/-", "/groups/a%2Fb%20%E7%BB%84", "/methods/add", "/node"])
def test_pauses_and_limits(rest: Rest, place: str) -> None:
    paused = rest.post(f"{place}/pause", {"note": "for the test"}).json
    assert (paused["paused"], paused["note"]) == (True, "for the test")
    limited = rest.ask("PATCH", f"{place}/limits", {"concurrency": 2, "rate": {"count": 5, "period": 0.5}}).json
    assert (limited["paused"], limited["concurrency"], limited["rate"]) == (True, 2, {"count": 5, "period": 0.5})
    assert {(each["scope"], each["name"]) for each in rest.get("/controls").json["controls"]} == {
        (limited["scope"], limited["name"])
    }
    resumed = rest.post(f"{place}/resume").json
    assert (resumed["paused"], resumed["concurrency"]) == (False, 2)
    rest.ask("PATCH", f"{place}/limits", {"concurrency": None, "rate": None})
    assert rest.get("/controls").json["controls"] == []
    nothing = rest.ask("PATCH", f"{place}/limits", {})
    assert (nothing.status, nothing.code) == (422, "missing_field")


def test_a_paused_group_holds_its_tasks_and_says_why(rest: Rest) -> None:
    rest.post("/groups/-/pause", {"note": "maintenance"})
    task = rest.post("/tasks", {"method": "add", "params": {"a": 1, "b": 2}}).json["id"]
    why = rest.get(f"/tasks/{task}/why").json
    assert why["causes"][0]["code"] == "paused"
    assert rest.get("/groups/-").json["tasks"]["ready"] >= 1
    rest.post("/groups/-/resume")
    assert rest.get(f"/tasks/{task}/wait?timeout=20").json["result"] == 3


def test_how_the_node_stands(rest: Rest) -> None:
    stats = rest.get("/stats").json
    assert stats["workers"] == 1
    assert stats["submitted"] >= stats["finished"] > 0
    assert set(stats["tasks"]) == {
        "waiting", "scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired",
    }  # fmt: skip
    assert isinstance(rest.get("/stats/series?step=10").json["points"], list)
    assert rest.get("/groups").json["groups"]


def test_what_was_changed_is_in_the_audit_log_and_pages(rest: Rest) -> None:
    for group in ("x", "y", "z"):
        rest.post(f"/groups/{group}/pause")
        rest.post(f"/groups/{group}/resume")
    first = rest.get("/audit?action=group&limit=2").json
    second = rest.get(f"/audit?action=group&limit=2&cursor={first['cursor']}").json
    lines = first["lines"] + second["lines"]

    assert [line["object"] for line in lines] == ["z", "z", "y", "y"]
    assert all(line["door"] == "http" and line["outcome"] == "ok" for line in lines)
    assert rest.get(f"/audit?action=token&cursor={first['cursor']}").code == "invalid_cursor"


def test_the_description_is_there_for_programs_and_people(rest: Rest) -> None:
    assert rest.get("/openapi.json").json["openapi"] == "3.1.0"
    page = rest.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src" not in page.headers["content-security-policy"]


def test_heads_are_told_as_for_the_body(rest: Rest) -> None:
    whole, head = rest.get("/methods"), rest.ask("HEAD", "/methods")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_a_request_keeps_its_id(rest: Rest) -> None:
    assert rest.get("/stats", **{"X-Request-Id": "mine-42"}).headers["x-request-id"] == "mine-42"
    refused = rest.get("/nowhere", **{"X-Request-Id": "mine-43"})
    assert (refused.headers["x-request-id"], refused.json["request_id"]) == ("mine-43", "mine-43")


# ---------------------------------------------------------------- tokens, a full queue


Start = Callable[..., House]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with house(tmp_path) as made:

        def started(*flags: str) -> House:
            made.start_node(*flags)
            return made

        yield started


def test_tokens_are_made_rotated_and_revoked(start: Start) -> None:
    rest = Rest(start().url)
    made = rest.post("/tokens", {"name": "root", "roles": ["admin"]})
    assert (made.status, made.json["roles"], made.json["groups"]) == (201, ["admin"], None)
    assert rest.get("/stats").code == "not_authenticated"

    rest.token = made.json["token"]
    client = rest.post("/tokens", {"name": "ci", "roles": ["client"], "groups": ["ci"], "expires_in": 3600}).json
    assert client["expires_at"] > client["created_at"]
    caller = Rest(f"http://{rest.host}:{rest.port}", client["token"])
    own = caller.post("/tasks", {"method": "m"})
    assert own.status == 202
    assert rest.get(f"/tasks/{own.json['id']}").json["group"] == "ci"
    other = rest.post("/tasks", {"method": "m", "group": "other"}).json["id"]
    assert caller.get(f"/tasks/{other}").code == "task_not_found"
    assert caller.post("/tasks", {"method": "m", "group": "other"}).status == 403
    assert caller.get("/tokens").code == "forbidden"

    rotated = rest.post(f"/tokens/{client['kid']}/rotate")
    assert (rotated.status, rotated.json["name"]) == (201, "ci")
    revoked = rest.ask("DELETE", f"/tokens/{client['kid']}")
    assert (revoked.status, bool(revoked.json["revoked_at"])) == (200, True)
    assert caller.get("/stats").code == "not_authenticated"
    assert Rest(f"http://{rest.host}:{rest.port}", rotated.json["token"]).get("/stats").status == 200
    assert rest.post("/tokens/nobody/rotate").status == 404
    assert "token" not in rest.get("/tokens").json["tokens"][0]


def test_31_a_full_queue_is_told_and_nothing_is_dropped(start: Start) -> None:
    rest = Rest(start("--max-queued", "2").url)
    assert [rest.post("/execute", {"method": "m"}).status for _ in range(2)] == [202, 202]
    for path, body in (("/execute", {"method": "m"}), ("/tasks", {"tasks": [{"method": "m"}]})):
        full = rest.post(path, body)
        assert (full.status, full.code) == (429, "queue_full")
        assert int(full.headers["retry-after"]) >= 1
    assert len(rest.get("/tasks").json["tasks"]) == 2


@pytest.mark.parametrize("headers", [PLAIN, SPECIAL], ids=["short", "router"])
def test_31_a_full_group_is_told_and_harms_no_other(start: Start, headers: dict[str, str]) -> None:
    made = start()
    rest = Rest(made.url)
    limited = rest.ask("PATCH", "/groups/mail/limits", {"max_queued": 2})
    assert (limited.status, limited.json["max_queued"]) == (200, 2)
    assert rest.ask("PATCH", "/node/limits", {"max_queued": 2}).code == "group_only"
    assert rest.ask("PATCH", "/groups/mail/limits", {"max_queued": 0}).status == 422
    mail = {"method": "m", "group": "mail"}
    assert [rest.post("/execute", mail, headers).status for _ in range(2)] == [202, 202]
    full = rest.post("/execute", mail, headers)
    assert (full.status, full.code) == (429, "queue_full")
    assert "'mail'" in full.json["detail"]
    assert int(full.headers["retry-after"]) >= 1
    batch = rest.post("/tasks", {"tasks": [{"method": "m"}, mail]}, headers)
    assert (batch.status, batch.code) == (429, "queue_full")
    assert len(rest.get("/tasks").json["tasks"]) == 2
    assert rest.post("/execute", {"method": "m", "group": "other"}, headers).status == 202
    assert rest.get("/groups/mail").json["control"]["max_queued"] == 2
    rest.ask("PATCH", "/groups/mail/limits", {"max_queued": None})
    assert rest.post("/execute", mail, headers).status == 202


def test_groups_come_page_by_page(start: Start) -> None:
    rest = Rest(start().url)
    for name in ("b", "a", "图"):
        rest.post("/tasks", {"method": "m", "group": name})
    whole = rest.get("/groups").json
    assert ([group["name"] for group in whole["groups"]], whole["cursor"]) == ([None, "a", "b", "图"], None)
    names: list[str | None] = []
    path: str | None = "/groups?limit=1"
    while path:
        page = rest.get(path).json
        names += [group["name"] for group in page["groups"]]
        path = page["cursor"] and f"/groups?limit=1&cursor={page['cursor']}"
    assert names == [None, "a", "b", "图"]
    for bad, code in (("limit=0", "out_of_range"), ("limit=201", "out_of_range"), ("cursor=x", "invalid_cursor")):
        refused = rest.get(f"/groups?{bad}")
        assert (refused.status, refused.code) == (422, code), bad


@pytest.mark.parametrize("headers", [PLAIN, SPECIAL], ids=["short", "router"])
def test_a_node_that_stops_ends_long_waits_in_order(start: Start, headers: dict[str, str]) -> None:
    made = start()
    rest, replies = Rest(made.url), []
    task = rest.post("/tasks", {"method": "nobody"}).json["id"]
    asks: list[Callable[[], Reply]] = [
        lambda: rest.get(f"/tasks/{task}/wait?timeout=60"),
        lambda: rest.post("/execute", {"method": "nobody", "wait": 60}, headers),
    ]
    waits = [threading.Thread(target=lambda ask=ask: replies.append(ask())) for ask in asks]
    for wait in waits:
        wait.start()
    while "rota_links 2.0" not in metrics(rest):
        rest.get(f"/tasks/{task}/wait?timeout=0.05")
    assert made.node is not None
    made.node.signal(signal.SIGTERM)
    for wait in waits:
        wait.join(20)

    assert made.node.wait() == 0
    assert [reply.status for reply in replies] == [202, 202]
    assert "Traceback" not in (made.folder / "node.log").read_text()


def metrics(rest: Rest) -> str:
    with urllib.request.urlopen(f"http://{rest.host}:{rest.port}/metrics", timeout=10) as answer:
        return answer.read().decode()
