"""Workers: what they say of themselves and their load, and how a node lists them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rota.model.errors import InvalidInput
from rota.model.method import Method
from rota.model.names import check_name
from rota.model.worker import Facts, Load, WorkerRecord
from rota.wire.codec_options import read_method
from rota.wire.v1 import link_pb2 as pb

MAX_SLOTS, MAX_WEIGHT, MAX_METHODS, MAX_GROUPS, MAX_LABELS = 100_000, 1_000, 10_000, 256, 32
MAX_TEXT = 512
"""Characters of a free text about a worker; more is cut."""
_LARGEST = 2**63 - 1


def read_facts(message: pb.WorkerFacts, path: str = "facts") -> Facts:
    """Raises InvalidInput for bad names, and for numbers out of their limits."""
    _within(message.slots, 1, MAX_SLOTS, f"{path}.slots")
    _within(message.weight or 1, 1, MAX_WEIGHT, f"{path}.weight")
    _within(len(message.groups), 0, MAX_GROUPS, f"{path}.groups")
    _within(len(message.labels), 0, MAX_LABELS, f"{path}.labels")
    return Facts(
        id=check_name(message.id, f"{path}.id"),
        name=message.name[:MAX_TEXT],
        application=message.application[:MAX_TEXT],
        host=message.host[:MAX_TEXT],
        ip=message.ip[:MAX_TEXT],
        pid=message.pid,
        os=message.os[:MAX_TEXT],
        language=message.language[:MAX_TEXT],
        sdk=message.sdk[:MAX_TEXT],
        cpu_count=message.cpu_count,
        memory_bytes=min(message.memory_bytes, _LARGEST),
        weight=message.weight or 1,
        labels=tuple(sorted((check_name(k, f"{path}.labels"), v[:MAX_TEXT]) for k, v in message.labels.items())),
        groups=tuple(check_name(group, f"{path}.groups[{place}]") for place, group in enumerate(message.groups)),
        slots=message.slots,
    )


def write_facts(facts: Facts, message: pb.WorkerFacts) -> None:
    try:
        for name in _PLAIN_FACTS:
            setattr(message, name, getattr(facts, name))
        message.labels.update(facts.labels)
        message.groups.extend(facts.groups)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the worker's facts cannot be sent: {error}", code="invalid_facts") from error


_PLAIN_FACTS = tuple(name for name in pb.WorkerFacts.DESCRIPTOR.fields_by_name if name not in ("labels", "groups"))


def read_methods(messages: Sequence[pb.Method], path: str = "methods") -> list[Method]:
    """Raises InvalidInput for a bad one, for one that is there twice, and for too many."""
    _within(len(messages), 0, MAX_METHODS, path)
    methods = [read_method(message, f"{path}[{place}]") for place, message in enumerate(messages)]
    if len({(method.name, method.version) for method in methods}) < len(methods):
        raise InvalidInput.at(path, "method_twice", "the same method is there twice in the same version")
    return methods


def read_load(message: pb.Load) -> Load:
    """Shares and rates that are no numbers count as 0."""
    return Load(
        _finite(message.cpu),
        min(message.memory_bytes, _LARGEST),
        _finite(message.network_in),
        _finite(message.network_out),
        min(message.disk_used_bytes, _LARGEST),
        min(message.disk_total_bytes, _LARGEST),
    )


def write_load(load: Load, message: pb.Load) -> None:
    message.cpu = load.cpu
    message.memory_bytes = load.memory_bytes
    message.network_in = load.network_in
    message.network_out = load.network_out
    message.disk_used_bytes = load.disk_used_bytes
    message.disk_total_bytes = load.disk_total_bytes


def write_worker(worker: WorkerRecord, view: pb.WorkerView) -> None:
    write_facts(worker.facts, view.facts)
    write_load(worker.load, view.load)
    view.online = worker.online
    view.registered_at = worker.registered_at
    view.seen_at = worker.seen_at
    view.gone_at = worker.gone_at or 0
    view.gone_reason = worker.gone_reason
    view.in_hand = worker.in_hand
    view.running = worker.running
    view.finished = worker.finished
    view.draining = worker.draining
    view.methods.extend(versioned(method) for method in worker.methods)


def versioned(method: Method) -> str:
    """`add`, or `add@2` from the second version on."""
    return method.name if method.version == 1 else f"{method.name}@{method.version}"


def _within(value: int, low: int, high: int, path: str) -> None:
    if not low <= value <= high:
        raise InvalidInput.at(path, "out_of_range", f"{value} is not from {low} to {high}")


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
