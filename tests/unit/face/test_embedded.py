"""`embedded:`: one script is enough."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rota import App, RefusesToStart


def test_one_script_is_enough(tmp_path: Path) -> None:
    script = """
from rota import App

app = App("embedded:")

@app.task
def add(a: int, b: int) -> int:
    return a + b

print(add.submit(1, 2).result(timeout=20))

@app.task
async def later(a: int) -> int:
    return await add.aexecute(a, 1, timeout=20)   # from inside a handler

print(later.execute(5, timeout=20))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "ROTA_DATA": str(tmp_path / "d")},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n6\n", "")


def test_tasks_are_kept_from_one_run_to_the_next(tmp_path: Path) -> None:
    first = App(f"embedded://{tmp_path}/node")
    with first:
        handle = first.send("remember", {"x": 1})
    second = App(f"embedded://{tmp_path}/node")

    @second.task
    def remember(x: int) -> int:
        return x + 1

    with second:
        assert second.client.wait(handle.id, timeout=20).value() == 2


def test_a_data_folder_in_use_is_told_at_once(tmp_path: Path) -> None:
    with App(f"embedded://{tmp_path}/node") as first, App(f"embedded://{tmp_path}/node") as second:
        first.send("x")
        with pytest.raises(RefusesToStart):
            second.send("x")


def test_an_iterator_that_is_left_half_read_does_not_keep_the_program(tmp_path: Path) -> None:
    script = """
from rota import App

app = App("embedded:")

@app.task
def one() -> int:
    return 1

for _ in range(3):
    one.submit().result(timeout=20)
half = app.client.list()
next(half)
print("the end")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "ROTA_DATA": str(tmp_path / "d")},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "the end\n", "")
