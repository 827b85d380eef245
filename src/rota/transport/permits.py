"""Who may send what: one table for every frame of the link. What is not in it, nobody may send."""

from __future__ import annotations

from rota.access.roles import Role
from rota.link.node_end import FROM_NODE

_ADMIN = frozenset({Role.ADMIN})
_ALL = _ADMIN | {Role.OPERATOR}
_CALL = _ALL | {Role.CLIENT}
_READ = _CALL | {Role.VIEWER}
_WORK = _ALL | {Role.WORKER, Role.NODE}

PERMITS: dict[str, frozenset[str]] = {
    "submit": _CALL,
    "cancel": _CALL,
    "retry": _CALL,
    "get": _READ,
    "list": _READ,
    "wait": _READ,
    "unwait": _READ,
    "read_logs": _READ,
    "read_stats": _READ,
    "list_workers": _READ,
    "list_methods": _READ,
    "why": _READ,
    "read_batch": _READ,
    "list_groups": _READ,
    "list_controls": _READ,
    "read_series": _READ,
    "delete": _ALL,
    "bulk": _ALL,
    "set_control": _ALL,
    "worker_command": _ALL,
    "list_tokens": _ADMIN,
    "create_token": _ADMIN,
    "rotate_token": _ADMIN,
    "revoke_token": _ADMIN,
    "read_audit": _ADMIN,
    "register": _WORK,
    "started": _WORK,
    "finish": _WORK,
    "release": _WORK,
    "heartbeat": _WORK,
    "report": _WORK,
    **dict.fromkeys(FROM_NODE, frozenset()),
}
