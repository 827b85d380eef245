"""Which handler serves which frame."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rota.transport import access_requests, house_requests, log_requests, read_requests, task_requests
from rota.transport.caller import Caller
from rota.wire.v1.link_pb2 import Frame

Handler = Callable[[Caller, Any, int], Awaitable[Frame | None]]
"""(session, body, request number) → the answer; None: it has been sent, or will be."""

CALLS: dict[str, Handler] = {
    "submit": task_requests.submit,
    "wait": task_requests.wait,
    "cancel": task_requests.cancel,
    "retry": task_requests.retry,
    "delete": task_requests.delete,
    "bulk": task_requests.bulk,
    "get": read_requests.get,
    "list": read_requests.find,
    "read_stats": read_requests.read_stats,
    "list_workers": read_requests.list_workers,
    "list_methods": read_requests.list_methods,
    "read_logs": log_requests.read_logs,
    "why": house_requests.why,
    "read_batch": house_requests.read_batch,
    "list_groups": house_requests.list_groups,
    "list_controls": house_requests.list_controls,
    "set_control": house_requests.set_control,
    "worker_command": house_requests.command_worker,
    "read_series": house_requests.read_series,
    "list_tokens": access_requests.list_tokens,
    "create_token": access_requests.create_token,
    "rotate_token": access_requests.rotate_token,
    "revoke_token": access_requests.revoke_token,
    "read_audit": access_requests.read_audit,
}
