"""Whatever is sent that the description allows, or forbids: no 500, and no answer that the description does not know.

ROTA_FUZZ_SECONDS says how long (60); `make evidence` takes ten minutes.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import house
from rest import Rest

SECONDS = int(os.environ.get("ROTA_FUZZ_SECONDS", "60"))
TOKEN = "a-token-for-requests-that-are-made-up-0x7f"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
REFUSALS = """[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "414", "415", "422", "428", "431", "5xx"]
"""
"""The tool does not count an address or a head that is too long as refused data."""
ENDLESS = ("/api/v1/events",)


def fuzz(folder: Path, seconds: int) -> None:
    with house(folder) as made:
        made.start_node(env={"ROTA_TOKEN": TOKEN})
        made.start_worker(env={"ROTA_TOKEN": TOKEN}).line()
        rest = Rest(made.url, TOKEN)
        rest.post("/tasks", {"tasks": [{"method": "noop", "batch": "b", "labels": {"l": "v"}} for _ in range(20)]})
        args = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{made.url}/api/v1/openapi.json"]
        args += ["-H", f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS), "--max-time", str(seconds)]
        args += ["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--request-timeout", "70"]
        args += ["--no-color", "--warnings", "off"]
        for path in ENDLESS:
            args += ["--exclude-path", path]
        (folder / "schemathesis.toml").write_text(REFUSALS)
        done = subprocess.run(args, cwd=folder, capture_output=True, text=True, check=False, timeout=seconds + 120)
        log = (folder / "node.log").read_text()

        assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-3_000:]
        assert "Traceback" not in log, log[-5_000:]
        assert rest.get("/stats").status == 200


@pytest.mark.timeout(300)
def test_the_api_keeps_to_its_description(tmp_path: Path) -> None:
    fuzz(tmp_path, SECONDS)


@pytest.mark.evidence
@pytest.mark.timeout(1_000)
def test_the_api_keeps_to_its_description_for_ten_minutes(tmp_path: Path) -> None:
    fuzz(tmp_path, max(SECONDS, 600))
