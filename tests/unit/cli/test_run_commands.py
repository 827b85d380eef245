"""`rota node`, `worker` and `dev` as processes: what they say, that they work together, and how they end."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted_client import Rota

Start = Callable[..., "subprocess.Popen[str]"]
HANDLERS = """
from rota import App

app = App()

@app.task
def greet(name: str) -> str:
    "Greets somebody."
    return "hello " + name
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `rota` in the folder of the test; what is still there at the end is stopped."""
    started: list[subprocess.Popen[str]] = []

    def call(*argv: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "rota.cli", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """Reads up to the first line that has the words."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError(f"{words!r} never came; the process said:\n{''.join(seen)}")


def url_of(node: subprocess.Popen[str]) -> str:
    return str(json.loads(line_with(node, '"ready"'))["http_url"])


def test_a_node_says_where_everything_is_and_how_to_go_on(start: Start) -> None:
    node = start("node", "--http-port", "0", "--data", "d")
    assert node.stdout is not None
    said = "".join(iter(node.stdout.readline, "Ctrl-C stops the node.\n"))
    for words in ("durability full", "/api/v1/link", "/metrics", "stderr", "rota worker module:app --url http"):
        assert words in said
    node.send_signal(signal.SIGTERM)
    assert node.wait(30) == 0


def test_a_node_that_other_machines_reach_says_so(start: Start, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(secrets.token_urlsafe(32))
    tokens.chmod(0o600)
    words = ("--host", "0.0.0.0", "--behind-tls-proxy", "--token-file", str(tokens))
    node = start("node", "--http-port", "0", "--data", "d", *words)
    assert node.stdout is not None
    said = "".join(iter(node.stdout.readline, "Ctrl-C stops the node.\n"))
    assert "listens  0.0.0.0: other machines reach this node" in said


def test_a_task_goes_from_submit_over_a_worker_to_its_result(start: Start, rota_process: Rota, tmp_path: Path) -> None:
    (tmp_path / "handlers.py").write_text(HANDLERS)
    url = url_of(start("node", "--json", "--http-port", "0", "--data", "d"))
    waiting = rota_process("submit", "greet", '["you"]', "--url", url)
    assert "no worker" in waiting.err
    worker = start("worker", "handlers:app", "--url", url)
    done = rota_process("wait", waiting.out.strip(), "--url", url, "--timeout", "30s")
    assert (done.code, done.out) == (0, f'{waiting.out.strip()}  succeeded  "hello you"\n')
    assert rota_process("show", waiting.out.strip(), "--url", url, "--json").code == 0
    assert "Greets somebody." in rota_process("methods", "--url", url).out
    worker.send_signal(signal.SIGINT)
    assert worker.wait(30) == 0


def test_a_node_runs_handlers_beside_it(start: Start, rota_process: Rota, tmp_path: Path) -> None:
    (tmp_path / "handlers.py").write_text(HANDLERS)
    url = url_of(
        start("node", "--json", "--http-port", "0", "--store", "memory:", "--app", "handlers:app", "--data", "d")
    )
    assert rota_process("execute", "greet", '["x"]', "--url", url).out == '"hello x"\n'


def test_a_second_node_on_the_same_port_or_data_ends_with_1_and_says_which(start: Start, rota_process: Rota) -> None:
    url = url_of(start("node", "--json", "--http-port", "0", "--data", "d"))
    port = url.rpartition(":")[2]
    taken = rota_process("node", "--http-port", port, "--data", "other")
    assert (taken.code, port in taken.err) == (1, True)
    held = rota_process("node", "--http-port", "0", "--data", "d")
    assert (held.code, "process" in held.err) == (1, True)


def test_dev_starts_the_worker_anew_when_a_file_changes(start: Start, rota_process: Rota, tmp_path: Path) -> None:
    handlers = tmp_path / "handlers.py"
    handlers.write_text(HANDLERS)
    dev = start("dev", "handlers:app", "--http-port", "0")
    url = line_with(dev, "rota dev: node").partition(" at ")[2].partition(",")[0]
    assert rota_process("execute", "greet", '["a"]', "--url", url).out == '"hello a"\n'
    handlers.write_text(HANDLERS + "(\n")
    assert f"{handlers}:10: SyntaxError" in line_with(dev, "SyntaxError")
    handlers.write_text(HANDLERS.replace("hello", "good day"))
    line_with(dev, "rota worker: runs")
    assert rota_process("execute", "greet", '["a"]', "--url", url).out == '"good day a"\n'
    assert (tmp_path / ".rota" / "rota.db").exists()
    dev.send_signal(signal.SIGINT)
    assert dev.wait(30) == 0
    assert rota_process("stats", "--url", url, "--connect-timeout", "100ms").code == 3


def test_every_broken_module_is_told_at_once_with_file_and_line(rota_process: Rota, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\nimport nowhere_at_all\n")
    (tmp_path / "wrong.py").write_text("def f(:\n")
    (tmp_path / "plain.py").write_text("app = 5\n")
    done = rota_process("worker", "broken:app", "wrong:app", "none:app", "plain:aap", "noform")
    assert done.code == 2
    for words in (
        f"broken:app: {tmp_path}/broken.py:2: ModuleNotFoundError",
        f"wrong:app: {tmp_path}/wrong.py:1: SyntaxError",
        "none:app: there is no module none",
        "plain:aap: plain has no aap; did you mean app?",
        "noform: this names no object",
    ):
        assert words in done.err
    assert "a int has no handlers" in rota_process("worker", "plain:app").err


def test_two_handlers_of_one_name_are_told_with_both_places(rota_process: Rota, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(HANDLERS)
    (tmp_path / "two.py").write_text(HANDLERS)
    done = rota_process("worker", "one:app", "two:app")
    assert done.code == 2
    assert f"{tmp_path}/one.py:6" in done.err
    assert f"{tmp_path}/two.py:6" in done.err


def test_an_isolation_that_is_not_there_is_refused(rota_process: Rota) -> None:
    done = rota_process("worker", "x:app", "--isolation", "fork")
    assert (done.code, "process" in done.err) == (2, True)


def doctor(done: object) -> dict[str, str]:
    return {f["check"]: f["level"] for f in json.loads(done.out)["findings"]}  # type: ignore[attr-defined]


def test_the_doctor_finds_a_sound_machine_sound(start: Start, rota_process: Rota) -> None:
    url = url_of(start("node", "--json", "--http-port", "0", "--data", "d"))
    flags = ("--data", "d", "--url", url, "--http-port", url.rpartition(":")[2])
    done = rota_process("doctor", "--json", *flags)
    found = doctor(done)
    assert done.code == 0
    assert [found[check] for check in ("node", "clock", "port", "access", "data", "durability")] == ["ok"] * 6
    assert "fsync" in rota_process("doctor", *flags).out


def test_the_doctor_names_what_is_bad_and_what_to_do(rota_process: Rota, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    flags = ("--url", "http://127.0.0.1:9", "--connect-timeout", "100ms", "--http-port", "0")
    done = rota_process("doctor", "--json", "--host", "0.0.0.0", "--data", "file/x", *flags)
    found = doctor(done)
    assert (done.code, found["access"], found["node"]) == (1, "bad", "warn")
    relaxed = rota_process("doctor", "--json", "--durability", "relaxed", "--data", "d", *flags)
    assert (relaxed.code, doctor(relaxed)["durability"]) == (0, "warn")
    for finding in json.loads(done.out)["findings"]:
        assert finding["level"] == "ok" or finding["advice"]


def test_the_doctor_finds_a_port_that_another_program_holds(rota_process: Rota) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        flags = ("--http-port", port, "--data", "d", "--url", "http://127.0.0.1:9", "--connect-timeout", "100ms")
        done = rota_process("doctor", "--json", *flags)
    assert (done.code, doctor(done)["port"]) == (1, "bad")
