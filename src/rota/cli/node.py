"""`rota node`: runs a node until it is told to stop, and says at the start where everything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota import __version__
from rota.access.bind import is_loopback
from rota.cli import human
from rota.cli.command import command
from rota.cli.handlers import load_apps
from rota.cli.output import Output
from rota.config import NodeSettings
from rota.config.reach import DEFAULT_URLS

if TYPE_CHECKING:
    from rota.house import NodeInfo


@command(NodeSettings)
def node(settings: NodeSettings, out: Output) -> int:
    """Run a node: it accepts tasks, keeps them and gives them out.

    It listens on 127.0.0.1 unless told otherwise and keeps its tasks in a SQLite file. TERM or Ctrl-C stops it in order.
    """
    apps = load_apps([settings.app]) if settings.app is not None else None

    from rota.house import run_node

    def ready(info: NodeInfo) -> None:
        announce(info, settings, out)

    return run_node(settings, ready, apps)


def announce(info: NodeInfo, settings: NodeSettings, out: Output) -> None:
    """Mode, store and every address with what it is for."""
    for sentence in _warnings(info, settings):
        out.warn(sentence)
    if out.json:
        out.value(ready_value(info))
        return
    out.say(f"Rota {__version__}: node {info.node_id}, embedded (one process, one store)")
    for name, value in _facts(info, settings):
        out.say(f"  {name:<9}{value}")
    out.say(f"Start a worker:  {worker_line(info.http_url)}")
    out.say("Ctrl-C stops the node.")


def ready_value(info: NodeInfo) -> dict[str, object]:
    """As --json has it: one line, when the node answers."""
    return {
        "event": "ready",
        "node_id": info.node_id,
        "version": __version__,
        "mode": "embedded",
        "http_url": info.http_url,
        "grpc_address": info.grpc_address,
        "store": info.store,
        "durability": info.durability,
        "data": str(info.data),
        "warnings": list(info.warnings),
    }


def _warnings(info: NodeInfo, settings: NodeSettings) -> list[str]:
    if settings.tls_cert is None:
        return info.warnings
    from rota.cli.certificate import expiry_warning

    return [*info.warnings, *filter(None, [expiry_warning(settings.tls_cert, human.now())])]


def worker_line(url: str) -> str:
    """How to start a worker for a node at this address."""
    return "rota worker module:app" + ("" if url.rstrip("/") in DEFAULT_URLS else f" --url {url}")


def _facts(info: NodeInfo, settings: NodeSettings) -> list[tuple[str, str]]:
    base = info.http_url.rstrip("/")
    reached = f"{settings.host or 'every address'}: other machines reach this node"
    return [
        ("store", f"{info.store} (durability {info.durability})"),
        ("data", str(info.data)),
        *([] if is_loopback(settings.host) else [("listens", reached)]),
        ("status", f"{base}/  status page"),
        ("link", f"{base}/api/v1/link  for clients and workers"),
        ("grpc", f"{info.grpc_address}  for gRPC clients and workers" if info.grpc_address else "off"),
        ("metrics", f"{base}/metrics  for Prometheus; health at /livez and /readyz"),
        ("log", f"stderr, {settings.log_level} and above, as {settings.log_format}"),
    ]
