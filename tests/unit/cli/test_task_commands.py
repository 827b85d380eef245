"""What the data commands print, for people and for machines, and how they end."""

import io
import json
import re
from pathlib import Path

import pytest
from scripted_client import Rota, ScriptedClient, id_of

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def test_submit_prints_the_id_and_nothing_else(rota_here: Rota) -> None:
    done = rota_here("submit", "add", '{"a": 1}')
    assert (done.code, done.out, done.err) == (0, id_of(1) + "\n", "")


def test_submit_passes_on_what_is_said_and_nothing_more(rota_here: Rota, client: ScriptedClient) -> None:
    words = "--group g --priority -3 --retries 2 --retry-delay 500ms --timeout 30 --delay 1m30s --expires 1h"
    keys = "--unique-key u --order-key o --idempotency-key i --label a=1 --label b=x=y --run-at 2026-12-24T18:00+01:00"
    assert rota_here("submit", "add", "[1,2]", *words.split(), *keys.split()).code == 0
    [made] = client.submitted
    assert (made.method, made.params, made.idempotency_key, made.labels) == (
        "add",
        b"[1,2]",
        "i",
        {"a": "1", "b": "x=y"},
    )
    said = {field.name: value for field, value in made.options.ListFields()}
    assert said == {
        "group": "g",
        "priority": -3,
        "retries": 2,
        "retry_delay": 500_000,
        "timeout": 30_000_000,
        "delay": 90_000_000,
        "run_at": 1798131600000000,
        "expires": 3_600_000_000,
        "unique_key": "u",
        "order_key": "o",
    }
    rota_here("submit", "add")
    assert client.submitted[1].options is None


def test_negative_numbers_are_params_too(rota_here: Rota, client: ScriptedClient) -> None:
    assert rota_here("submit", "add", "-5").code == 0
    assert client.submitted[0].params == b"-5"


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    wrapper = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr("sys.stdin", wrapper)


def test_params_come_from_stdin(rota_here: Rota, client: ScriptedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, '{"发": "邮件"}\n')
    assert rota_here("submit", "add", "-").code == 0
    assert json.loads(client.submitted[0].params) == {"发": "邮件"}


def test_a_task_without_a_worker_is_accepted_with_a_warning(rota_here: Rota) -> None:
    done = rota_here("submit", "nobody")
    assert (done.code, done.out) == (0, id_of(1) + "\n")
    assert "no worker that is connected offers nobody" in done.err


def test_many_tasks_without_a_worker_are_warned_of_once(rota_here: Rota, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("[1]\n[2]\n[3]")
    done = rota_here("submit", "nobody", "--many", str(file))
    assert (done.code, len(done.out.split())) == (0, 3)
    assert done.err.count("no worker that is connected offers nobody") == 1


def test_many_tasks_come_from_a_file_and_bad_lines_do_not_stop_the_rest(
    rota_here: Rota, client: ScriptedClient, tmp_path: Path
) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text('{"a":1}\n\n{broken\n"bad"\n[2]')
    done = rota_here("submit", "add", "--many", str(file))
    assert (done.code, done.out.split()) == (1, [id_of(1), id_of(2)])
    assert [made.params for made in client.submitted] == [b'{"a":1}', b"[2]"]
    assert f"{file}:3: this is no JSON" in done.err
    assert f"{file}:4: params: not this one" in done.err
    assert "2 accepted, 2 refused" in done.err


def test_many_tasks_can_be_waited_for(rota_here: Rota, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("1\n2\n")
    done = rota_here("submit", "add", "--many", str(file), "--wait", "--json")
    assert done.code == 1
    assert [value.get("state") for value in done.values] == [None, None, "succeeded", "failed"]


def test_execute_prints_the_result_as_json(rota_here: Rota) -> None:
    done = rota_here("execute", "add", "[1,2]")
    assert (done.code, json.loads(done.out), done.err) == (0, {"sum": 3}, "")


def test_a_failed_task_ends_with_1_and_says_where_to_look(rota_here: Rota) -> None:
    for argv in (["execute", "boom"], ["submit", "boom", "--wait"]):
        done = rota_here(*argv)
        assert (done.code if argv[0] == "execute" else 1, UNSAFE.search(done.out + done.err)) == (1, None)
    assert f"rota show {id_of(2)}" in rota_here("execute", "boom").err
    value = rota_here("execute", "boom", "--json").values[0]
    assert (value["ok"], value["state"], value["error"]["types"]) == (False, "failed", ["builtins.ValueError"])


def test_show_tells_all_and_what_to_do_next(rota_here: Rota) -> None:
    done = rota_here("show", id_of(2))
    assert done.code == 0
    for words in ("failed (raised)", "builtins.ValueError", "earlier attempts", f"next: rota retry {id_of(2)}", "who="):
        assert words in done.out
    assert "next: no worker that is connected offers add" in rota_here("show", id_of(4)).out


@pytest.mark.parametrize("argv", [["show", id_of(2)], ["list"], ["logs", id_of(2)], ["methods"]])
@pytest.mark.parametrize("json_mode", [False, True])
def test_hostile_text_reaches_no_terminal(rota_here: Rota, argv: list[str], json_mode: bool) -> None:
    done = rota_here(*argv, *(["--json"] if json_mode else []))
    assert (done.code, UNSAFE.search(done.out + done.err)) == (0, None)


def test_show_as_json_has_params_and_result_as_they_are(rota_here: Rota) -> None:
    [value] = rota_here("show", id_of(1), "--json").values
    assert (value["params"], value["result"], value["created_at"]) == ({"a": 1}, 3, "2026-11-21T12:00:00.000000Z")


def test_an_unknown_task_ends_with_1(rota_here: Rota) -> None:
    done = rota_here("show", id_of(9), "--json")
    assert (done.code, done.out) == (1, "")
    assert json.loads(done.err)["error"]["code"] == "task_not_found"


def test_list_asks_for_what_is_said(rota_here: Rota, client: ScriptedClient) -> None:
    done = rota_here(
        "list", "--state", "failed,expired", "--state", "running", "--method", "m", "--limit", "7", "--json"
    )
    assert [value["id"] for value in done.values] == [id_of(2), id_of(1)]
    [(_, limit, query)] = client.submitted
    assert (limit, query["states"], query["method"]) == (7, ["failed", "expired", "running"], "m")


def test_a_state_that_is_none_is_told_by_its_flag_with_those_that_are(rota_here: Rota, client: ScriptedClient) -> None:
    done = rota_here("list", "--state", "ready,bogus")
    assert (done.code, done.out, client.submitted) == (2, "", [])
    assert "--state: 'bogus' is no state; there are waiting, scheduled, ready, running" in done.err


def test_times_are_local_and_carry_their_offset(rota_here: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert "2026-11-21 20:00:00 +08:00" in rota_here("show", id_of(1)).out
    finally:
        monkeypatch.undo()
        time.tzset()


def test_cancel_says_what_became_of_each(rota_here: Rota) -> None:
    done = rota_here("cancel", id_of(1), id_of(3), id_of(3))
    assert done.code == 1
    assert f"{id_of(1)}: the task has already succeeded" in done.err
    assert done.out == f"{id_of(3)}  running  (its worker is stopping it)\n"
    [refused, pending] = rota_here("cancel", id_of(1), id_of(3), "--json").values
    assert (refused["refusal"]["code"], pending["pending"]) == ("already_finished", True)


def test_retry_takes_ids_from_a_pipe(rota_here: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, f"{id_of(1)}  failed  x\n\n{id_of(2)}\n")
    assert rota_here("retry", "-").out.split() == [id_of(1), "ready", id_of(2), "ready"]


def test_all_bad_ids_are_told_together(rota_here: Rota) -> None:
    done = rota_here("wait", "x", id_of(1), "y")
    assert done.code == 2
    assert "'x'" in done.err
    assert "'y'" in done.err


def test_wait_prints_each_and_ends_with_1_if_one_failed_or_is_late(rota_here: Rota) -> None:
    done = rota_here("wait", id_of(1), id_of(2))
    assert done.code == 1
    assert done.out.splitlines()[0] == f'{id_of(1)}  succeeded  {{"sum":3}}'
    late = rota_here("wait", id_of(1), id_of(3), "--timeout", "1s")
    assert (late.code, "has not ended" in late.err) == (1, True)
    assert rota_here("wait", id_of(1)).code == 0


def test_logs_have_time_level_and_attempt(rota_here: Rota) -> None:
    first, mark, second = rota_here("logs", "-f", id_of(1)).out.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d\.000 INFO    \\x1b\[31mred", first)
    assert (mark, second[13:]) == ("--- attempt 2", "ERROR   again")


def test_stats_workers_and_methods_have_tables_and_json(rota_here: Rota) -> None:
    assert "1,234" in rota_here("stats").out
    assert rota_here("stats", "--json").values[0]["tasks"] == {"ready": 1234}
    assert "start one: rota worker" in rota_here("workers").err
    assert rota_here("workers", "--json").out == ""
    assert rota_here("methods", "--json").values[0]["name"] == "add"
