"""The program itself: what it loads, how it refuses, and with which code it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_client import Rota

from rota.model.version import VERSION

HEAVY = (
    "sqlalchemy",
    "sqlite3",
    "google.protobuf",
    "uvicorn",
    "picows",
    "asyncio",
    "rota.house",
    "rota.engine",
    "rota.client",
)
SCRIPTED = Path(__file__).with_name("scripted_client.py")


@pytest.mark.parametrize("argv", [["--help"], ["submit", "--help"], ["version"], ["completion", "bash"]])
def test_help_loads_nothing_of_the_server(argv: list[str]) -> None:
    program = (
        "import sys\nfrom rota.cli.main import run\n"
        f"code = run({argv!r})\n"
        "print(code, *sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    code, *modules = done.stderr.split()
    assert code == "0"
    assert [m for m in modules if m in HEAVY] == []


def test_version_says_which(rota_process: Rota) -> None:
    assert rota_process("--version").out.strip() == VERSION
    assert json.loads(rota_process("version", "--json").out)["rota"] == VERSION


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["wroker"], 'Did you mean "worker"?'),
        (["node", "--lease-tll", "30s"], "did you mean --lease-ttl?"),
        (["--hepl"], "did you mean --help?"),
        (["completion", "fihs"], 'Did you mean "fish"?'),
        (["bench", "--tasks", "0"], "out of bounds"),
        (["bench", "--url", "http://127.0.0.1:1", "--durability", "full"], "leave it out"),
        (["bench", "--token-file", "t"], "goes with --url"),
        (["show"], "requires"),
        (["submit", "add", "1", "2", "3"], "Nothing takes 2 3."),
        (["submit", "add", "--timeout", "soon"], "write 30"),
        (["submit", "add", "{not json"], "no JSON"),
        (["submit", "add", "NaN"], "no form in JSON"),
        (["submit", "add", "--run-at", "teatime"], "no instant"),
        (["submit", "add", "--label", "x"], "KEY=VALUE"),
        (["submit", "add", "--many", "f", "--unique-key", "k"], "leave it out with --many"),
        (["submit", "add", "--many", "nowhere.jsonl"], "cannot be read"),
        (["show", "not-an-id"], "not a task id"),
        (["wait"], "no id"),
        (["worker"], ""),
        (["worker", "tasks", "app"], "module:name"),
        (["node", "--lease-ttl", "1s", "--heartbeat", "5s"], "at least 3|3 heartbeats"),
        (["node", "--config", "nowhere.toml"], "no such file"),
        (["list", "--json", "--nonsense"], "nonsense"),
    ],
)
def test_bad_arguments_end_with_2_and_say_what_to_write(rota_process: Rota, argv: list[str], words: str) -> None:
    done = rota_process(*argv)
    assert (done.code, done.out) == (2, "")
    assert any(word in done.err for word in words.split("|")), done.err
    assert "Traceback" not in done.err


def test_with_json_an_error_is_json_on_stderr(rota_process: Rota) -> None:
    done = rota_process("node", "--json", "--http-port", "x", env={"ROTA_HSOT": "1", "ROTA_DURABILITY": "no"})
    warning, error = (json.loads(line) for line in done.err.splitlines())
    assert "did you mean ROTA_HOST?" in warning["warning"]
    assert [fault["path"] for fault in error["error"]["errors"]] == ["--http-port", "ROTA_DURABILITY"]
    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize("argv", [["--token", "hunter2"], ["--token=hunter2"]])
def test_a_token_on_the_command_line_is_refused_and_not_repeated(rota_process: Rota, argv: list[str]) -> None:
    for command in (["node"], ["worker", "m:app"], ["list"]):
        done = rota_process(*command, *argv)
        assert done.code == 2
        assert "ROTA_TOKEN" in done.err
        assert "--token-file" in done.err
        assert "hunter2" not in done.err


def test_an_open_address_without_a_token_refuses_to_start(rota_process: Rota) -> None:
    done = rota_process("node", "--host", "0.0.0.0", "--data", "d")
    assert done.code == 78
    assert "--token-file" in done.err
    assert "127.0.0.1" in done.err


def test_a_file_that_is_open_to_others_refuses_to_start(rota_process: Rota, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("mK3x9Qz7Lw2Rt8Vb5Nc1Yd6Hf4Jg0Psa")
    file.chmod(0o644)
    done = rota_process("list", "--token-file", str(file))
    assert (done.code, "chmod 600" in done.err) == (78, True)
    assert "mK3x9" not in done.err


def scripted(*argv: str, **more: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(SCRIPTED), *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,  # type: ignore[arg-type]
    )


def test_a_closed_pipe_ends_quietly_with_141() -> None:
    process = scripted("list", "--all", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_pipe_that_was_closed_before_the_help_ends_with_141() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "rota.cli", "--help"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_ctrl_c_ends_with_130_and_no_traceback() -> None:
    process = scripted("execute", "sleep")
    assert process.stderr is not None
    assert process.stderr.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")


def test_no_node_ends_with_3() -> None:
    process = scripted("submit", "gone")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "no node could be reached" in err


def test_flags_are_read_the_same_where_pydantic_is_loaded() -> None:
    """The reader of arguments then checks defaults against their types too."""
    pytest.importorskip("pydantic")
    argv = ["list", "--url", "http://127.0.0.1:1", "--connect-timeout", "100ms"]
    program = f"import pydantic\nfrom rota.cli.main import run\nraise SystemExit(run({argv!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "no node could be reached" in done.stderr) == (3, True), done.stderr
