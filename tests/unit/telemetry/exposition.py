"""What a node's /metrics says, parsed as Prometheus parses it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from rota.access.policy import Policy
from rota.engine.settings import EngineSettings
from rota.house.parts import Parts, choose_store
from rota.life.clock import SystemClock
from rota.telemetry.loop_lag import LoopLag
from rota.transport.figures import Metrics
from rota.transport.gate import Gate, Limits
from rota.transport.lobby import NodeFacts
from rota.transport.local import LocalDoor
from rota.worker.runtime import Worker

FACTS = NodeFacts("node-1", "0.1.0", "embedded", "sqlite:///rota.db", "full")


def families(text: bytes) -> dict[str, list[Sample]]:
    """Samples by family. Fails where a family comes twice, which Prometheus refuses."""
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.name not in found, f"{family.name} comes twice"
        found[family.name] = family.samples
    return found


def kinds(text: bytes) -> dict[str, tuple[str, str]]:
    """(type, help) by family."""
    return {f.name: (f.type, f.documentation) for f in text_string_to_metric_families(text.decode())}


class Told:
    """A node's metrics, by name and labels."""

    def __init__(self, parts: Parts, lag: LoopLag, cert: Path) -> None:
        self.parts = parts
        self.metrics = Metrics(parts.lobby, Gate(Limits(), SystemClock().monotonic), lag, cert)

    async def text(self) -> bytes:
        return await self.metrics.text()

    async def value(self, name: str, **labels: str) -> float | None:
        for samples in families(await self.text()).values():
            for sample in samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def worker(self, **said: object) -> Worker:
        return Worker(dial=LocalDoor(self.parts.lobby.open).dial, **said)  # type: ignore[arg-type]


def a_certificate(folder: Path) -> Path:
    """Good for 90 days."""
    made = folder / "cert.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost"
    subprocess.run([*words.split(), "-keyout", folder / "key.pem", "-out", made], check=True, capture_output=True)
    return made


@contextlib.asynccontextmanager
async def a_node(folder: Path, **settings: object) -> AsyncIterator[Told]:
    store = choose_store(f"sqlite:///{folder / 'rota.db'}")
    parts = Parts(store, settings=EngineSettings(**settings), policy=Policy(open_mode=True), facts=FACTS)  # type: ignore[arg-type]
    lag = LoopLag()
    await parts.open()
    lag.start()
    try:
        yield Told(parts, lag, a_certificate(folder))
    finally:
        lag.stop()
        await parts.close()
