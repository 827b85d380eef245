"""A sealed canary through real processes: a node that has no key, workers that have; nothing that comes out has it."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from leaky_handlers import app, exchange
from processes import ROTA, House, house

from rota import Client, Secret, TaskCancelled, TaskFailed
from rota.life import keyring

CANARY = "Sealed-canary-31415926535897932384"
BACKWARDS = CANARY[::-1]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "seal.keys"
    path.touch(0o600)
    path.write_text(keyring.new_key("k1") + "\n")
    return path


@pytest.fixture(autouse=True)
def own_keys(keys: Path) -> Iterator[None]:
    before = keyring.use(keyring.read_key_file(keys))
    yield
    keyring.use(before)


@pytest.fixture
def where(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        made.start_node("--log-level", "debug")
        yield made


def came_out(where: House, *more: str | bytes) -> list[str]:
    texts = [text.encode() if isinstance(text, str) else text for text in more]
    texts += [file.read_bytes() for file in where.folder.rglob("*") if file.is_file()]
    return [canary for canary in (CANARY, BACKWARDS) if any(canary.encode() in text for text in texts)]


def asked(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def cli(where: House, *words: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [ROTA, *words],
        env={**os.environ, "ROTA_URL": where.url, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("by", ["file", "variable"])
def test_nothing_that_comes_out_has_it(where: House, keys: Path, by: str) -> None:
    said = {"ROTA_SEAL_KEY_FILE": str(keys)} if by == "file" else {"ROTA_SEAL_KEYS": keys.read_text()}
    where.start_worker("--log-level", "debug", app="leaky_handlers:app", env=said)
    words: list[str | bytes] = []
    with Client(where.url) as client:
        for method in ("sealed_in_thread", "sealed_in_loop", "sealed_in_process"):
            for how, ends in (("raise", TaskFailed), ("retry", TaskFailed), ("cancel", TaskCancelled)):
                task = client.submit(method, {"password": Secret(CANARY), "how": how})
                with pytest.raises(ends) as caught:
                    task.result(timeout=30)
                words += [str(caught.value), getattr(caught.value, "traceback", ""), repr(client.get(task.id))]
                words += [line.text for line in client.logs(task.id)]
                words += [asked(f"{where.url}/api/v1/tasks/{task.id}{path}") for path in ("", "/logs", "/wait", "/why")]
                words.append(cli(where, "show", task.id))
        words.append(asked(f"{where.url}/api/v1/tasks?text=canary"))
    leaks = " ".join(word for word in words if isinstance(word, str))
    for shown in ("raised ***", "logging ***", "cancel ***", "ctx.log ***"):
        assert shown in leaks
    assert came_out(where, *words, asked(where.url + "/metrics")) == []


def test_results_are_sealed_too(where: House, keys: Path) -> None:
    where.start_worker(app="leaky_handlers:app", env={"ROTA_SEAL_KEY_FILE": str(keys)})
    with Client(where.url) as client:
        before = app.use(client)
        try:
            handle = exchange.submit(Secret(CANARY))
            assert handle.result(timeout=30).reveal() == BACKWARDS
        finally:
            app.use(before)
        view = json.loads(asked(f"{where.url}/api/v1/tasks/{handle.id}"))
        assert (view["params"], view["result"]) == ({"password": "***"}, "***")
        assert json.loads(asked(f"{where.url}/api/v1/tasks/{handle.id}/wait"))["result"] == "***"
        assert client.get(handle.id).result == "***"
        assert came_out(where, cli(where, "show", handle.id, "--json")) == []


def test_sealed_by_hand_and_submitted_over_http(where: House, keys: Path) -> None:
    where.start_worker(app="leaky_handlers:app", env={"ROTA_SEAL_KEY_FILE": str(keys)})
    sealed = cli(where, "seal", "value", "exchange", "--seal-key-file", str(keys), stdin=CANARY + "\n").strip()
    assert sealed.startswith("rota:sealed:1:k1:")
    body = json.dumps({"method": "exchange", "params": {"password": sealed}, "wait": 30}).encode()
    request = urllib.request.Request(
        f"{where.url}/api/v1/execute", body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        done = json.loads(answer.read())
    assert (done["state"], done["result"]) == ("succeeded", "***")
    params = json.dumps({"password": sealed})
    assert cli(where, "submit", "exchange", params, "--wait") == '"***"\n'
    assert json.loads(cli(where, "execute", "exchange", params, "--json"))["result"] == "***"
    assert came_out(where) == []


def test_a_worker_without_the_key_lets_another_try(where: House, keys: Path) -> None:
    first = where.start_worker(app="leaky_handlers:app", env={"ROTA_SEAL_KEYS": keyring.new_key("k2")})
    with Client(where.url) as client:
        task = client.submit("exchange", {"password": Secret(CANARY)}, retries=20, retry_delay=0.2)
        while not (view := client.get(task.id)).failures:
            pass
        assert "'k1'" in str(view.attempts[0].error)
        where.start_worker(app="leaky_handlers:app", env={"ROTA_SEAL_KEY_FILE": str(keys)})
        first.signal(15)
        assert task.outcome(timeout=30).ok


def test_a_worker_with_a_bad_key_file_does_not_start(where: House, tmp_path: Path) -> None:
    bad = tmp_path / "bad.keys"
    bad.touch(0o600)
    bad.write_text("k1 not-a-key-canary\n")
    said = cli(where, "worker", "leaky_handlers:app", "--seal-key-file", str(bad), env={"PYTHONPATH": "tests/rig"})
    assert "rota seal key" in said
    assert "not-a-key-canary" not in said
