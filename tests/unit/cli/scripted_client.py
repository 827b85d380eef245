"""A client with a script, for commands where no node is needed; `python scripted_client.py ARGS…` is `rota` over it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from rota.client.house_views import (
    AuditView,
    BatchInfo,
    Bulk,
    CauseView,
    ControlView,
    GroupInfo,
    PointView,
    RateView,
    Why,
)
from rota.client.views import (
    AttemptView,
    CallView,
    ErrorView,
    LoadView,
    LogView,
    MethodView,
    Outcome,
    ProgressView,
    Receipt,
    StatsView,
    TaskView,
    WorkerView,
)
from rota.model.errors import CannotConnect, Conflict, InvalidInput, NotFound, WaitTimeout

Rota = Callable[..., SimpleNamespace]
"""Runs `rota` with arguments; answers code, out, err."""
AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
HOSTILE = "\x1b[31mred\x07\u202e\x9b2J"


def id_of(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def task(number: int, state: str = "succeeded", **more: Any) -> TaskView:
    facts: dict[str, Any] = {
        "id": id_of(number),
        "method": "add",
        "version": 0,
        "group": "",
        "target": "",
        "state": state,
        "reason": "returned",
        "priority": 0,
        "attempt": 1,
        "failures": 0,
        "rescues": 0,
        "retries": 0,
        "created_at": AT,
        "due_at": None,
        "claimed_at": AT,
        "started_at": AT,
        "ended_at": AT,
        "expire_at": None,
        "worker": "w-1",
        "raw_params": b'{"a":1}',
        "raw_result": b"3",
        "error": None,
    }
    return TaskView(**{**facts, **more})


FAILED = task(
    2,
    "failed",
    reason="raised",
    method="send",
    raw_result=b"",
    raw_params=b'"' + "\\u001b[31m\u202e\x9b".encode() + b'"',
    failures=2,
    retries=1,
    attempt=2,
    labels={"who": HOSTILE},
    error=ErrorView(("builtins.ValueError",), f"no {HOSTILE}", f"Traceback:\n  {HOSTILE}"),
    attempts=(AttemptView(1, "w-1", AT, AT, AT, "retry", ErrorView(("OSError",), HOSTILE, ""), ""),),
    progress=ProgressView(0.5, HOSTILE, AT, 2),
)


def worker(name: str, **more: Any) -> WorkerView:
    facts: dict[str, Any] = {
        "id": f"id-of-{name}",
        "name": name,
        "application": "tasks:app",
        "host": HOSTILE,
        "ip": "::1",
        "pid": 1,
        "os": "",
        "language": "python",
        "sdk": "",
        "cpu_count": 2,
        "memory_bytes": 1 << 30,
        "weight": 1,
        "labels": {},
        "groups": ("mail",),
        "slots": 4,
        "online": True,
        "draining": False,
        "registered_at": AT,
        "seen_at": AT,
        "gone_at": None,
        "gone_reason": "",
        "load": LoadView(0.5, 1 << 20, 0, 0, 0, 0),
        "in_hand": 1,
        "running": 1,
        "finished": 10,
        "methods": ("add",),
    }
    return WorkerView(**{**facts, **more})


class ScriptedClient:
    """Knows task 1, which succeeded, task 2, which failed, and task 3, which never ends. Method `gone`: no node."""

    def __init__(self) -> None:
        self.submitted: list[Any] = []
        self.connected: list[WorkerView] = []

    def __enter__(self) -> ScriptedClient:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def submit_call(self, call: Any) -> Receipt:
        if call.method == "gone":
            raise CannotConnect("no node could be reached at http://127.0.0.1:1")
        self.submitted.append(call)
        return Receipt(id_of(1), warning="no_worker_for_method" if call.method == "nobody" else "")

    def submit_many(self, calls: Iterable[Any]) -> list[Receipt]:
        receipts = []
        for call in calls:
            if call.params == b'"bad"':
                receipts.append(Receipt("", refusal=InvalidInput.at("params", "no", "not this one")))
            else:
                self.submitted.append(call)
                warning = "no_worker_for_method" if call.method == "nobody" else ""
                receipts.append(Receipt(id_of(len(self.submitted)), warning=warning))
        return receipts

    def execute_call(self, call: Any, timeout: float | None = None) -> Outcome:
        return self.outcome({"boom": 2, "sleep": 3}.get(call.method, 1))

    def wait(self, task_id: str, timeout: float | None = None) -> Outcome:
        return self.outcome(int(task_id[-12:]))

    def outcome(self, number: int) -> Outcome:
        if number == 3:
            print("waiting", file=sys.stderr, flush=True)
            time.sleep(60)
        if number == 2:
            return Outcome(id_of(2), "failed", "raised", 1, b"", FAILED.error)
        return Outcome(id_of(number), "succeeded", "returned", 1, b'{"sum":3}', None)

    def wait_many(self, ids: Iterable[str], timeout: float | None = None) -> Iterator[Outcome]:
        for task_id in ids:
            if task_id == id_of(3):
                raise WaitTimeout("1 task has not ended within 1 s; it goes on")
            yield self.outcome(int(task_id[-12:]))

    def get(self, task_id: str) -> TaskView:
        known = {id_of(1): task(1), id_of(2): FAILED, id_of(4): task(4, "ready", reason="submitted", ended_at=None)}
        if task_id not in known:
            raise NotFound.task(task_id)
        return known[task_id]

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[TaskView]:
        self.submitted.append(("list", limit, query))
        yield from [FAILED, task(1)] if limit is not None else (task(n) for n in range(20_000))

    def cancel_many(self, ids: Sequence[str], reason: str = "") -> list[CallView]:
        done = Conflict("the task has already succeeded", code="already_finished")
        return [CallView(i, "succeeded", refusal=done) if i == id_of(1) else CallView(i, "running", True) for i in ids]

    def retry_many(self, ids: Sequence[str]) -> list[CallView]:
        return [CallView(i, "ready") for i in ids]

    def delete_many(self, ids: Sequence[str]) -> list[CallView]:
        return [CallView(i, "succeeded") for i in ids]

    def page(self, cursor: str, limit: int, wanted: Any) -> tuple[list[TaskView], str]:
        self.submitted.append(("page", cursor, limit))
        return [FAILED, task(1)][:limit], "77" if not cursor else ""

    def bulk(self, action: str, *, dry_run: bool = False, **wanted: Any) -> Bulk:
        """Three tasks fit any filter; of those of the method `stuck` one is refused, and of `none` there are none."""
        self.submitted.append((action, dry_run, {key: value for key, value in wanted.items() if value}))
        if wanted["method"] == "none":
            return Bulk(action, 0, 0)
        refused = {"not_finished": 1} if wanted["method"] == "stuck" and not dry_run else {}
        return Bulk(action, 3, 3 - len(refused), refused, tuple(id_of(n) for n in range(1, 4)), more=False)

    def why(self, task_id: str) -> Why:
        causes = (
            CauseView("paused", f"group mail is paused: {HOSTILE}", AT, ("mail", "w-1"), 2),
            CauseView("workers_full", "all workers are busy"),
        )
        return Why(task_id, "ready", causes[0].message, causes)

    def batch(self, name: str) -> BatchInfo:
        """Of `growing` one more has ended at each look."""
        if name == "nope":
            raise NotFound("no such batch")
        done = min(sum(asked == ("batch", name) for asked in self.submitted), 2) if name == "growing" else 2
        self.submitted.append(("batch", name))
        states = {"running": 2 - done, "succeeded": done, "failed": int(name == "bad")}
        return BatchInfo(name, {state: n for state, n in states.items() if n}, AT)

    def groups(self) -> list[GroupInfo]:
        paused = ControlView("group", HOSTILE, True, "new disks", 2, RateView(10, 1.0), RateView(1, 60.0), AT, "ann")
        return [
            GroupInfo("", {"ready": 12_345}, {"add": 12_345}, 2, 32, 7, None, 1.0, 2.0),
            GroupInfo(HOSTILE, {"waiting": 1, "running": 2}, {}, 1, 16, 2, paused, 0.0, 0.0),
        ]

    def controls(self) -> list[ControlView]:
        return [ControlView("node", "", concurrency=3), ControlView("method", HOSTILE, paused=True)]

    def pause(self, scope: str, name: str, note: str = "") -> ControlView:
        self.submitted.append(("pause", scope, name, note))
        return ControlView(scope, name, True, note)

    def resume(self, scope: str, name: str) -> ControlView:
        self.submitted.append(("resume", scope, name))
        return ControlView(scope, name)

    def limit(self, scope: str, name: str, **limits: Any) -> ControlView:
        self.submitted.append(("limit", scope, name, limits))
        return ControlView(scope, name, concurrency=limits.get("concurrency"))

    def drain_worker(self, worker: str, note: str = "") -> None:
        self.submitted.append(("drain", worker, note))
        if worker == "nope":
            raise NotFound("no worker 'nope' is here", code="worker_not_found")

    def resume_worker(self, worker: str) -> None:
        self.submitted.append(("resume", worker))

    def shut_down_worker(self, worker: str) -> None:
        self.submitted.append(("shut_down", worker))

    def audit(self, **wanted: Any) -> Iterator[AuditView]:
        self.submitted.append(("audit", wanted))
        yield AuditView(9, AT, "ann", "k", "::1", "http", "group.pause", HOSTILE, "ok", "r", "", '{"paused":true}')
        yield AuditView(8, AT, "bob", "k", "::1", "http", "token.create", "x", "forbidden", "r", "", "")

    def series(self, since: Any = None, step: Any = None) -> list[PointView]:
        return [PointView(AT, 10.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0.001, 0.01, 0.1, 1.0)]

    def logs(self, task_id: str, *, follow: bool = False) -> Iterator[LogView]:
        yield LogView(1, 1, AT, 20, HOSTILE)
        yield LogView(2, 2, AT, 40, "again")

    def stats(self) -> StatsView:
        zeros = dict.fromkeys(("workers", "clients", "submitted", "finished", "failed", "rescued", "pid"), 0)
        return StatsView(
            node_id="node-1",
            node_version="0.1.0",
            mode="embedded",
            store="sqlite",
            durability="full",
            started_at=AT,
            now=datetime.now(UTC),
            tasks={"ready": 1234},
            memory_bytes=1 << 20,
            submit_rate=1.5,
            finish_rate=0.0,
            data_dir="/data",
            **zeros,
        )

    def workers(self, *, gone: bool = False) -> list[WorkerView]:
        return self.connected

    def methods(self) -> list[MethodView]:
        return [MethodView("add", 1, (f"Add {HOSTILE}\nmore",), None, 0, {})]


if __name__ == "__main__":
    import rota.cli.reach
    from rota.cli.main import main

    vars(rota.cli.reach)["reach"] = lambda settings, token=None: ScriptedClient()
    main()
