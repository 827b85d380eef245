"""What /metrics tells of a node."""

from __future__ import annotations

from rota.telemetry.prometheus import Reading
from rota.transport.gate import Gate
from rota.transport.hall import Hall


def readings(lobby: Hall, gate: Gate | None = None) -> list[Reading]:
    """From memory alone: the store is not asked. `gate`: through which connections come in, where they are counted."""
    figures, facts = lobby.engine.live_counts(), lobby.facts
    clients = lobby.clients
    return [
        Reading("rota_node_info", "The node.", 1, (("version", facts.version), ("mode", facts.mode))),
        Reading("rota_node_started_seconds", "When the node started, since the epoch.", figures.started_at / 1e6),
        Reading("rota_tasks_unended", "Tasks that have not ended.", figures.unended),
        Reading("rota_workers", "Workers that are connected.", figures.workers),
        Reading("rota_clients", "Links that are not a worker's.", clients),
        Reading("rota_links", "Open links.", len(lobby)),
        Reading("rota_tasks_submitted_total", "Tasks accepted since the start.", figures.submitted),
        Reading("rota_tasks_finished_total", "Tasks ended since the start.", figures.finished),
        Reading("rota_tasks_failed_total", "Tasks ended as failed since the start.", figures.failed),
        Reading("rota_tasks_rescued_total", "Tasks rescued from lost workers since the start.", figures.rescued),
        Reading("rota_logins_failed_total", "Wrong tokens since the start.", lobby.policy.wrong_tokens),
        *(_of_gate(gate) if gate is not None else ()),
    ]


def _of_gate(gate: Gate) -> list[Reading]:
    return [
        Reading("rota_connections", "Open HTTP connections, links among them.", len(gate)),
        Reading("rota_connections_limit", "How many there may be.", gate.limits.connections),
        Reading("rota_connections_refused_total", "Connections refused since the start.", gate.refused),
    ]
