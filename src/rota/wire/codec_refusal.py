"""Errors of the model and their looks outside: one table of code, class, HTTP status and gRPC status.

A refusal travels as its code and its sentence; the class is found again by the code. A code that is not in the table
(from a newer node) is InvalidInput where it names wrong places, and a plain RotaError otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

from rota.model.errors import (
    CannotConnect,
    Conflict,
    Fault,
    Forbidden,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    Overloaded,
    RotaError,
    Unavailable,
)
from rota.wire.v1 import link_pb2 as pb


class Look(NamedTuple):
    """How a kind of error shows."""

    kind: type[RotaError]
    http: int
    grpc: str
    retry_after: int = 0
    """Microseconds after which it may be tried again; 0: not said."""


_SECOND = 1_000_000
_LOOKS = (
    Look(InvalidInput, 422, "INVALID_ARGUMENT"),
    Look(NotFound, 404, "NOT_FOUND"),
    Look(Conflict, 409, "FAILED_PRECONDITION"),
    Look(Overloaded, 429, "RESOURCE_EXHAUSTED", _SECOND),
    Look(CannotConnect, 503, "UNAVAILABLE", _SECOND),
    Look(Unavailable, 503, "UNAVAILABLE", _SECOND),
    Look(NotAuthenticated, 401, "UNAUTHENTICATED"),
    Look(Forbidden, 403, "PERMISSION_DENIED"),
    Look(RotaError, 500, "INTERNAL"),
)
_CODES: dict[type[RotaError], str] = {
    InvalidInput: "invalid_input invalid_task invalid_method invalid_facts out_of_range unknown_request invalid_message "
    "frame_too_large not_json duplicate_key",
    NotFound: "not_found task_not_found worker_not_found method_not_found page_not_found unknown_service parent_not_found "
    "batch_not_found token_not_found group_not_found",
    Conflict: "conflict batch_refused already_finished not_finished stale_attempt worker_id_taken not_registered busy id_reused "
    "idempotency_key_reused unique_key_taken name_taken token_revoked",
    Overloaded: "overloaded queue_full too_many_requests too_many_follows too_many_logins too_many_connections "
    "answer_too_large too_many_readers",
    Unavailable: "unavailable store_unavailable store_full backup_failed outcome_unknown starting draining not_audited",
    CannotConnect: "cannot_connect",
    NotAuthenticated: "not_authenticated",
    Forbidden: "forbidden foreign_origin",
}
KINDS: dict[str, type[RotaError]] = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
"""The class behind each code that is not raised with the wrong places of an input."""
_HTTP = {"store_full": 507, "too_many_connections": 503, "method_not_allowed": 405}


def look_of(error: BaseException) -> Look:
    """How an error shows; what is not Rota's is an internal error."""
    found = next((look for look in _LOOKS if isinstance(error, look.kind)), _LOOKS[-1])
    status = _HTTP.get(getattr(error, "code", ""))
    wait = getattr(error, "retry_after", 0)
    return found._replace(http=status or found.http, retry_after=wait or found.retry_after)


def write_refusal(error: BaseException, message: pb.Failure) -> None:
    """The text of an error that is not Rota's own stays inside."""
    if not isinstance(error, RotaError):
        message.code, message.detail = "internal", "the node failed at this; its log says why"
        return
    message.code = error.code
    message.detail = error.detail.encode("utf-8", "replace").decode()
    message.retry_after = look_of(error).retry_after
    for fault in error.errors[:100]:
        message.errors.add(path=fault.path, code=fault.code, message=fault.message)


def read_refusal(message: pb.Failure) -> RotaError:
    faults = tuple(Fault(fault.path, fault.code, fault.message) for fault in message.errors)
    kind = KINDS.get(message.code) or (InvalidInput if faults else RotaError)
    return kind(message.detail or message.code, code=message.code or None, errors=faults)
