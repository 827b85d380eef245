"""The rows of the table: which peer, on which store, how durable, with which worker, and how much work it gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

FIGURES = ("p1", "p2", "p3", "p4", "p9")
"""Groups of figures, by the names of the goals: end to end, bulk, single submits, round trips, footprint."""
IN_FLIGHT = 64


@dataclass(frozen=True)
class Durability:
    """What an acknowledged task outlives, in the words of the table."""

    name: str
    words: str
    before_answer: bool
    """It is on disk, by fsync, before the answer: only such rows are compared as durable."""


FSYNC = Durability("fsync", "fsync before the answer", True)
SECOND = Durability("second", "up to 1 s lost", False)
PROCESS = Durability("process", "lost in a power cut", False)
MEMORY = Durability("memory", "lost with the store's process", False)


@dataclass(frozen=True)
class RedisStore:
    """`append`: appendfsync's value; empty: no append-only file. Snapshots are off."""

    append: str


@dataclass(frozen=True)
class SqliteFile:
    """A file that client and worker open themselves."""

    fsync: bool


@dataclass(frozen=True)
class RotaNode:
    durability: str


Store = RedisStore | SqliteFile | RotaNode


@dataclass(frozen=True)
class Sizes:
    """Tasks of one repetition."""

    end_to_end: int
    bulk: int
    serial: int
    in_flight: int
    round_trips: int

    def quick(self) -> Sizes:
        """Enough to see that all works, and about how fast."""
        return Sizes(
            self.end_to_end // 4, self.bulk // 4, self.serial // 2, self.in_flight // 4, max(100, self.round_trips // 3)
        )


@dataclass(frozen=True)
class Row:
    """`client` is the class in `module`, `worker` the command in the peer's environment; {slots} and {url} are filled in."""

    id: str
    peer: str
    label: str
    durability: Durability
    store: Store
    client: str
    worker: Sequence[str]
    sizes: Sizes
    figures: Sequence[str] = FIGURES
    method: str = ""
    client_module: str = ""
    """Where the client is not in the module of the peer's name."""

    @property
    def module(self) -> str:
        return f"benchmarks.peers.{self.client_module or self.peer}"

    def quick(self) -> Row:
        return replace(self, sizes=self.sizes.quick())

    def only(self, figures: Iterable[str]) -> Row:
        return replace(self, figures=tuple(figure for figure in self.figures if figure in set(figures)))


def _rota(
    row: str, label: str, app: str, method: str, end_to_end: int, figures: Sequence[str], durability: str = "full"
) -> Row:
    return Row(
        row,
        "rota",
        label,
        FSYNC if durability == "full" else PROCESS,
        RotaNode(durability),
        "Rota",
        ("rota", "worker", app, "--url", "{url}", "--slots", "{slots}"),
        Sizes(end_to_end, bulk=30_000, serial=1_500, in_flight=6_000, round_trips=500),
        figures,
        method,
    )


def _on_redis(peer: str, label: str, client: str, worker: Sequence[str], sizes: Sizes) -> list[Row]:
    """A peer as it comes, and with the two append-only files. What durability does not change is measured once."""
    plain = Row(peer, peer, label, MEMORY, RedisStore(""), client, worker, sizes)
    return [
        plain,
        replace(
            plain,
            id=f"{peer}-everysec",
            label=f"{label}, AOF everysec",
            durability=SECOND,
            store=RedisStore("everysec"),
            figures=("p1", "p2"),
        ),
        replace(
            plain,
            id=f"{peer}-always",
            label=f"{label}, AOF always",
            durability=FSYNC,
            store=RedisStore("always"),
            figures=("p1", "p2", "p3", "p4"),
        ),
    ]


def _huey_on_sqlite(row: str, label: str, durability: Durability, fsync: bool, sizes: Sizes) -> Row:
    """One thread, as it comes: several wait for each other's writes, and take half as much time again for a task."""
    worker = (*HUEY, "1", "-d", "0.01", "-m", "0.05")
    return Row(row, "huey", label, durability, SqliteFile(fsync), "Huey", worker, sizes)


USUAL = Sizes(end_to_end=3_500, bulk=1_000, serial=500, in_flight=700, round_trips=250)
SLOWER = Sizes(end_to_end=2_000, bulk=500, serial=300, in_flight=300, round_trips=150)
FASTER = Sizes(end_to_end=12_000, bulk=3_000, serial=1_500, in_flight=1_500, round_trips=200)

CELERY = (
    *("celery", "-A", "benchmarks.peers.celery", "worker", "--pool", "threads", "--concurrency", "{slots}"),
    *("--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat"),
)
DRAMATIQ = ("dramatiq", "benchmarks.peers.dramatiq", "--processes", "1", "--threads", "{slots}")
TASKIQ = (
    *("taskiq", "worker", "benchmarks.peers.taskiq:broker", "--workers", "1", "--max-async-tasks", "{slots}"),
    *("--log-level", "WARNING"),
)
SAQ = ("saq", "benchmarks.peers.saq.settings", "--quiet")
HUEY = ("huey_consumer", "benchmarks.peers.huey.huey", "--worker-type", "thread", "-q", "-n", "--workers")

ROWS: tuple[Row, ...] = (
    _rota("rota", "Rota, async", "benchmarks.peers.rota:app", "add", 100_000, FIGURES),
    _rota("rota-thread", "Rota, threads", "benchmarks.peers.rota:app", "add_thread", 50_000, ("p1", "p4")),
    _rota(
        "rota-process",
        "Rota, processes",
        "benchmarks.peers.rota_process:app",
        "add_process",
        20_000,
        ("p1", "p4", "p9"),
    ),
    _rota("rota-relaxed", "Rota, async, relaxed", "benchmarks.peers.rota:app", "add", 100_000, FIGURES[:4], "relaxed"),
    replace(
        _rota("rota-grpc", "Rota, async, over gRPC", "benchmarks.peers.rota:app", "add", 20_000, ("p3", "p4")),
        sizes=Sizes(end_to_end=20_000, bulk=10_000, serial=500, in_flight=2_000, round_trips=500),
        client="RotaGrpc",
        client_module="rota_grpc",
    ),
    *_on_redis("celery", "Celery", "Celery", CELERY, SLOWER),
    *_on_redis("dramatiq", "Dramatiq", "Dramatiq", DRAMATIQ, USUAL),
    *_on_redis("taskiq", "Taskiq", "Taskiq", TASKIQ, USUAL),
    *_on_redis("saq", "SAQ", "Saq", SAQ, USUAL),
    *_on_redis("huey", "Huey, Redis", "Huey", (*HUEY, "{slots}"), USUAL),
    _huey_on_sqlite("huey-sqlite", "Huey, SQLite, no fsync", PROCESS, False, FASTER),
    _huey_on_sqlite("huey-sqlite-fsync", "Huey, SQLite, fsync", FSYNC, True, USUAL),
)


def chosen(names: Iterable[str]) -> list[Row]:
    """Rows by their id, or all of a peer by its name. Raises ValueError for a name that is neither."""
    wanted = list(names)
    unknown = [name for name in wanted if not any(name in (row.id, row.peer) for row in ROWS)]
    if unknown:
        known = ", ".join(dict.fromkeys(name for row in ROWS for name in (row.peer, row.id)))
        raise ValueError(f"no row is called {', '.join(unknown)}; there are: {known}")
    return [row for row in ROWS if not wanted or row.id in wanted or row.peer in wanted]
