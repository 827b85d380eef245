"""The command line against a real node and a real worker: what a person types in a day, and what comes of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import ROTA, House, house

Rota = Callable[..., SimpleNamespace]


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as made:
        made.start_node()
        made.start_worker("--slots", "4", "--name", "one")
        yield made


@pytest.fixture(scope="module")
def rota(where: House) -> Rota:
    """Answers code, out, err, and `values`: the JSON of each line of stdout, with --json."""

    def call(*argv: str, stdin: str = "") -> SimpleNamespace:
        env = {key: value for key, value in os.environ.items() if key != "ROTA_TOKEN"} | {"ROTA_URL": where.url}
        done = subprocess.run(
            [ROTA, *argv], input=stdin, capture_output=True, text=True, timeout=60, check=False, env=env
        )
        assert "Traceback" not in done.stderr, done.stderr
        values: list[Any] = [json.loads(line) for line in done.stdout.splitlines()] if "--json" in argv else []
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr, values=values)

    deadline = time.monotonic() + 20
    while not call("workers", "--json").values:
        assert time.monotonic() < deadline, "the worker never came"
        time.sleep(0.05)
    return call


def submitted(rota: Rota, *argv: str) -> str:
    done = rota("submit", *argv)
    assert done.code == 0, done.err
    return str(done.out.strip())


def shown(rota: Rota, task_id: str) -> dict[str, Any]:
    (value,) = rota("show", task_id, "--json").values
    return dict(value)


def test_a_group_is_paused_and_why_says_so_until_it_is_resumed(rota: Rota) -> None:
    assert rota("groups", "pause", "mail", "--note", "the server is down").code == 0
    task_id = submitted(rota, "add", "[1, 2]", "--group", "mail")
    why = rota("why", task_id)
    assert "`mail` is paused" in why.out
    assert "the server is down" in why.out
    (value,) = rota("why", task_id, "--json").values
    assert "paused" in [cause["code"] for cause in value["causes"]]
    (mail,) = [group for group in rota("groups", "--json").values if group["name"] == "mail"]
    assert (mail["tasks"], mail["control"]["paused"]) == ({"ready": 1}, True)
    assert rota("groups", "resume", "mail").code == 0
    assert "paused" not in [cause["code"] for cause in rota("why", task_id, "--json").values[0]["causes"]]
    assert rota("cancel", task_id).code == 0


def test_a_limit_is_set_shown_and_taken_away(rota: Rota) -> None:
    (control,) = rota("groups", "limit", "--method", "add", "--concurrency", "3", "--rate", "100/m", "--json").values
    assert (control["concurrency"], control["rate"]) == (3, "100/m")
    assert "method add: 3 at once, 100/m" in rota("groups").out
    rota("groups", "limit", "--method", "add", "--concurrency", "none", "--rate", "none")
    assert "method add" not in rota("groups").out
    bad = rota("groups", "limit", "mail", "--rate", "often")
    assert (bad.code, "10/s" in bad.err) == (2, True)


def test_a_full_group_refuses_and_pages_of_groups_follow_one_another(rota: Rota) -> None:
    (control,) = rota("groups", "limit", "narrow", "--max-queued", "1", "--json").values
    assert control["max_queued"] == 1
    first = submitted(rota, "nobody", "--group", "narrow")
    full = rota("submit", "nobody", "--group", "narrow")
    assert full.code == 1
    assert "group 'narrow'" in full.err
    assert "the limit set for it is 1 (max_queued)" in full.err
    assert "1 queued at most" in rota("groups").out
    page = rota("groups", "--limit", "1", "--json")
    names = [value["name"] for value in page.values]
    while page.err:
        page = rota("groups", "--cursor", json.loads(page.err)["next"], "--limit", "1", "--json")
        names += [value["name"] for value in page.values]
    assert names == [value["name"] for value in rota("groups", "--json").values if value["scope"] == "group"]
    assert rota("groups", "--limit", "201").code == 2
    assert rota("cancel", first).code == 0
    assert rota("cancel", submitted(rota, "nobody", "--group", "narrow")).code == 0
    rota("groups", "limit", "narrow", "--max-queued", "none")


def test_a_chain_runs_in_order(rota: Rota, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = submitted(rota, "hold", json.dumps({"gate": str(gate)}))
    second = submitted(rota, "add", "[3, 4]", "--after", first)
    assert first in rota("why", second).out
    gate.touch()
    assert rota("wait", first, second).code == 0
    assert shown(rota, second)["after"] == [first]
    assert shown(rota, first)["ended_at"] <= shown(rota, second)["started_at"]


def test_unique_modes_and_debounce(rota: Rota) -> None:
    held = submitted(rota, "add", "[1, 2]", "--unique-key", "u", "--delay", "1h")
    refused = rota("submit", "add", "[1, 2]", "--unique-key", "u", "--unique-mode", "reject")
    assert (refused.code, held in refused.err) == (1, True)
    newer = submitted(rota, "add", "[1, 2]", "--unique-key", "u", "--unique-mode", "replace", "--delay", "1h")
    assert (shown(rota, held)["state"], shown(rota, newer)["state"]) == ("cancelled", "scheduled")
    assert submitted(rota, "add", "[1, 2]", "--unique-key", "u") == newer
    rota("cancel", newer)
    first = submitted(rota, "add", "[5, 5]", "--unique-key", "d", "--debounce", "1m")
    second = submitted(rota, "add", "[6, 6]", "--unique-key", "d", "--debounce", "1m")
    assert (shown(rota, first)["state"], shown(rota, second)["state"]) == ("cancelled", "scheduled")
    assert rota("cancel", second).code == 0


def test_a_batch_that_fails_is_found_run_again_and_removed(rota: Rota) -> None:
    lines = "\n".join(json.dumps({"times": 99}) for _ in range(5))
    done = rota(
        "submit", "flaky", "--many", "-", "--batch", "night", "--label", "who=me", "--retries", "0", stdin=lines
    )
    assert len(done.out.split()) == 5
    watched = rota("batch", "night", "--watch", "--json")
    assert (watched.code, watched.values[-1]["failed"]) == (1, 5)
    assert len(rota("list", "--batch", "night", "--state", "failed", "--label", "who=me", "--json").values) == 5
    dry = rota("retry", "--batch", "night", "--dry-run")
    assert (dry.code, dry.out.splitlines()[0]) == (0, "5 tasks (failed) would be run again")
    unsaid = rota("retry", "--batch", "night")
    assert (unsaid.code, "--yes" in unsaid.err) == (2, True)
    (outcome,) = rota("retry", "--label", "who=me", "--since", "1h", "--yes", "--json").values
    assert (outcome["done"], outcome["refused"]) == (5, {})
    assert rota("batch", "night", "--watch").code == 1
    assert rota("delete", "--batch", "night", "--yes").out == "5 of 5 tasks deleted\n"
    gone = rota("batch", "night")
    assert (gone.code, "night" in gone.err) == (1, True)


def test_a_list_is_read_page_by_page(rota: Rota) -> None:
    for number in range(5):
        submitted(rota, "add", f"[{number}, 0]", "--label", "page=1", "--delay", "1h")
    seen: list[str] = []
    cursor = "start"
    while cursor:
        page = rota("list", "--label", "page=1", "--limit", "2", "--cursor", cursor, "--json")
        seen += [task["id"] for task in page.values]
        cursor = json.loads(page.err)["next"] if page.err else ""
    assert seen == [task["id"] for task in rota("list", "--label", "page=1", "--json").values]
    assert len(set(seen)) == 5
    assert rota("cancel", "--label", "page=1", "--yes").out == "5 of 5 tasks cancelled\n"


def test_a_worker_is_drained_and_takes_tasks_again(rota: Rota) -> None:
    assert rota("workers", "drain", "one", "--note", "new disk").code == 0
    (worker,) = rota("workers", "--json").values
    assert worker["draining"] is True
    task_id = submitted(rota, "add", "[1, 2]")
    assert "draining" in rota("why", task_id).out
    assert rota("workers", "resume", worker["id"]).code == 0
    assert rota("wait", task_id, "--timeout", "20s").code == 0
    nobody = rota("workers", "drain", "nobody", "--json")
    assert (nobody.code, json.loads(nobody.err)["error"]["code"]) == (1, "worker_not_found")


def test_methods_audit_and_top_tell_what_is_there(rota: Rota) -> None:
    (method,) = rota("methods", "add", "--json").values
    assert method["params_schema"]["properties"].keys() == {"a", "b"}
    assert len(method["served_by"]) == 1
    assert rota("groups", "pause", "--node", "--note", "lunch").code == 0
    assert rota("groups", "resume", "--node").code == 0
    lines = rota("audit", "--action", "node", "--limit", "2", "--json").values
    assert [line["action"] for line in lines] == ["node.resume", "node.pause"]
    assert json.loads(lines[1]["after"])["note"] == "lunch"
    (look,) = rota("top", "--json", "--count", "1").values
    assert look["workers"][0]["name"] == "one"
    assert look["since_start"]["finished"] > 0
    assert "rota top" in rota("top").out


def test_a_worker_is_shut_down(rota: Rota, where: House) -> None:
    where.start_worker("--name", "passing")
    deadline = time.monotonic() + 20
    while rota("workers", "shutdown", "passing").code:
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    assert where.processes[-1].wait() == 0


def test_what_was_set_holds_over_a_restart_and_a_backup_is_taken_meanwhile(rota: Rota, where: House) -> None:
    rota("groups", "limit", "mail", "--concurrency", "7")
    task_id = submitted(rota, "add", "[1, 2]", "--delay", "1h")
    copy = where.folder / "copy.db"
    assert rota("backup", str(copy), "--data", str(where.folder / "data")).code == 0
    assert where.node is not None
    where.node.stop()
    Path(where.folder / "data" / "rota.db").unlink()
    for left in (where.folder / "data").glob("rota.db-*"):
        left.unlink()
    copy.rename(where.folder / "data" / "rota.db")
    where.start_node()
    assert shown(rota, task_id)["state"] == "scheduled"
    (mail,) = [
        group for group in rota("groups", "--json").values if group["scope"] == "group" and group["name"] == "mail"
    ]
    assert mail["control"]["concurrency"] == 7
