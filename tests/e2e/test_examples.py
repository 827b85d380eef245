"""What the README and the docs show is run as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import Process, free_port, house

from rota import Client

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def run(script: Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=cwd,
        env={**os.environ, "ROTA_DATA": str(cwd / "embedded"), **env},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_quickstart_works_as_three_programs(tmp_path: Path) -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    node = Process(
        [sys.executable, str(EXAMPLES / "quickstart/node.py")], tmp_path / "node.log", {"ROTA_HTTP_PORT": port}
    )
    worker = Process(
        [sys.executable, str(EXAMPLES / "quickstart/worker.py")], tmp_path / "worker.log", {"ROTA_URL": url}
    )
    try:
        node.start()
        assert url in node.line()
        worker.start()
        said = run(EXAMPLES / "quickstart/client.py", tmp_path, ROTA_URL=url)
    finally:
        worker.stop()
        node.stop()
    assert "1 + 2 = 3" in said
    assert "step 8 of 8" in said
    assert "sums: [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]" in said


def test_retries_and_cancel_end_as_the_example_says(tmp_path: Path) -> None:
    said = run(EXAMPLES / "retries_and_cancel.py", tmp_path)
    for words in ("worked at attempt 3", "the report is there", "cancelled", "ZeroDivisionError"):
        assert words in said


def test_the_pipeline_runs_to_its_end(tmp_path: Path) -> None:
    assert run(EXAMPLES / "pipeline.py", tmp_path)


def test_what_fans_out_comes_together_again(tmp_path: Path) -> None:
    said = run(EXAMPLES / "longest_lines.py", tmp_path)
    assert ", 1 failed" in said
    assert "has a line of" in said


def test_the_demo_counts_every_word_once(tmp_path: Path) -> None:
    said = run(EXAMPLES / "stdlib_words/demo.py", tmp_path)
    assert "tasks/s" in said


def test_handlers_run_beside_a_node(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        where.start_node("--app", "handlers:app")
        with Client(where.url) as client:
            assert client.execute("add", {"a": 20, "b": 22}, wait_timeout=20) == 42


@pytest.mark.parametrize("signals", [1, 2])
def test_a_node_told_to_stop_leaves_within_seconds_and_says_so(tmp_path: Path, signals: int) -> None:
    with house(tmp_path) as where:
        node = where.start_node()
        where.start_worker()
        began = time.monotonic()
        for _ in range(signals):
            node.signal(15)
        code = node.wait(30)
        assert code in ((0,) if signals == 1 else (0, -15)), code
        assert time.monotonic() - began < 10
