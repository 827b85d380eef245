"""How many connections the limit of open files leaves room for, in processes with limits of their own."""

import subprocess
import sys

import pytest

CODE = """
import logging, resource
logging.basicConfig(format="%(message)s")
from rota.transport.descriptors import room_for_connections
print(room_for_connections(1000), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def room(soft: int, hard: int) -> tuple[str, str]:
    limited = ["sh", "-c", f'ulimit -Sn {soft}; ulimit -Hn {hard}; exec "$@"', "sh", sys.executable, "-c", CODE]
    done = subprocess.run(limited, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr


def test_the_soft_limit_is_lifted_to_the_hard_one() -> None:
    assert room(100, 2_000) == ("1000 2000 2000", "")


@pytest.mark.parametrize(("hard", "left"), [(1_063, 999), (256, 192), (70, 16)])
def test_too_few_files_leave_room_for_fewer_connections_and_that_is_told(hard: int, left: int) -> None:
    said, told = room(60, hard)
    assert said == f"{left} {hard} {hard}"
    assert f"may open {hard} files, which leaves room for {left} connections instead of 1000" in told
    assert "LimitNOFILE" in told
