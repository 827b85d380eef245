"""Which handler serves which frame."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rota.transport import log_requests, read_requests, task_requests
from rota.transport.caller import Caller
from rota.wire.v1.link_pb2 import Frame

Handler = Callable[[Caller, Any, int], Awaitable[Frame | None]]
"""(session, body, request number) → the answer; None: it has been sent, or will be."""

CALLS: dict[str, Handler] = {
    "submit": task_requests.submit,
    "wait": task_requests.wait,
    "cancel": task_requests.cancel,
    "retry": task_requests.retry,
    "get": read_requests.get,
    "list": read_requests.find,
    "read_stats": read_requests.read_stats,
    "list_workers": read_requests.list_workers,
    "list_methods": read_requests.list_methods,
    "read_logs": log_requests.read_logs,
}
