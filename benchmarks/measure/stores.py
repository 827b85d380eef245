"""What keeps a row's tasks: a redis-server, a Rota node, or just a file. On loopback, on free ports, in the row's folder."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure.children import Child, TrialFailed, plain_environment, running
from benchmarks.measure.environments import bin_of
from benchmarks.rows import RedisStore, RotaNode, SqliteFile, Store

START_SECONDS = 30.0


@dataclass(frozen=True)
class Started:
    """`environment` leads client and worker to it. `ready_seconds`: from its start to the first answer."""

    child: Child | None = None
    url: str = ""
    ready_seconds: float | None = None
    environment: dict[str, str] = field(default_factory=dict)


def redis_server() -> str | None:
    return shutil.which("redis-server")


@contextlib.contextmanager
def started(store: Store, folder: Path) -> Iterator[Started]:
    match store:
        case RedisStore():
            with _redis(store, folder) as found:
                yield found
        case RotaNode():
            with _node(store, folder) as found:
                yield found
        case SqliteFile():
            flag = "1" if store.fsync else "0"
            yield Started(environment={"BENCH_SQLITE_FILE": str(folder / "huey.db"), "BENCH_SQLITE_FSYNC": flag})


@contextlib.contextmanager
def _redis(store: RedisStore, folder: Path) -> Iterator[Started]:
    server, port = redis_server(), _free_port()
    if server is None:
        raise TrialFailed("there is no redis-server")
    append = ("--appendonly", "yes", "--appendfsync", store.append) if store.append else ("--appendonly", "no")
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *append]
    began = time.perf_counter()
    with running(Child("redis", command, plain_environment(), folder)) as child:
        while not _pongs(port):
            child.check()
            if time.perf_counter() - began > START_SECONDS:
                raise TrialFailed(f"redis-server did not answer within {START_SECONDS:.0f} s")
            time.sleep(0.002)
        ready = time.perf_counter() - began
        yield Started(child, "", ready, {"BENCH_REDIS_PORT": str(port)})


@contextlib.contextmanager
def _node(store: RotaNode, folder: Path) -> Iterator[Started]:
    command = [
        *(str(bin_of("rota") / "rota"), "node", "--json", "--http-port", "0", "--grpc-port", "0"),
        *("--data", str(folder / "data"), "--durability", store.durability),
    ]
    began = time.perf_counter()
    with running(Child("node", command, plain_environment(), folder, stdout=subprocess.PIPE)) as child:
        assert child.process.stdout is not None
        line = child.process.stdout.readline()
        ready = time.perf_counter() - began
        if not line:
            child.process.wait(START_SECONDS)
            child.check()
        said = json.loads(line)
        yield Started(
            child, said["http_url"], ready, {"ROTA_URL": said["http_url"], "BENCH_GRPC": said["grpc_address"]}
        )


def _pongs(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
