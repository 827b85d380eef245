"""Ways to run `rota`: inside this process over a scripted client, and as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripted_client import Rota, ScriptedClient

import rota.cli.audit
import rota.cli.batch
import rota.cli.change
import rota.cli.groups
import rota.cli.logs
import rota.cli.many
import rota.cli.methods
import rota.cli.stats
import rota.cli.submit
import rota.cli.tasks
import rota.cli.token_desks
import rota.cli.top.command
import rota.cli.wait
import rota.cli.why
import rota.cli.workers
from rota.cli.main import run

REACHING = (
    rota.cli.audit,
    rota.cli.batch,
    rota.cli.change,
    rota.cli.groups,
    rota.cli.logs,
    rota.cli.many,
    rota.cli.methods,
    rota.cli.stats,
    rota.cli.submit,
    rota.cli.tasks,
    rota.cli.token_desks,
    rota.cli.top.command,
    rota.cli.wait,
    rota.cli.why,
    rota.cli.workers,
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the gRPC door, whose one port nodes side by side would fight for."""
    for name in [name for name in os.environ if name.startswith("ROTA_") and name != "ROTA_GRPC"]:
        monkeypatch.delenv(name)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ScriptedClient:
    scripted = ScriptedClient()
    for module in REACHING:
        monkeypatch.setattr(module, "reach", lambda settings, token=None: scripted)
    return scripted


@pytest.fixture
def rota_here(client: ScriptedClient, capsys: pytest.CaptureFixture[str]) -> Rota:
    """Answers code, out, err, and with --json `values`, the JSON values of stdout."""

    def call(*argv: str) -> SimpleNamespace:
        code = run(list(argv))
        said = capsys.readouterr()
        values: list[Any] = [json.loads(line) for line in said.out.splitlines()] if "--json" in argv else []
        return SimpleNamespace(code=code, out=said.out, err=said.err, values=values)

    return call


@pytest.fixture
def rota_process(tmp_path: Path) -> Rota:
    """The real program, in a folder of its own, with nothing of ours in its environment but `env`."""

    def call(*argv: str, stdin: str = "", env: dict[str, str] | None = None) -> SimpleNamespace:
        done = subprocess.run(
            [sys.executable, "-m", "rota.cli", *argv],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), **(env or {})},
            timeout=60,
            check=False,
        )
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)

    return call
