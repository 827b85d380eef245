"""What people get wrong on a command line, in a file and in the environment: the rows of the table of bad input, each tried
with the real program. Row 79, values that JSON has no form for, is in tests/unit/client/test_payload.py; row 69 in
tests/e2e/test_scan.py."""

import datetime
import json
import os
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest
from processes import ROTA, house
from scripted_client import Rota

from rota.access.tokens import make_secret

NODE = ("node", "--data", "data", "--http-port", "0", "--grpc", "off")


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


# --- 67: unknown flag, command, key


def test_row_67_everything_wrong_in_a_file_is_listed_with_its_line(rota_process: Rota, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("[node]\nhttp_prt = 1\nlease_ttl = 'soon'\n[wroker]\n")
    done = rota_process(*NODE, "--config", "r.toml")
    assert (done.code, done.out) == (2, "")
    for words in (
        "r.toml:2: node.http_prt",
        "did you mean http_port?",
        "r.toml:3: node.lease_ttl",
        "r.toml:4: [wroker]",
    ):
        assert words in done.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["groups", "puase", "mail"], 'Did you mean "pause"?'),
        (["tokn", "create"], 'Did you mean "token"?'),
        (["groups", "limit", "mail", "--concurency", "3"], "did you mean --concurrency?"),
        (["workers", "--al"], "did you mean --all?"),
        (["token", "create", "x", "--rol", "admin"], "did you mean --role?"),
        (["audit", "--whom", "ann"], "did you mean --who?"),
        (["cancel", "--stat", "failed"], "did you mean --state?"),
        (["backup", "x", "--dta", "d"], "did you mean --data?"),
    ],
)
def test_row_67_what_is_nearly_right_is_guessed(rota_process: Rota, argv: list[str], words: str) -> None:
    done = rota_process(*argv)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert json.loads(rota_process(*argv, "--json").err)["error"]["code"] == "bad_arguments"


# --- 68: files that are no configuration


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[node", "Expected"),
        ("node: !!python/object/apply:os.system ['true']", "Expected"),
        ("a: &a [x]\nb: &b [*a, *a]\n", "Expected"),
        ("x = " + "[" * 100_000, "nest"),
        ("#" * (10 * 1024 * 1024), "larger than 1 MiB"),
        ("\udcff\udcfe", "UTF-8"),
    ],
)
def test_row_68_a_file_that_is_no_toml_is_refused_at_once(
    rota_process: Rota, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "r.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    for command in (NODE, ("list",)):
        done = rota_process(*command, "--config", "r.toml")
        assert (done.code, done.out) == (2, "")
        assert "r.toml" in done.err
        assert words in done.err
        assert "Traceback" not in done.err


# --- 70, 71: tokens, keys and certificates


@pytest.mark.parametrize("secret", ["default_token", "short", "a" * 64, "default_token_default_token_default_token"])
def test_row_70_a_weak_token_is_refused_wherever_it_comes_from(rota_process: Rota, tmp_path: Path, secret: str) -> None:
    private(tmp_path / "t", f"admin {secret}\n")
    from_file = rota_process(*NODE, "--token-file", "t")
    from_variable = rota_process(*NODE, env={"ROTA_TOKEN": secret})
    for done in (from_file, from_variable):
        assert (done.code, done.out) == (78, "")
        assert "token" in done.err
        assert len(secret) < 10 or secret not in done.err
    assert not (tmp_path / "data" / "rota.db").exists(), "it refused before it made anything"


def certificate(folder: Path, name: str, days: int = 100) -> tuple[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("SKIPPED LOUDLY: openssl, which makes the certificates, is not on this machine")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x"
    made = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", str(days)]
    subprocess.run([*make.split(), *made], check=True, capture_output=True, cwd=folder)
    (folder / f"{name}.key").chmod(0o600)
    return f"{name}.crt", f"{name}.key"


def test_row_71_a_key_that_is_open_missing_or_of_another_certificate_is_refused(
    rota_process: Rota, tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path, "one")
    _, other = certificate(tmp_path, "two")
    private(tmp_path / "t", f"admin {make_secret()}\n")
    wrong = {
        "missing.key": (cert, "missing.key"),
        "missing.crt": ("missing.crt", key),
        other: (cert, other),
        "t": (cert, "t"),
    }
    for words, (its_cert, its_key) in wrong.items():
        done = rota_process(*NODE, "--tls-cert", its_cert, "--tls-key", its_key)
        assert (done.code, done.out) == (78, ""), words
        assert words in done.err
        assert "Traceback" not in done.err
    (tmp_path / key).chmod(0o644)
    done = rota_process(*NODE, "--tls-cert", cert, "--tls-key", key)
    assert (done.code, f"chmod 600 {key}" in done.err) == (78, True)


@pytest.mark.parametrize("mode", [0o644, 0o604])
@pytest.mark.parametrize("command", [NODE, ("list",), ("token", "list"), ("top",)])
def test_row_71_a_token_file_that_others_can_read_is_refused(
    rota_process: Rota, tmp_path: Path, command: tuple[str, ...], mode: int
) -> None:
    secret = make_secret()
    private(tmp_path / "t", secret, mode)
    done = rota_process(*command, "--token-file", "t")
    assert (done.code, done.out) == (78, "")
    assert "chmod 600 t" in done.err
    assert secret not in done.err
    missing = rota_process(*command, "--token-file", "nowhere")
    assert (missing.code, "nowhere" in missing.err) == (78, True)


def test_row_71_a_certificate_that_expires_soon_is_a_warning(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "one", days=20)
    with house(tmp_path) as rota:
        rota.url = rota.url.replace("http:", "https:")
        node = rota.start_node("--tls-cert", str(tmp_path / cert), "--tls-key", str(tmp_path / key))
        said = node.log.read_text()
    day = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=20)
    assert "expires" in said
    assert f"{day:%Y-%m-%d}" in said


# --- 72: what is in the way


def test_row_72_a_port_in_use_is_named(rota_process: Rota) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = str(held.getsockname()[1])
        done = rota_process("node", "--data", "data", "--http-port", port, "--grpc", "off")
    assert (done.code, done.out) == (1, "")
    assert port in done.err


def test_row_72_the_pid_that_holds_the_store_is_named(rota_process: Rota, tmp_path: Path) -> None:
    with house(tmp_path) as rota:
        node = rota.start_node()
        for command in (NODE, ("migrate", "--data", "data")):
            done = rota_process(*command)
            assert (done.code, done.out) == (1, "")
            assert str(node.pid) in done.err
            assert "data" in done.err


def test_row_72_a_data_folder_that_cannot_be_written_is_named(rota_process: Rota, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    done = rota_process(*NODE)
    assert (done.code, done.out) == (1, "")
    assert "data" in done.err
    assert "Traceback" not in done.err


def test_row_72_a_newer_schema_is_never_changed(rota_process: Rota, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    connection = sqlite3.connect(tmp_path / "data" / "rota.db")
    connection.execute("CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.execute("INSERT INTO schema_version VALUES ('9999')")
    connection.commit()
    done = rota_process(*NODE, "--json")
    error = json.loads(done.err.splitlines()[-1])["error"]
    assert (done.code, error["code"]) == (1, "schema_newer")
    assert "9999" in error["detail"]
    assert connection.execute("SELECT version_num FROM schema_version").fetchall() == [("9999",)]
    connection.close()


# --- 73: secrets on the command line


@pytest.mark.parametrize(
    "command",
    [
        ["groups", "pause", "mail"],
        ["workers", "drain", "w"],
        ["token", "create", "x"],
        ["why", "x"],
        ["top"],
        ["audit"],
    ],
)
def test_row_73_a_token_on_the_command_line_is_refused_and_not_repeated(rota_process: Rota, command: list[str]) -> None:
    for words in (["--token", "hunter2-hunter2"], ["--token=hunter2-hunter2"]):
        done = rota_process(*command, *words)
        assert (done.code, done.out) == (2, "")
        assert "ROTA_TOKEN" in done.err
        assert "hunter2" not in done.err


# --- 75, 76: settings that do not fit, variables that nothing reads


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--lease-ttl", "1s", "--heartbeat", "5s"], "3 heartbeats"),
        (["--lease-ttl", "1s"], "3 heartbeats"),
        (["--closed-lease-ttl", "1h"], "longer than lease_ttl"),
        (["--max-connections", "0"], "--max-connections"),
        (["--keep-audit", "0"], "--keep-audit"),
        (["--grpc-port", "70000"], "65535"),
        (["--tls-cert", "c.pem"], "go together"),
    ],
)
def test_row_75_settings_that_do_not_fit_together_are_refused(
    rota_process: Rota, tmp_path: Path, flags: list[str], words: str
) -> None:
    done = rota_process(*NODE, *flags)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert not (tmp_path / "data").exists()


def test_row_75_a_worker_without_slots_is_refused(rota_process: Rota) -> None:
    done = rota_process("worker", "m:app", "--slots", "0")
    assert (done.code, "--slots" in done.err) == (2, True)


def test_row_76_a_variable_that_nothing_reads_is_a_warning_with_a_guess(rota_process: Rota) -> None:
    done = rota_process("migrate", "--data", "nowhere", "--json", env={"ROTA_DATTA": "x"})
    warning, error = (json.loads(line) for line in done.err.splitlines())
    assert "did you mean ROTA_DATA?" in warning["warning"]
    assert error["error"]["code"] == "no_store"


# --- 77: pipes, machines


@pytest.mark.parametrize(
    "argv",
    [
        ["groups"],
        ["workers"],
        ["methods"],
        ["audit"],
        ["top"],
        ["batch", "b"],
        ["why", "x"],
        ["list"],
        ["token"],
        ["stats"],
    ],
)
def test_row_77_without_a_node_every_look_ends_with_3_and_json_on_stderr(rota_process: Rota, argv: list[str]) -> None:
    where = ("--url", "http://127.0.0.1:1", "--connect-timeout", "100ms")
    argv = ["why", "00000000-0000-7000-8000-000000000001"] if argv[0] == "why" else argv
    done = rota_process(*argv, *where, "--json", env={"ROTA_DATA": "none"})
    assert (done.code, done.out) == (3, "")
    assert json.loads(done.err)["error"]["code"] == "cannot_connect"
    plain = rota_process(*argv, *where, env={"ROTA_DATA": "none", "TERM": "xterm-256color", "FORCE_COLOR": ""})
    assert (plain.code, "\x1b" in plain.err, "Traceback" in plain.err) == (3, False, False)


def test_row_77_a_pipe_that_is_closed_ends_with_141(tmp_path: Path) -> None:
    with house(tmp_path) as rota:
        rota.start_node()
        read, write = os.pipe()
        os.close(read)
        for argv in (["groups"], ["top"], ["audit", "--json"], ["stats", "--json"]):
            done = subprocess.run(
                [ROTA, *argv, "--url", rota.url], stdout=write, stderr=subprocess.PIPE, check=False, timeout=60
            )
            expected = 0 if argv == ["audit", "--json"] else 141  # an audit log without a line says nothing
            assert (done.returncode, done.stderr) == (expected, b"")
        os.close(write)
