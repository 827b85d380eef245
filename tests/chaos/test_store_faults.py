"""F13, F14 with a real node: the disk is full, the file is broken, gone, or somebody else's."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import ROTA, free_port, house

from rota import Client
from rota.model.errors import RotaError, Unavailable


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB of our own."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED LOUDLY: mounting a small file system needs root")
    where = tmp_path / "disk"
    where.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(where)], check=False)
    if done.returncode:
        pytest.skip("SKIPPED LOUDLY: this machine does not let us mount a tmpfs")
    yield where
    subprocess.run(["umount", "--lazy", str(where)], check=True)


def refused_start(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROTA, "node", "--http-port", str(free_port()), *flags],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def fill(client: Client, kept: list[str]) -> None:
    for number in range(2_000):
        receipt = client.submit("mark", {"key": str(number), "pad": "p" * 8_000})
        kept.append(receipt.id)  # what was kept counts also when a later one fails


def submit_for_a_while(client: Client, seconds: float = 12.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.submit("mark", {"key": "void"})
        threading.Event().wait(0.2)


@pytest.mark.root
def test_a_full_disk_refuses_what_is_new_keeps_what_it_has_and_recovers(tmp_path: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (4 * 1024 * 1024))
    with house(tmp_path) as where, Client(where.url) as client:
        where.folder = small_disk
        node = where.start_node()
        where.folder = tmp_path
        kept: list[str] = []
        with pytest.raises(Unavailable) as full:
            fill(client, kept)
        assert full.value.code == "store_full"
        assert kept, "some fitted"
        assert client.get(kept[-1]).state == "ready", "reads go on"
        assert node.child.poll() is None, "the node stays up"
        filler.unlink()
        deadline = time.monotonic() + 10
        while True:
            try:
                client.submit("mark", {"key": "after"})
                break
            except RotaError:
                assert time.monotonic() < deadline, "it takes tasks again once there is room"
                threading.Event().wait(0.1)
        assert len(client.get_many(kept)) == len(kept)
        node.stop()
        with contextlib.closing(sqlite3.connect(small_disk / "data" / "rota.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_node_on_the_same_folder_is_refused_with_pid_and_path(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        node = where.start_node()
        done = refused_start("--data", str(tmp_path / "data"))
        assert done.returncode == 1, done
        assert str(node.pid) in done.stderr
        assert str(tmp_path / "data") in done.stderr


def test_a_second_node_on_the_same_port_is_refused_with_the_port(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        where.start_node()
        done = subprocess.run(
            [ROTA, "node", "--http-port", str(where.port), "--data", str(tmp_path / "other")],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 1, done
        assert str(where.port) in done.stderr


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "rota.db").write_bytes(b"this is somebody's letter, not a database" * 200)
    before = (data / "rota.db").read_bytes()
    done = refused_start("--data", str(data))
    assert done.returncode in (1, 78), done
    assert str(data / "rota.db") in done.stderr
    assert (data / "rota.db").read_bytes() == before


@pytest.mark.root
def test_a_read_only_folder_is_refused_with_its_path(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = refused_start("--data", str(small_disk / "data"))
    assert done.returncode in (1, 78), done
    assert str(small_disk) in done.stderr


def test_a_store_deleted_under_the_node_is_noticed_and_nothing_is_accepted_into_the_void(tmp_path: Path) -> None:
    with house(tmp_path) as where, Client(where.url) as client:
        where.start_node()
        client.submit("mark", {"key": "before"})
        for file in (tmp_path / "data").glob("rota.db*"):
            file.unlink()
        with pytest.raises(RotaError) as noticed:
            submit_for_a_while(client)
        assert noticed.value.code == "store_unavailable"


def test_the_store_flag_of_durability_is_told(tmp_path: Path) -> None:
    with house(tmp_path) as where:
        node = where.start_node("--durability", "relaxed")
        ready = json.loads(node.line())
        assert ready["durability"] == "relaxed"
        assert ready["warnings"], "the loss window is named"
