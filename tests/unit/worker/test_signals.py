"""Signals: the first one drains, the second one ends at once."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def run() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def begin(run: list[subprocess.Popen[str]], *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "signalled_worker.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=HERE,
    )
    run.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains(run: list[subprocess.Popen[str]], number: int) -> None:
    process = begin(run, "wait", "20", "0.4")
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert out == "results [1] released [(2, 'draining')]\n"
    assert process.returncode == 0


@pytest.mark.parametrize("handler", ["wait", "deaf", "block"])
def test_what_does_not_end_in_time_is_given_back_whatever_it_does(
    run: list[subprocess.Popen[str]], handler: str
) -> None:
    process = begin(run, handler, "0.1", "60")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert out == "results [] released [(1, 'draining'), (2, 'draining')]\n"
    assert process.returncode == 0


@pytest.mark.parametrize("handler", ["wait", "deaf", "block"])
def test_the_second_signal_ends_at_once(run: list[subprocess.Popen[str]], handler: str) -> None:
    process = begin(run, handler, "60", "60")
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 10:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert process.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
