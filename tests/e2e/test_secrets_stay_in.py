"""A canary in every place where a secret goes in; nothing that comes out has it: logs, metrics, pages, tasks, the store."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import ROTA, House, house

from rota import Client, RotaError, TaskCancelled, TaskFailed

ADMIN = "Adm1n-canary-0f9e8d7c6b5a43210-for-the-node"
WORKER = "W0rker-canary-7d1c5b3a9f8e6420-for-workers"
WRONG = "Wr0ng-canary-1a2b3c4d5e6f708192a3b4c5d6e7f8"
PASSWORD = "Passw0rd-canary-5566778899aabbcc"
COLLECTOR = "C0llector-canary-99887766554433221100"
CANARIES = (ADMIN, WORKER, WRONG, PASSWORD, COLLECTOR)


@pytest.fixture(params=["text", "json"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        tokens = tmp_path / "tokens"
        tokens.touch(0o600)
        tokens.write_text(f"admin {ADMIN}\nworker {WORKER}\n")
        made.start_node("--token-file", str(tokens), "--log-level", "debug", "--log-format", request.param)
        yield made


def came_out(where: House, *more: str | bytes) -> list[str]:
    """The canaries in anything that was written, but for the file that holds them."""
    texts = [text.encode() if isinstance(text, str) else text for text in more]
    texts += [file.read_bytes() for file in where.folder.rglob("*") if file.is_file() and file.name != "tokens"]
    return [canary for canary in CANARIES if any(canary.encode() in text for text in texts)]


def asked(url: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.read() + str(answer.headers).encode()
    except urllib.error.HTTPError as error:
        return error.read() + str(error.headers).encode()


def test_no_handler_lets_the_tokens_of_its_worker_out(where: House) -> None:
    env = {"ROTA_TOKEN": WORKER, "AGAIN": WORKER, "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={COLLECTOR}"}
    where.start_worker("--log-level", "debug", app="leaky_handlers:app", env=env)
    words: list[str] = []
    with Client(where.url, token=ADMIN) as client:
        for method in ("in_thread", "in_loop", "in_process"):
            for how, ends in (("raise", TaskFailed), ("retry", TaskFailed), ("cancel", TaskCancelled)):
                task = client.submit(method, {"name": "AGAIN", "how": how})
                with pytest.raises(ends) as caught:
                    task.result(timeout=30)
                words += [str(caught.value), getattr(caught.value, "traceback", ""), repr(client.get(task.id))]
                words += [line.text for line in client.logs(task.id)]
        with pytest.raises(TaskFailed) as told:
            client.execute("said", {"text": "all but the whole: " + WORKER[:-1]}, wait_timeout=30)
        assert WORKER[:-1] in str(told.value), "what is no secret passes"
        found = client.execute("environment", wait_timeout=30)
        words.append(repr(found))
    assert {"ROTA_TOKEN", "AGAIN", "OTEL_EXPORTER_OTLP_HEADERS"}.isdisjoint(found)
    assert "PATH" in found
    leaks = " ".join(words)
    assert "raised ***" in leaks
    assert "logging ***" in leaks
    assert "cancel ***" in leaks
    pages = b"".join(asked(where.url + path, ADMIN) for path in ("/", "/metrics", "/readyz"))
    assert came_out(where, leaks, pages) == []


def test_wrong_tokens_are_not_repeated(where: House) -> None:
    answers = [asked(where.url + path, WRONG) for path in ("/", "/metrics", f"/nope?token={WRONG}")]
    with pytest.raises(RotaError) as caught, Client(where.url, token=WRONG, connect_timeout=5) as client:
        client.submit("add", {"a": 1})
    worker = where.start_worker(app="leaky_handlers:app", env={"ROTA_TOKEN": WRONG})
    assert worker.wait(30) != 0
    assert came_out(where, str(caught.value), *answers[:2]) == []


def test_a_token_that_was_made_is_said_to_its_maker_and_nowhere_else(where: House) -> None:
    done = subprocess.run(
        [ROTA, "token", "create", "somebody", "--role", "viewer", "--quiet", "--url", where.url],
        env={**os.environ, "ROTA_TOKEN": ADMIN},
        capture_output=True,
        text=True,
        timeout=60,
    )
    made = done.stdout.strip()
    assert made.startswith("rota_"), done.stderr
    secret = made.partition(".")[2].encode()
    assert b"rota_build_info" in asked(f"{where.url}/metrics", made)
    assert b"not_authenticated" in asked(f"{where.url}/api/v1/stats", made + "x")
    files = [file for file in where.folder.rglob("*") if file.is_file()]
    assert [file.name for file in files if secret in file.read_bytes()] == []
    assert secret.decode() not in done.stderr


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["node", "--store", f"mysql://rota:{PASSWORD}@db/rota"], {}),
        (["node", "--store", f"what://rota:{PASSWORD}@db/rota"], {}),
        (["node"], {"ROTA_TOKEN": PASSWORD[:31]}),
        (["node", "--host", "0.0.0.0"], {"ROTA_TOKEN": PASSWORD}),
        (["list", "--url", f"http://rota:{PASSWORD}@127.0.0.1:1"], {}),
        (["list"], {"ROTA_URL": f"http://rota:{PASSWORD}@127.0.0.1:1", "ROTA_TOKEN": ADMIN}),
        (["list", "--token", PASSWORD], {}),
        (["list", f"--token={PASSWORD}"], {}),
        (["list", "--url", "http://127.0.0.1:1"], {"ROTA_TOKEN": PASSWORD, "ROTA_CONNECT_TIMEOUT": "1s"}),
        (["worker", "leaky_handlers:app", "--url", f"http://rota:{PASSWORD}@127.0.0.1:1"], {}),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_refusal_of_the_cli_repeats_a_secret(
    tmp_path: Path, words: list[str], env: dict[str, str], form: list[str]
) -> None:
    data = ["--data", str(tmp_path / "data"), "--http-port", "0", "--grpc", "off"] if words[0] == "node" else []
    rig = str(Path(__file__).parent.parent / "rig")
    done = subprocess.run(
        [ROTA, *words, *data, *form],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": rig, **env},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert PASSWORD not in done.stdout + done.stderr
    assert PASSWORD[:31] not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_file_that_cannot_be_used_is_not_read_out(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.touch(0o600)
    tokens.write_text(f"emperor {ADMIN}\n")
    done = subprocess.run(
        [ROTA, "node", "--data", str(tmp_path / "data"), "--http-port", "0", "--grpc", "off", "--token-file", tokens],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 78
    assert "emperor" in done.stderr
    assert ADMIN not in done.stdout + done.stderr
