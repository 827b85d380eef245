"""A worker: a process that runs handlers and reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from rota.model.method import Method


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker says of itself when it registers."""

    id: str
    """Made new at every start of the process, so that a restart is a new worker."""
    name: str = ""
    application: str = ""
    host: str = ""
    ip: str = ""
    pid: int = 0
    os: str = ""
    language: str = ""
    sdk: str = ""
    cpu_count: int = 0
    memory_bytes: int = 0
    weight: int = 1
    labels: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    slots: int = 16
    """How many handlers it runs at once."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a heartbeat carries: shares are 0 … 1, rates are bytes a second."""

    cpu: float = 0.0
    memory_bytes: int = 0
    network_in: float = 0.0
    network_out: float = 0.0
    disk_used_bytes: int = 0
    disk_total_bytes: int = 0


@dataclass(slots=True)
class WorkerRecord:
    """A worker as the node lists it. It stays listed for a day after it is gone, with the reason."""

    number: int
    """The store's number for it; tasks refer to it by this."""
    facts: Facts
    methods: tuple[Method, ...] = ()
    registered_at: int = 0
    seen_at: int = 0
    gone_at: int | None = None
    gone_reason: str = ""
    draining: bool = False
    load: Load = field(default_factory=Load)
    in_hand: int = 0
    """Tasks it holds now, started or not."""
    running: int = 0
    finished: int = 0

    @property
    def online(self) -> bool:
        return self.gone_at is None
