"""A node with its doors: built from settings, opened, announced, served, and stopped in order.

    starting → ready → draining → stopped

The stop: readiness says draining, workers are told, requests under way end, links close as going away, the engine, the
journal and the store close. Leases stay as they are, so that the workers' tasks go on when the next node is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rota.config.node import NodeSettings
from rota.engine.settings import EngineSettings
from rota.house.gatekeeper import Gatekeeper
from rota.house.parts import Parts, choose_store, node_id_in
from rota.life.clock import SystemClock
from rota.link.channel import MAX_FRAME
from rota.link.node_end import HELLO_WITHIN
from rota.model.errors import RefusesToStart
from rota.model.lifecycle import Retention
from rota.model.retry import SECOND
from rota.model.version import VERSION
from rota.telemetry.loop_lag import LoopLag
from rota.transport.descriptors import room_for_connections
from rota.transport.figures import Metrics
from rota.transport.gate import Gate, Limits
from rota.transport.hall import Books
from rota.transport.http_app import HttpApp
from rota.transport.http_guards import Names, own_names
from rota.transport.http_server import HttpServer
from rota.transport.lobby import NodeFacts
from rota.transport.local import LocalDoor
from rota.transport.tls import OFF, TlsFiles
from rota.wire.backend import check_backend

if TYPE_CHECKING:
    from rota.house.handlers import Offers

_logger = logging.getLogger("rota.node")


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What a node tells when it is ready."""

    node_id: str
    http_url: str
    grpc_address: str | None
    """host:port; None where the door is off."""
    store: str
    durability: str
    data: str
    warnings: list[str] = field(default_factory=list)


class ServedNode:
    """`open`, then `close` once or twice."""

    def __init__(self, settings: NodeSettings, apps: Sequence[Offers] = ()) -> None:
        self._settings = settings
        self._apps = apps
        self._readiness = "starting"
        self._keeper: Gatekeeper
        self._renew_tls: list[Callable[[], None]] = []
        self._exits = contextlib.AsyncExitStack()

    async def open(self) -> NodeInfo:
        """Raises RefusesToStart; nothing stays open then."""
        settings = self._settings
        check_backend()
        keeper = self._keeper = Gatekeeper(settings)
        _make_folder(settings.data)
        async with contextlib.AsyncExitStack() as exits:
            parts, facts = self._build(keeper)
            parts.engine.readiness = lambda: self._readiness or parts.store.trouble
            gate, lag = _gate(settings), LoopLag()
            app = HttpApp(
                parts.lobby,
                lambda: self._readiness or parts.store.trouble,
                host=settings.host,
                behind_proxy=settings.behind_tls_proxy,
                names=_names(settings),
                metrics=Metrics(parts.lobby, gate, lag, settings.tls_cert),
            )
            server = HttpServer(
                app,
                settings.host,
                settings.http_port,
                max_frame=MAX_FRAME,
                tls_cert=settings.tls_cert,
                tls_key=settings.tls_key,
                tls_client_ca=settings.tls_client_ca,
                tls_client_auth=_client_auth(settings),
                gate=gate,
            )
            await parts.open()
            exits.push_async_callback(parts.close)
            keeper.check()
            lag.start()
            exits.callback(lag.stop)
            await server.start()
            exits.push_async_callback(server.stop)
            self._renew_tls.append(server.renew_tls)
            grpc_address = await self._open_grpc(parts, gate.limits, exits) if settings.grpc == "on" else None
            exits.push_async_callback(parts.lobby.leave, "the node stops", settings.shutdown_grace / SECOND / 2)
            exits.callback(parts.events.close)
            exits.callback(parts.engine.drain)
            exits.callback(self._drains)
            if self._apps:
                exits.push_async_callback(await self._run_handlers(parts))
            self._readiness = ""
            self._exits = exits.pop_all()
        return NodeInfo(
            facts.node_id,
            server.url,
            grpc_address,
            facts.store,
            facts.durability,
            facts.data_dir,
            [f"what may be lost: {window}"] if (window := parts.store.capabilities.loss_window) else [],
        )

    def renew(self) -> None:
        """Reads tokens, certificates and keys anew. What cannot be used is told in the log, and stays as it was."""
        self._keeper.renew()
        try:
            for renew in self._renew_tls:
                renew()
        except RefusesToStart as error:
            _logger.error("the certificates stay as they were: %s", error.detail)

    async def close(self) -> None:
        """In the order that the module's text says, within the grace."""
        await self._exits.aclose()

    async def _open_grpc(self, parts: Parts, limits: Limits, exits: contextlib.AsyncExitStack) -> str:
        """Its address. The library is loaded only here."""
        from rota.transport.grpc_server import GrpcDoor, GrpcServer

        settings = self._settings
        door = GrpcDoor(
            parts.lobby,
            lambda: self._readiness or parts.store.trouble,
            behind_proxy=settings.behind_tls_proxy,
            reflection=settings.grpc_reflection,
        )
        server = GrpcServer(
            door,
            settings.host,
            settings.grpc_port,
            limits=limits,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
            tls_client_ca=settings.tls_client_ca,
            tls_client_auth=_client_auth(settings),
        )
        await server.start()
        exits.push_async_callback(server.stop)
        self._renew_tls.append(server.renew_tls)
        return server.address

    async def _run_handlers(self, parts: Parts) -> Callable[[], Awaitable[None]]:
        from rota.house.handlers import HandlersBeside

        beside = HandlersBeside(self._apps)
        lobby = parts.lobby
        await beside.open(LocalDoor(lambda carrier, _: lobby.open(carrier, lobby.policy.own_token)).dial)
        return beside.close

    def _drains(self) -> None:
        self._readiness = "draining"

    def _build(self, keeper: Gatekeeper) -> tuple[Parts, NodeFacts]:
        settings = self._settings
        retention = Retention(settings.result_ttl, settings.failed_ttl)
        store = choose_store(settings.store_url, settings.durability, keep=retention)
        node_id = node_id_in(settings.data, settings.id)
        in_memory = settings.store_url == "memory:"
        facts = NodeFacts(
            node_id,
            VERSION,
            "embedded",
            settings.store_url,
            "none" if in_memory else settings.durability,
            str(settings.data.absolute()),
        )
        engine = EngineSettings(
            lease_ttl=settings.lease_ttl,
            closed_lease_ttl=settings.closed_lease_ttl,
            retention=retention,
            keep_succeeded=settings.keep_succeeded,
            keep_audit=settings.keep_audit,
            max_payload=settings.max_payload,
            max_queued=settings.max_queued,
        )
        books = Books.of(store)
        parts = Parts(
            store,
            settings=engine,
            policy=keeper.policy(books.tokens),
            books=books,
            facts=facts,
            heartbeat=settings.heartbeat / SECOND,
            hello_within=min(HELLO_WITHIN, settings.handshake_timeout / SECOND),
            log_quota=settings.log_bytes,
        )
        return parts, facts


async def serve_node(
    settings: NodeSettings,
    on_ready: Callable[[NodeInfo], None],
    apps: Sequence[Offers] = (),
) -> int:
    """Runs a node in this loop until TERM or INT; a second one ends it at once. Answers the exit code."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(number: int) -> None:
        if told.is_set():
            loop.call_soon(_stop_hard, number)
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, number)
    node = ServedNode(settings, apps)
    info = await node.open()
    if settings.token_file is not None or settings.tls_cert is not None:
        loop.add_signal_handler(signal.SIGHUP, node.renew)
    try:
        on_ready(info)
        await told.wait()
    finally:
        await node.close()
    return 0


def _stop_hard(number: int) -> None:
    """Safe: whatever was answered is in the store."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _client_auth(settings: NodeSettings) -> str:
    return settings.tls_client_auth if settings.tls_client_ca is not None else OFF


def _names(settings: NodeSettings) -> Names:
    files = TlsFiles.of(settings.tls_cert, settings.tls_key)
    certified = files.names if files is not None else ()
    return own_names(settings.host, settings.allowed_hosts, certified, behind_proxy=settings.behind_tls_proxy)


def _gate(settings: NodeSettings) -> Gate:
    limits = Limits(
        connections=room_for_connections(settings.max_connections),
        per_address=settings.max_connections_per_address,
        handshake_timeout=settings.handshake_timeout / SECOND,
        idle_timeout=settings.idle_timeout / SECOND,
    )
    return Gate(limits, SystemClock().monotonic, by_address=not settings.behind_tls_proxy)


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise RefusesToStart(
            f"the data folder {data} cannot be made: {error.strerror}; choose another with --data", code="bad_data_dir"
        ) from error
