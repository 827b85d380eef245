"""What must not be taken, said to the command line before a real node. The numbers are the rows of the catalogue of bad input.

A command that is refused ends with 1 where the node says no and with 2 where the words were wrong, says why on stderr, as JSON
where JSON is asked for, and changes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import ROTA, House, free_port, house
from rest import Rest

from rota.access.made_token import make_token

NOBODY = "01a1ffcb-863b-7300-a76b-2ea581288935"


def rota(home: House, *argv: str, stdin: str = "", token: str = "") -> SimpleNamespace:
    """Its code, stdout, and the error as JSON."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}
    env |= {"ROTA_URL": home.url, "ROTA_DATA": str(home.folder / "none"), **({"ROTA_TOKEN": token} if token else {})}
    done = subprocess.run(
        [ROTA, *argv, "--json"], input=stdin, capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert "Traceback" not in done.stderr, done.stderr
    said = json.loads(done.stderr.splitlines()[-1]) if done.stderr.strip() else {}
    return SimpleNamespace(code=done.returncode, out=done.stdout, error=said.get("error", {}), said=done.stderr)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("cli")) as made:
        made.start_node()
        yield made


WRONG_WORDS = [
    pytest.param(["submit", "m\x1b[31m"], "invalid_name", id="7-ansi"),
    pytest.param(["submit", "m\u202etxt"], "invalid_name", id="7-bidi"),
    pytest.param(["submit", "m", "--group", "a\r\nb"], "invalid_name", id="7-crlf"),
    pytest.param(["submit", "m", "hello"], "invalid_json", id="1-no-json"),
    pytest.param(["submit", "m", "[" * 50_000], "", id="2-brackets"),
    pytest.param(["submit", "m", "[NaN]"], "invalid_json", id="4-nan"),
    pytest.param(["submit", "m", "[1e999]"], "invalid_json", id="4-1e999"),
    pytest.param(["submit", "m", '"\\ud800"'], "", id="6-surrogate"),
    pytest.param(["submit", "m", "--priority", "9" * 30], "", id="8-digits"),
    pytest.param(["submit", "m", "--priority", "1000000"], "", id="26-priority"),
    pytest.param(["submit", "m", "--retries", "-1"], "", id="26-retries"),
    pytest.param(["submit", "m", "--timeout", "0"], "", id="26-timeout-0"),
    pytest.param(["submit", "m", "--timeout", "-1"], "", id="26-timeout-below"),
    pytest.param(["submit", "m", "--timeout", "nan"], "", id="26-timeout-nan"),
    pytest.param(["submit", "m", "--run-at", "9999-12-31T23:59:59Z"], "out_of_range", id="25-year-9999"),
    pytest.param(["submit", "m", "--run-at", "2026-11-21T20:00:60Z"], "", id="25-second-60"),
    pytest.param(["submit", "m", "--idempotency-key", "k" * 10_240], "invalid_key", id="29-10kB"),
    pytest.param(["submit", "m", *(f"--label=l{n}=x" for n in range(33))], "too_many_labels", id="38-labels"),
    pytest.param(["submit", "m", "--label", "a=" + "x" * 65_536], "too_long", id="38-long-label"),
    pytest.param(["show", "xyz"], "", id="22-no-uuid"),
    pytest.param(["list", "--limit", "0"], "", id="23-limit-0"),
    pytest.param(["list", "--limit", "-1"], "", id="23-limit-below"),
    pytest.param(["list", "--limit", "abc"], "", id="23-limit-words"),
    pytest.param(["list", "--cursor", "x"], "", id="23-cursor"),
    pytest.param(["list", "--state", "' OR 1=1"], "", id="24-state"),
    pytest.param(["list", "--sort", "priority"], "", id="24-sort"),
]


@pytest.mark.parametrize(("argv", "code"), WRONG_WORDS)
def test_wrong_words_end_with_2_and_change_nothing(home: House, argv: list[str], code: str) -> None:
    before = Rest(home.url).get("/stats").json["submitted"]
    done = rota(home, *argv)
    assert (done.code, done.out) == (2, ""), done.error
    assert done.error["detail"]
    assert code in ("", done.error["code"])
    assert not any(mark in done.said for mark in ("\x1b", "\u202e"))
    assert Rest(home.url).get("/stats").json["submitted"] == before


def test_10_params_over_the_limit(home: House) -> None:
    done = rota(home, "submit", "m", "-", stdin=json.dumps("x" * (1024 * 1024)))
    assert (done.code, done.error["code"]) == (2, "payload_too_large")


def test_22_and_30_what_the_node_refuses_ends_with_1(home: House) -> None:
    task = Rest(home.url).post("/tasks", {"method": "never"}).json["id"]
    assert refused(rota(home, "show", NOBODY)) == "task_not_found"
    assert refused(rota(home, "retry", task)) == "not_finished"
    assert refused(rota(home, "delete", task, "--yes")) == "not_finished"
    assert rota(home, "cancel", task).code == 0
    assert refused(rota(home, "cancel", task)) == "already_finished"


def refused(done: SimpleNamespace) -> str:
    """The code, wherever it is told: of the command, or of one task among several."""
    assert done.code == 1, done.said
    return done.error.get("code") or json.loads(done.out.splitlines()[0])["refusal"]["code"]


def test_24_texts_are_literal(home: House) -> None:
    Rest(home.url).post("/tasks", {"method": "m"})
    for text in ("%", "_", "' OR 1=1 --", ".*"):
        done = rota(home, "list", "--text", text)
        assert (done.code, done.out) == (0, "")


def test_25_and_27_what_is_odd_is_taken(home: House) -> None:
    done = rota(home, "submit", "nobody-offers-this", "--run-at", "2001-01-01T00:00:00+08:00")
    assert done.code == 0
    assert "no_worker_for_method" in done.out + done.said
    task = json.loads(done.out)["id"]
    assert Rest(home.url).get(f"/tasks/{task}").json["state"] == "ready"


def test_29_a_key_stands_for_one_body(home: House) -> None:
    first, again, other = (rota(home, "submit", "m", params, "--idempotency-key", "k") for params in ("1", "1", "2"))
    assert json.loads(first.out)["id"] == json.loads(again.out)["id"]
    assert refused(other) == "idempotency_key_reused"


def test_19_20_and_21_tokens_that_do_not_do(tmp_path: Path) -> None:
    admin, viewer = (make_token(role, [role], now=0)[1] for role in ("admin", "viewer"))
    tokens = tmp_path / "tokens"
    tokens.touch(0o600)
    tokens.write_text(f"admin {admin}\nviewer {viewer}")
    with house(tmp_path) as home:
        home.start_node("--token-file", str(tokens))
        rest = Rest(home.url, admin)
        task = rest.post("/tasks", {"method": "m", "group": "foreign"}).json["id"]
        bound = rest.post("/tokens", {"name": "own", "roles": ["client"], "groups": ["own"]}).json["token"]
        assert refused(rota(home, "list")) == "not_authenticated"
        assert refused(rota(home, "list", token="w" * 40)) == "not_authenticated"
        assert refused(rota(home, "submit", "m", token=viewer)) == "forbidden"
        for verb in ("show", "why", "cancel", "logs"):
            assert refused(rota(home, verb, task, token=bound)) == "task_not_found", verb
            assert refused(rota(home, verb, NOBODY, token=bound)) == "task_not_found", verb
        assert rota(home, "list", token=bound).out == ""
        assert rest.get(f"/tasks/{task}").json["state"] == "ready"


def test_31_and_32_a_full_queue_and_no_store(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        home.start_node("--max-queued", "2")
        for _ in range(2):
            assert rota(home, "submit", "m").code == 0
        assert refused(rota(home, "submit", "m")) == "queue_full"
    with house(tmp_path / "other") as home:
        home.folder.mkdir()
        home.start_node()
        for file in (home.folder / "data").glob("rota.db*"):
            file.unlink()
        codes: list[str] = []
        while codes.count("store_unavailable") < 2 and len(codes) < 40:
            done = rota(home, "submit", "m")
            codes.append(done.error.get("code", ""))
        assert codes[-2:] == ["store_unavailable"] * 2
        assert done.code == 1


# ---------------------------------------------------------------- 76, 78: variables, handlers


def start_of(tmp_path: Path, *argv: str, env: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}
    return subprocess.run(
        [ROTA, *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**clean, **(env or {})},
    )


@pytest.mark.parametrize(
    "argv",
    [["node", "--data", "/dev/null/x"], ["worker", "none:app"], ["list", "--connect-timeout", "100ms"]],
)
def test_76_a_variable_that_nothing_reads_is_warned_of_by_every_program(tmp_path: Path, argv: list[str]) -> None:
    done = start_of(tmp_path, *argv, env={"ROTA_LOG_LEVL": "debug", "ROTA_URL": f"http://127.0.0.1:{free_port()}"})
    warned = [line for line in done.stderr.splitlines() if "ROTA_LOG_LEVL" in line]
    assert len(warned) == 1
    assert "did you mean ROTA_LOG_LEVEL?" in warned[0]


def test_69_there_is_no_flag_for_an_unsafe_node(tmp_path: Path) -> None:
    for flag in ("--insecure", "--no-auth", "--allow-anonymous"):
        done = start_of(tmp_path, "node", "--host", "0.0.0.0", "--data", "d", flag)
        assert (done.returncode, done.stdout) == (2, "")
        assert not (tmp_path / "d").exists()


HANDLERS = """
from rota import App
app = App()

@app.task
def twice(x: int) -> int:
    return 2 * x

@app.task(name="gen")
def made(x: int):
    yield x
"""


def test_78_handlers_that_cannot_be_are_listed_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(HANDLERS)
    (tmp_path / "two.py").write_text(
        "from rota import App\napp = App()\n\n@app.task\nasync def twice(x: int) -> int:\n    return x\n"
    )
    done = start_of(tmp_path, "worker", "one:app", "two:app", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for place in ("one.py:5", "one.py:9", "two.py:4"):
        assert place in done.stderr, done.stderr


@pytest.mark.parametrize(
    "handler",
    [
        "return object()",
        "return '\\ud800'",
        "a = []\n    a.append(a)\n    return a",
        "return float('nan')",
        "return {1j: 1}",
    ],
)
def test_79_results_that_are_no_json_fail_their_task_and_name_the_place(tmp_path: Path, handler: str) -> None:
    (tmp_path / "odd.py").write_text(f"from rota import App\napp = App()\n\n@app.task\ndef odd():\n    {handler}\n")
    with house(tmp_path) as home:
        home.start_node()
        home.start_worker(app="odd:app", env={"PYTHONPATH": str(tmp_path)})
        done = rota(home, "execute", "odd", "--wait-timeout", "20s")
        assert done.code == 1
        task = Rest(home.url).get("/tasks?method=odd").json["tasks"][0]
        assert task["state"] == "failed"
        shown = Rest(home.url).get(f"/tasks/{task['id']}").json
        assert "result" in shown["error"]["message"], shown["error"]
