"""`rota node`: runs a node until it is told to stop, and says at the start where everything is."""

from __future__ import annotations

import datetime
from typing import Protocol

from rota import __version__
from rota.cli.command import command
from rota.cli.output import Output
from rota.config import NodeSettings, check_tls
from rota.config.client import DEFAULT_URLS


class Ready(Protocol):
    """What the house tells once the node answers."""

    http_url: str
    store: str
    durability: str
    data: str
    node_id: str
    warnings: list[str]


@command(NodeSettings)
def node(settings: NodeSettings, out: Output) -> int:
    """Run a node: it accepts tasks, keeps them and gives them out.

    It listens on 127.0.0.1 unless told otherwise and keeps its tasks in a SQLite file. TERM or Ctrl-C stops it in order.
    """
    from rota.house import run_node

    settings.refuse_unsafe()
    for sentence in tls_warnings(settings):
        out.warn(sentence)
    return run_node(settings, on_ready=lambda info: announce(info, settings, out))


def tls_warnings(settings: NodeSettings) -> list[str]:
    """Raises RefusesToStart for a certificate that cannot serve."""
    if settings.tls_cert is None or settings.tls_key is None:
        return []
    return check_tls(settings.tls_cert, settings.tls_key, datetime.datetime.now(datetime.UTC))


def announce(info: Ready, settings: NodeSettings, out: Output) -> None:
    """Mode, store and every address with what it is for."""
    for sentence in info.warnings:
        out.warn(sentence)
    if out.json:
        out.value(ready_value(info))
        return
    out.say(f"Rota {__version__}: node {info.node_id}, embedded (one process, one store)")
    for name, value in _facts(info, settings):
        out.say(f"  {name:<9}{value}")
    out.say(f"Start a worker:  {worker_line(info.http_url)}")
    out.say("Ctrl-C stops the node.")


def ready_value(info: Ready) -> dict[str, object]:
    """As --json has it: one line, when the node answers."""
    return {
        "event": "ready",
        "node_id": info.node_id,
        "version": __version__,
        "mode": "embedded",
        "http_url": info.http_url,
        "store": info.store,
        "durability": info.durability,
        "data": str(info.data),
        "warnings": list(info.warnings),
    }


def worker_line(url: str) -> str:
    """How to start a worker for a node at this address."""
    return "rota worker module:app" + ("" if url.rstrip("/") in DEFAULT_URLS else f" --url {url}")


def _facts(info: Ready, settings: NodeSettings) -> list[tuple[str, str]]:
    base = info.http_url.rstrip("/")
    return [
        ("store", f"{info.store} (durability {info.durability})"),
        ("data", str(info.data)),
        ("status", f"{base}/  status page"),
        ("REST", f"{base}/api/v1  described at {base}/api/v1/openapi.json"),
        ("link", f"{base}/api/v1/link  for clients and workers"),
        ("metrics", f"{base}/metrics  for Prometheus; health at /livez and /readyz"),
        ("log", f"stderr, {settings.log_level} and above, as {settings.log_format}"),
    ]
