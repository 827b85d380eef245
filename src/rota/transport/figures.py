"""What /metrics tells of a node. Names are told to operators (docs/telemetry.md): one that changes breaks their alerts."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from rota.access.certificate import not_after, read_certificate
from rota.engine.gauges import Figures
from rota.engine.vitals import Vitals
from rota.model.task import State
from rota.telemetry.loop_lag import LoopLag
from rota.telemetry.prometheus import Exporter
from rota.telemetry.reading import Reading
from rota.telemetry.requests import RequestCounts
from rota.telemetry.series import Names
from rota.transport.gate import Gate
from rota.transport.hall import Hall

SECOND = 1e6
NO_GROUP = ""
"""The label of tasks without a group; a group's own name is never empty."""


class Metrics:
    """Made by the house. A door counts its requests in `requests`.

    `gate`: through which connections come in, where they are counted. `lag`: the watch over the node's loop. `tls_cert`: the
    node's certificate, where it speaks TLS.
    """

    def __init__(
        self, lobby: Hall, gate: Gate | None = None, lag: LoopLag | None = None, tls_cert: Path | None = None
    ) -> None:
        self.requests = RequestCounts()
        self._lobby, self._gate, self._lag, self._tls_cert = lobby, gate, lag, tls_cert
        self._exporter = Exporter()
        self._groups = Names()

    async def text(self) -> bytes:
        """The exposition. Answers within seconds also while the store does not."""
        vitals = await self._lobby.engine.vitals()
        return self._exporter.text(self.readings(vitals))

    def readings(self, vitals: Vitals) -> list[Reading]:
        """All of them, in groups as people look for them."""
        figures = self._lobby.engine.live_counts()
        return [
            *self._node(figures),
            *_tasks(figures, vitals.tasks),
            *_durations(vitals),
            *self._lateness(vitals),
            *_workers(vitals),
            *_store(vitals),
            *self._doors(),
            *(_gate(self._gate) if self._gate is not None else ()),
            *(_loop(self._lag) if self._lag is not None else ()),
            *(_certificate(self._tls_cert) if self._tls_cert is not None else ()),
            *self.requests.readings(),
        ]

    def _node(self, figures: Figures) -> list[Reading]:
        facts = self._lobby.facts
        build = (("version", facts.version), ("python", platform.python_version()))
        node = (("node_id", facts.node_id), ("mode", facts.mode), ("durability", facts.durability))
        return [
            Reading("rota_build_info", "The program: its version and Python's.", 1, build),
            Reading("rota_node_info", "The node.", 1, node),
            Reading(
                "rota_node_start_time_seconds", "When the node started, since the epoch.", figures.started_at / SECOND
            ),
            Reading("rota_open_mode", "1: whoever reaches the node may do everything.", self._lobby.policy.open_mode),
        ]

    def _lateness(self, vitals: Vitals) -> list[Reading]:
        oldest: dict[str, int] = {}
        for group, age in vitals.oldest_ready.items():
            label = NO_GROUP if group is None else self._groups.label(group)
            oldest[label] = max(oldest.get(label, 0), age)
        ages = [
            Reading(
                "rota_ready_oldest_seconds",
                "How long the task that is next, and has waited longest, has been ready; by group.",
                age / SECOND,
                (("group", group),),
            )
            for group, age in oldest.items()
        ]
        return [
            *ages,
            Reading(
                "rota_overdue_seconds",
                "How late the earliest due start, lapse of a lease or expiry is; 0 where nothing is.",
                vitals.overdue / SECOND,
            ),
            Reading(
                "rota_leases_overdue",
                "Leases that have lapsed and whose tasks are not rescued yet; 500 stands for more.",
                vitals.leases_overdue,
            ),
            Reading(
                "rota_caretaker_success_timestamp_seconds",
                "When the caretaker last went round without a fault, since the epoch; it rests while nothing is due.",
                vitals.caretaker_at / SECOND,
            ),
        ]

    def _doors(self) -> list[Reading]:
        lobby = self._lobby
        return [
            Reading("rota_clients", "Links that are not a worker's.", lobby.clients),
            Reading("rota_links", "Open links.", len(lobby)),
            Reading("rota_logins_failed_total", "Wrong tokens since the start.", lobby.policy.wrong_tokens),
        ]


def _tasks(figures: Figures, by_state: Mapping[State, int]) -> Iterable[Reading]:
    held = [
        Reading("rota_tasks", "Tasks in the store, by state.", by_state.get(state, 0), (("state", state.name.lower()),))
        for state in (State if by_state else ())
    ]
    return [
        *held,
        Reading("rota_tasks_unended", "Tasks that have not ended.", figures.unended),
        Reading("rota_tasks_submitted_total", "Tasks accepted since the start.", figures.submitted),
        Reading("rota_tasks_finished_total", "Tasks ended since the start, failed ones included.", figures.finished),
        Reading("rota_tasks_failed_total", "Tasks ended as failed since the start.", figures.failed),
        Reading("rota_tasks_rescued_total", "Tasks rescued from lost workers since the start.", figures.rescued),
    ]


def _durations(vitals: Vitals) -> Iterable[Reading]:
    if vitals.wait_seconds is not None and vitals.run_seconds is not None:
        yield Reading("rota_task_wait_seconds", "From ready until a worker was given the task.", vitals.wait_seconds)
        yield Reading(
            "rota_task_run_seconds", "From the start of the last try until the task ended.", vitals.run_seconds
        )


def _workers(vitals: Vitals) -> Iterable[Reading]:
    return [
        Reading("rota_workers", "Workers that are connected.", vitals.workers),
        Reading("rota_workers_draining", "Of them, those that take nothing new.", vitals.draining),
        Reading("rota_slots", "Handlers that the connected workers run at once.", vitals.slots),
        Reading("rota_slots_busy", "Handlers that run now.", vitals.running),
        Reading("rota_tasks_leased", "Tasks in the hands of workers, running or given ahead.", vitals.leased),
    ]


def _store(vitals: Vitals) -> Iterable[Reading]:
    yield Reading("rota_store_up", "1: the store answers, and its last write went well.", vitals.store_up)
    if vitals.commit_seconds is not None:
        yield Reading(
            "rota_store_commit_seconds", "How long a commit of the store took, all in it.", vitals.commit_seconds
        )


def _gate(gate: Gate) -> Iterable[Reading]:
    return [
        Reading("rota_connections", "Open HTTP connections, links among them.", len(gate)),
        Reading("rota_connections_limit", "How many there may be.", gate.limits.connections),
        Reading("rota_connections_refused_total", "Connections refused since the start.", gate.refused),
    ]


def _certificate(path: Path) -> Iterable[Reading]:
    """Of the file: what was renewed is in use once the node was told so."""
    try:
        end = not_after(read_certificate(path)).timestamp()
    except (OSError, ValueError, IndexError):
        return
    yield Reading(
        "rota_tls_certificate_expiry_timestamp_seconds", "When the node's certificate expires, since the epoch.", end
    )


def _loop(lag: LoopLag) -> Iterable[Reading]:
    yield Reading("rota_event_loop_lag_seconds", "How late the node's loop came to what was due.", lag.seconds)
