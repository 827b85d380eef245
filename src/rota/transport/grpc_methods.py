"""Every method of the gRPC door: what it takes, who may call it, and what serves it. What is not here nobody may call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from rota.access.roles import ALL_ROLES
from rota.transport import grpc_tasks
from rota.transport.call import Call
from rota.transport.grpc_health import NAME as HEALTH
from rota.transport.grpc_health import Health
from rota.transport.grpc_reflection import NAMES as REFLECTION
from rota.transport.grpc_reflection import Reflection
from rota.transport.grpc_tasks import Write, answer_to
from rota.transport.permits import PERMITS
from rota.wire.v1 import admin_pb2, nodes_pb2, tasks_pb2, workers_pb2
from rota.wire.v1 import house_pb2 as house
from rota.wire.v1 import link_pb2 as pb

TASKS = tasks_pb2.DESCRIPTOR.services_by_name["Tasks"].full_name
WORKERS = workers_pb2.DESCRIPTOR.services_by_name["Workers"].full_name
ADMIN = admin_pb2.DESCRIPTOR.services_by_name["Admin"].full_name
NODES = nodes_pb2.DESCRIPTOR.services_by_name["Nodes"].full_name
SERVICES = frozenset({TASKS, WORKERS, ADMIN, NODES})
EVERYBODY: frozenset[str] = frozenset()

_ASKED: dict[str, tuple[type[Message], str, str]] = {
    f"/{TASKS}/Cancel": (pb.Cancel, "cancel", "outcomes"),
    f"/{TASKS}/Retry": (pb.Retry, "retry", "outcomes"),
    f"/{TASKS}/Delete": (house.Delete, "delete", "outcomes"),
    f"/{TASKS}/Bulk": (house.Bulk, "bulk", "bulked"),
    f"/{TASKS}/Get": (pb.Get, "get", "tasks"),
    f"/{TASKS}/List": (pb.List, "list", "tasks"),
    f"/{TASKS}/Why": (house.Why, "why", "explanation"),
    f"/{TASKS}/Batch": (house.ReadBatch, "read_batch", "batch"),
    f"/{TASKS}/Stats": (pb.ReadStats, "read_stats", "stats"),
    f"/{TASKS}/Methods": (pb.ListMethods, "list_methods", "methods"),
    f"/{WORKERS}/List": (pb.ListWorkers, "list_workers", "workers"),
    f"/{ADMIN}/Groups": (house.ListGroups, "list_groups", "groups"),
    f"/{ADMIN}/Controls": (house.ListControls, "list_controls", "controls"),
    f"/{ADMIN}/SetControl": (house.SetControl, "set_control", "control"),
    f"/{ADMIN}/CommandWorker": (house.WorkerCommand, "worker_command", "done"),
    f"/{ADMIN}/Tokens": (house.ListTokens, "list_tokens", "tokens"),
    f"/{ADMIN}/CreateToken": (house.CreateToken, "create_token", "new_token"),
    f"/{ADMIN}/RotateToken": (house.RotateToken, "rotate_token", "new_token"),
    f"/{ADMIN}/RevokeToken": (house.RevokeToken, "revoke_token", "token"),
    f"/{ADMIN}/Audit": (house.ReadAudit, "read_audit", "audit_lines"),
    f"/{NODES}/Stats": (pb.ReadStats, "read_stats", "stats"),
    f"/{NODES}/Series": (house.ReadSeries, "read_series", "series"),
}
"""Calls that are one request of the link: the message, the frame it is, and the frame of its answer."""


class One(NamedTuple):
    """One message in, one out. `patient`: it waits for tasks, and no deadline is set for its caller."""

    takes: type[Message]
    roles: frozenset[str]
    serve: Callable[[Call, Any], Awaitable[Message]]
    patient: bool = False


class Many(NamedTuple):
    """One message in, any number out."""

    takes: type[Message]
    roles: frozenset[str]
    serve: Callable[[Call, Any, Write], Awaitable[None]]


class Talk(NamedTuple):
    """Each message in is answered by one."""

    takes: type[Message]
    roles: frozenset[str]
    answer: Callable[[Any], Message]


class Link(NamedTuple):
    """The link's own frames, both ways."""

    roles: frozenset[str]


Method = One | Many | Talk | Link


def methods(health: Health, reflection: Reflection | None) -> dict[str, Method]:
    """By path. Who may send a frame over a link may make the call that is like it."""
    read, call = PERMITS["get"], PERMITS["submit"]
    found: dict[str, Method] = {
        **{
            path: One(takes, PERMITS[kind], answer_to(kind, answered))
            for path, (takes, kind, answered) in _ASKED.items()
        },
        f"/{TASKS}/Submit": One(pb.Submit, call, grpc_tasks.submit),
        f"/{TASKS}/Execute": One(tasks_pb2.Execute, call, grpc_tasks.execute, patient=True),
        f"/{TASKS}/Wait": Many(pb.Wait, PERMITS["wait"], grpc_tasks.wait),
        f"/{TASKS}/Logs": Many(pb.ReadLogs, PERMITS["read_logs"], grpc_tasks.logs),
        f"/{WORKERS}/Link": Link(PERMITS["register"]),
        f"/{HEALTH}/Check": One(HealthCheckRequest, EVERYBODY, health.check),
        f"/{HEALTH}/Watch": Many(HealthCheckRequest, ALL_ROLES, health.watch),
    }
    if reflection is not None:
        talk = Talk(ServerReflectionRequest, read, reflection.answer)
        found |= {f"/{name}/ServerReflectionInfo": talk for name in REFLECTION}
    return found
