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
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1 import tasks_pb2, workers_pb2

TASKS = tasks_pb2.DESCRIPTOR.services_by_name["Tasks"].full_name
WORKERS = workers_pb2.DESCRIPTOR.services_by_name["Workers"].full_name
EVERYBODY: frozenset[str] = frozenset()


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
        f"/{TASKS}/Submit": One(pb.Submit, call, grpc_tasks.submit),
        f"/{TASKS}/Execute": One(tasks_pb2.Execute, call, grpc_tasks.execute, patient=True),
        f"/{TASKS}/Cancel": One(pb.Cancel, PERMITS["cancel"], answer_to("cancel", "outcomes")),
        f"/{TASKS}/Retry": One(pb.Retry, PERMITS["retry"], answer_to("retry", "outcomes")),
        f"/{TASKS}/Get": One(pb.Get, read, answer_to("get", "tasks")),
        f"/{TASKS}/List": One(pb.List, PERMITS["list"], answer_to("list", "tasks")),
        f"/{TASKS}/Wait": Many(pb.Wait, PERMITS["wait"], grpc_tasks.wait),
        f"/{TASKS}/Logs": Many(pb.ReadLogs, PERMITS["read_logs"], grpc_tasks.logs),
        f"/{TASKS}/Stats": One(pb.ReadStats, PERMITS["read_stats"], answer_to("read_stats", "stats")),
        f"/{TASKS}/Methods": One(pb.ListMethods, PERMITS["list_methods"], answer_to("list_methods", "methods")),
        f"/{WORKERS}/Link": Link(PERMITS["register"]),
        f"/{WORKERS}/List": One(pb.ListWorkers, PERMITS["list_workers"], answer_to("list_workers", "workers")),
        f"/{HEALTH}/Check": One(HealthCheckRequest, EVERYBODY, health.check),
        f"/{HEALTH}/Watch": Many(HealthCheckRequest, ALL_ROLES, health.watch),
    }
    if reflection is not None:
        talk = Talk(ServerReflectionRequest, read, reflection.answer)
        found |= {f"/{name}/ServerReflectionInfo": talk for name in REFLECTION}
    return found
