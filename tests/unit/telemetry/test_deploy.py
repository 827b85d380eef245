"""What lies under deploy/ fits the program: metrics that exist, settings that exist, tokens that are taken."""

import importlib.util
import json
import re
import shutil
import stat
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from exposition import a_node, families

from rota.access.roles import Role
from rota.access.tokens import read_tokens
from rota.config.node import NodeSettings
from rota.config.quantity import SECOND
from rota.config.sections import every_setting
from rota.config.worker import WorkerSettings
from rota.model.submission import Submission

ROOT = Path(__file__).parent.parent.parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DASHBOARD = json.loads((DEPLOY / "grafana" / "rota.json").read_text("utf-8"))
_METRIC = re.compile(r"\b(?:rota|process|python)_[a-z0-9_]+")


async def exported(tmp_path: Path) -> set[str]:
    """The names of all samples of a node that has done something."""
    async with a_node(tmp_path) as node:
        node.metrics.requests.count("/livez", 200, 0.001)
        await node.parts.engine.submit([Submission(uuid.uuid4().bytes, "add", b"[1, 2]")])
        found = families(await node.text())
    return {sample.name for samples in found.values() for sample in samples}


def queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


async def test_every_metric_of_the_dashboard_and_the_alerts_is_exported(tmp_path: Path) -> None:
    names = await exported(tmp_path)
    rules = re.findall(r"expr: (.+(?:\n {10,}.+)*)", (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))
    assert len(queries()) > 30
    assert len(rules) > 10
    asked = {name for text in (*queries(), *rules) for name in _METRIC.findall(text)}
    assert asked - names == set()


async def test_the_page_on_telemetry_explains_every_metric(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    named = {re.sub(r"_(bucket|count|sum)$", "", name) for name in await exported(tmp_path) if name.startswith("rota_")}
    assert {name for name in named if f"`{name}" not in page} == set()
    assert set(re.findall(r"`(rota_[a-z_]+)[`{]", page)) - named == set()


def test_the_dashboard_is_whole() -> None:
    places: set[tuple[int, int]] = set()
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        covered = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not places & covered, f"{panel['title']} lies over another"
        places |= covered
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            letters = [target["refId"] for target in panel["targets"]]
            assert len(set(letters)) == len(letters) > 0
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) - {"__rate_interval"}
    assert used <= variables


def test_every_variable_that_is_set_is_a_setting() -> None:
    known = {setting.variable for setting in every_setting()}
    for file in [*DEPLOY.glob("*"), *UNITS]:
        if file.is_file():
            named = set(re.findall(r"\b(ROTA_[A-Z_]+)", file.read_text("utf-8")))
            assert named <= known, file.name


def test_nothing_under_deploy_holds_a_token() -> None:
    for file in DEPLOY.rglob("*"):
        if file.is_file() and file.parent.name != "secrets":
            assert not re.search(
                r"(?i)(token|secret|password)\s*[:=]\s*['\"]?[A-Za-z0-9_\-]{16,}", file.read_text("utf-8")
            )


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_units_give_enough_time_to_stop_and_do_not_start_again_what_refuses(unit: Path) -> None:
    said = dict(line.split("=", 1) for line in unit.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))
    settings = NodeSettings() if "node" in unit.name else WorkerSettings()
    assert int(said["TimeoutStopSec"]) > settings.shutdown_grace / SECOND + 10
    assert "78" in said["RestartPreventExitStatus"].split()
    assert said["DynamicUser"] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units_and_finds_them_hardened(unit: Path, tmp_path: Path) -> None:
    """With a program and a folder that are there: they are looked for."""
    copy = tmp_path / unit.name
    text = unit.read_text().replace("/opt/rota/bin/rota", sys.executable).replace("/srv/rota/app", str(tmp_path))
    copy.write_text(text)
    for words in (["verify", "--man=no"], ["security", "--offline=yes", "--threshold=20"]):
        done = subprocess.run(["systemd-analyze", *words, str(copy)], capture_output=True, text=True)
        complaints = [line for line in done.stderr.splitlines() if unit.name in line or "Unknown" in line]
        assert (done.returncode, complaints) == (0, []), done.stdout[-500:] + done.stderr


def test_the_image_copies_what_is_there_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text()
    for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in words.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, f"{source} does not reach the builder"
    user = re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE)
    assert user
    assert int(user[-1]) > 1000
    assert "--require-hashes" in text
    assert text.rindex("USER ") < text.index("ENTRYPOINT")


def test_the_secrets_that_are_made_are_taken(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = ["sh", str(DEPLOY / "make-secrets.sh"), str(folder)]
    subprocess.run(make, check=True, capture_output=True)
    tokens = read_tokens(folder / "node-tokens")
    for role in (Role.ADMIN, Role.CLIENT, Role.WORKER):
        file = folder / f"{role}-token"
        assert stat.S_IMODE(file.stat().st_mode) == 0o400
        said, secret = file.read_text().split()
        assert said == role
        assert tokens.roles_of(secret) == {role}
    before = {file.name: file.read_text() for file in folder.iterdir()}
    subprocess.run(make, check=True, capture_output=True)
    assert {file.name: file.read_text() for file in folder.iterdir()} == before, "a second run keeps what is there"


def test_the_health_check_tells_a_node_that_lives_from_one_that_does_not() -> None:
    status = 200

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    def checked() -> int:
        env = {"ROTA_HTTP_PORT": str(server.server_port), "PATH": ""}
        return subprocess.run([sys.executable, str(DEPLOY / "healthcheck.py")], env=env, timeout=20).returncode

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert checked() == 0
        status = 503
        assert checked() == 1
    finally:
        server.shutdown()
        server.server_close()
    assert checked() == 1


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="PyYAML is not installed")
def test_compose_and_prometheus_files_are_yaml_with_what_belongs_there() -> None:
    import yaml

    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(compose["services"]) == {"node", "worker"}
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert set(service["secrets"]) <= set(compose["secrets"])
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    names = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    assert len(set(names)) == len(names) > 10
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert scrape["rule_files"] == ["alerts.yml"]
