"""The doors of a node on this machine, and the node that clients of this machine would reach."""

from __future__ import annotations

import errno
import socket
import time

from rota.cli import human
from rota.cli.certificate import expiry_warning
from rota.cli.doctor.finding import Finding
from rota.cli.reach import reach
from rota.config import ClientSettings, NodeSettings
from rota.model.errors import CannotConnect, RefusesToStart, RotaError

_SKEWED, _FAR_OFF = 0.5, 2.0


def network_findings(node: NodeSettings, client: ClientSettings) -> list[Finding]:
    """The node, its clock, its ports and who may come in."""
    found, reached = _node(client)
    ports = [_port("port", node.host, node.http_port, "--http-port", reached)]
    if node.grpc == "on":
        ports.append(_port("grpc port", node.host, node.grpc_port, "--grpc-port", reached))
    return [*found, *ports, _access(node), *_certificate(node)]


def _node(client: ClientSettings) -> tuple[list[Finding], bool]:
    urls = ", ".join(client.url)
    try:
        with reach(client) as node:
            node.stats()
            before, start = human.now(), time.perf_counter()
            stats = node.stats()
            trip = time.perf_counter() - start
    except CannotConnect:
        return [Finding("node", "warn", f"none answers at {urls}", "start one: rota node; or name it by --url")], False
    except RotaError as error:
        return [
            Finding("node", "bad", error.detail, "set ROTA_TOKEN or --token-file, and look at the node's log")
        ], True
    says = f"{stats.node_id}, version {stats.node_version}, answers at {urls} in {human.span(trip)}"
    node_says = stats.now or before
    return [Finding("node", "ok", says), _clock((node_says - before).total_seconds() - trip / 2)], True


def _clock(offset: float) -> Finding:
    words = f"{human.span(abs(offset))} {'behind' if offset < 0 else 'ahead of'} this machine's"
    if abs(offset) < _SKEWED:
        return Finding("clock", "ok", f"the node's is {words}")
    level = "bad" if abs(offset) >= _FAR_OFF else "warn"
    return Finding("clock", level, f"the node's is {words}", "let NTP set both: timedatectl set-ntp true")


def _port(check: str, host: str, port: int, flag: str, reached: bool) -> Finding:
    where = f"{host}:{port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return _taken(check, where, flag, error, reached)
    return Finding(check, "ok", f"{where} is free")


def _taken(check: str, where: str, flag: str, error: OSError, reached: bool) -> Finding:
    if error.errno == errno.EADDRINUSE and reached:
        return Finding(check, "ok", f"{where} is in use, and a node answers")
    if error.errno == errno.EADDRINUSE:
        return Finding(check, "bad", f"{where} is in use by another program", f"end it, or take another by {flag}")
    return Finding(check, "bad", f"{where}: {error.strerror or error}", f"name another address by --host, {flag}")


def _access(node: NodeSettings) -> Finding:
    from rota.access.bind import check_bind
    from rota.access.tokens import check_secret, read_tokens

    try:
        if node.token_file is not None:
            read_tokens(node.token_file)
        elif node.token is not None:
            check_secret(node.token)
        asks = node.token is not None or node.token_file is not None
        check_bind(node.host, asks, node.tls_cert is not None, node.behind_tls_proxy)
    except RefusesToStart as error:
        return Finding("access", "bad", error.detail, "a node refuses to start like this")
    how = "asks for a token" if asks else "open mode: reached from this machine only, without a token"
    return Finding("access", "ok", f"{node.host}: {how}")


def _certificate(node: NodeSettings) -> list[Finding]:
    if node.tls_cert is None:
        return []
    from rota.transport.http_server import check_tls

    try:
        check_tls(node.tls_cert, node.tls_key)
    except RefusesToStart as error:
        return [Finding("certificate", "bad", error.detail, "a node refuses to start like this")]
    if warning := expiry_warning(node.tls_cert, human.now()):
        return [Finding("certificate", "warn", warning, "renew it, and start the node again")]
    return [Finding("certificate", "ok", f"{node.tls_cert} fits its key")]
