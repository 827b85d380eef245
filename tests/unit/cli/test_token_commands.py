"""`rota token` in a data folder without a node, and through a real one."""

import json
import re
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import ROTA, House, house
from scripted_client import Rota

TEXT = re.compile(r"rota_[a-z0-9]{12}\.[A-Za-z0-9_-]{43}\n")


@pytest.fixture
def offline(rota_process: Rota) -> Rota:
    """`rota token …` on a folder; no node is anywhere near."""

    def call(*argv: str, **more: Any) -> SimpleNamespace:
        return rota_process("token", *argv, "--data", "data", "--url", "http://127.0.0.1:1", **more)

    return call


def made(offline: Rota, name: str, *flags: str) -> dict[str, Any]:
    done = offline("create", name, "--role", "client", "--json", *flags)
    assert (done.code, done.err) == (0, "")
    value: dict[str, Any] = json.loads(done.out)
    return value


def listed(offline: Rota, *flags: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in offline("list", "--json", *flags).out.splitlines()]


def test_the_secret_is_alone_on_stdout_and_nowhere_else(offline: Rota, tmp_path: Path) -> None:
    done = offline("create", "ci", "--role", "client,viewer", "--group", "a", "--group", "b", "--expires", "30d")
    assert done.code == 0
    assert TEXT.fullmatch(done.out)
    secret = done.out.strip().split(".")[1]
    assert secret not in done.err
    assert "ci" in done.err
    assert "groups a, b" in done.err
    quiet = offline("create", "cd", "--role", "client", "--quiet")
    assert (bool(TEXT.fullmatch(quiet.out)), quiet.err) == (True, "")
    for file in (tmp_path / "data").iterdir():
        assert secret.encode() not in file.read_bytes(), f"{file.name} holds the secret"
    listing = offline("list").out + offline("list", "--json").out
    assert secret not in listing
    (token, _) = listed(offline)
    assert (token["roles"], token["groups"], token["state"]) == (["client", "viewer"], ["a", "b"], "holds")


def test_the_folder_is_for_its_owner_alone(offline: Rota, tmp_path: Path) -> None:
    made(offline, "ci")
    assert stat.S_IMODE((tmp_path / "data" / "rota.db").stat().st_mode) == 0o600


def test_a_name_is_free_again_when_its_token_is_revoked(offline: Rota) -> None:
    first = made(offline, "ci")
    taken = offline("create", "ci", "--role", "client", "--json")
    assert (taken.code, json.loads(taken.err)["error"]["code"]) == (1, "name_taken")
    assert taken.out == ""
    assert first["kid"] in offline("revoke", "ci").out
    made(offline, "ci")
    assert [token["state"] for token in listed(offline)] == ["holds"]
    assert sorted(token["state"] for token in listed(offline, "--all")) == ["holds", "revoked"]


def test_a_rotated_token_holds_beside_its_successor_until_both_are_revoked(offline: Rota) -> None:
    old = made(offline, "ci", "--group", "g")
    done = offline("rotate", "ci")
    assert TEXT.fullmatch(done.out)
    assert f"rota token revoke {old['kid']}" in done.err
    assert [(token["state"], token["groups"]) for token in listed(offline)] == [("rotated", ["g"]), ("holds", ["g"])]
    assert offline("revoke", "ci").out.count("revoked") == 2, "a name means all that hold"
    assert listed(offline) == []


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["create", "ci"], 2, "--role"),
        (["create", "ci", "--role", "king"], 2, "not a role"),
        (["create", "ci", "--role", "client", "--expires", "soon"], 2, "write 30"),
        (["create", "", "--role", "client"], 2, "name"),
        (["revoke"], 2, "name the token"),
        (["revoke", "nobody"], 1, "'nobody'"),
        (["rotate", "nobody"], 1, "'nobody'"),
    ],
)
def test_what_cannot_be_is_told(offline: Rota, argv: list[str], code: int, words: str) -> None:
    done = offline(*argv)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_without_a_node_and_without_a_folder_no_node_is_reached(rota_process: Rota, tmp_path: Path) -> None:
    env = {"ROTA_DATA": str(tmp_path / "none")}
    done = rota_process("token", "--url", "http://127.0.0.1:1", "--connect-timeout", "200ms", "--json", env=env)
    assert (done.code, json.loads(done.err)["error"]["code"]) == (3, "cannot_connect")


def test_an_address_elsewhere_never_means_the_folder_here(rota_process: Rota, tmp_path: Path) -> None:
    env = {"ROTA_DATA": str(tmp_path / "rota"), "ROTA_CONNECT_TIMEOUT": "200ms"}
    rota_process("token", "create", "ci", "--role", "client", "--data", str(tmp_path / "rota"))
    elsewhere = rota_process("token", "--url", "http://node.invalid:8080", env=env)
    assert (elsewhere.code, elsewhere.out) == (3, "")
    here = rota_process("token", "--url", "http://127.0.0.1:1", env=env)
    assert (here.code, "no node answers" in here.err) == (0, True)
    assert " ci " in here.out


# --- through a node


def run(*argv: str, token: str = "") -> Any:
    """With a token from a variable; and without one that lies in some data folder of this machine."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "ROTA_DATA": "/nonexistent"}
    env |= {"ROTA_TOKEN": token} if token else {}
    return subprocess.run([ROTA, *argv], capture_output=True, text=True, timeout=60, check=False, env=env)


@pytest.fixture
def rota(tmp_path: Path) -> Any:
    with house(tmp_path) as rota:
        rota.start_node()
        yield rota


def test_the_first_token_ends_open_mode_and_the_last_word_is_the_nodes(rota: House, tmp_path: Path) -> None:
    url = ("--url", rota.url)
    admin = run("token", "create", "adm", "--role", "admin", "--quiet", *url).stdout.strip()
    assert TEXT.fullmatch(admin + "\n")
    refused = run("submit", "add", *url)
    assert (refused.returncode, "token" in refused.stderr) == (1, True)
    viewer = json.loads(run("token", "create", "v", "--role", "viewer", "--json", *url, token=admin).stdout)
    assert run("list", *url, token=viewer["token"]).returncode == 0
    forbidden = run("groups", "pause", "--node", *url, token=viewer["token"])
    assert (forbidden.returncode, "role" in forbidden.stderr) == (1, True)
    held = run("token", "list", "--data", str(tmp_path / "data"), *url, "--json")
    assert held.returncode == 0, "the folder that is said has the first token, which the node takes"
    assert [json.loads(line)["name"] for line in held.stdout.splitlines()] == ["adm", "v"]
    assert run("token", "revoke", "v", *url, token=admin).returncode == 0
    assert run("list", *url, token=viewer["token"]).returncode == 1
    lines = [json.loads(line) for line in run("audit", "--json", *url, token=admin).stdout.splitlines()]
    said = [(line["action"], line["who"], line["outcome"]) for line in reversed(lines)]
    assert ("token.create", "anybody", "ok") in said
    assert ("token.revoke", "adm", "ok") in said
    assert sum(outcome == "forbidden" for _, who, outcome in said if who == "v") == 1
    secrets = [admin.split(".")[1], viewer["token"].split(".")[1]]
    assert not [secret for secret in secrets if secret in json.dumps(lines) + (tmp_path / "node.log").read_text()]
