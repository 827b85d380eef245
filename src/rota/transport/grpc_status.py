"""How errors, and the ends of links, show in gRPC: a status, and details in the trailers that any client can read.

`rota-code` is the stable code as text. `grpc-status-details-bin` holds it again as `google.rpc.ErrorInfo.reason`, beside the
wrong places of the input and the time to come again.
"""

from __future__ import annotations

from typing import NamedTuple

import grpc
from google.protobuf.message import Message

from rota.link.codes import Close
from rota.model.errors import RotaError
from rota.wire.codec_refusal import look_of, write_refusal
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1 import status_pb2

DOMAIN = "rota"
CODE, DETAILS = "rota-code", "grpc-status-details-bin"
_TYPES = "type.googleapis.com/google.rpc."
_MOST_TEXT, _MOST_BYTES = 500, 2_500
"""Bytes of a sentence, and of all wrong places. Many clients take 8 KiB of trailers; the sentence travels twice, once with
three bytes in the place of one."""
ENDS = {
    Close.NORMAL: "OK",
    Close.GOING_AWAY: "UNAVAILABLE",
    Close.BROKEN_FRAME: "INVALID_ARGUMENT",
    Close.BAD_MESSAGE: "INVALID_ARGUMENT",
    Close.ABNORMAL: "UNAVAILABLE",
    Close.NOT_TEXT: "INVALID_ARGUMENT",
    Close.POLICY: "RESOURCE_EXHAUSTED",
    Close.TOO_BIG: "RESOURCE_EXHAUSTED",
    Close.INTERNAL: "INTERNAL",
    Close.BAD_FRAME: "FAILED_PRECONDITION",
    Close.NOT_AUTHENTICATED: "UNAUTHENTICATED",
    Close.FORBIDDEN: "PERMISSION_DENIED",
    Close.UNKNOWN_VERSION: "FAILED_PRECONDITION",
    Close.SILENT: "DEADLINE_EXCEEDED",
    Close.SUPERSEDED: "ABORTED",
    Close.WORKER_ID_TAKEN: "PERMISSION_DENIED",
    Close.FLOW: "RESOURCE_EXHAUSTED",
    Close.NOT_NOW: "UNAVAILABLE",
}


class End(NamedTuple):
    """How a call ends."""

    status: grpc.StatusCode
    text: str
    trailers: tuple[tuple[str, str | bytes], ...]


def end_of(error: BaseException) -> End:
    """The end of a call that failed. The text of what is not Rota's own error stays inside."""
    if isinstance(error, TimeoutError) and not isinstance(error, RotaError):
        return _end("DEADLINE_EXCEEDED", pb.Failure(code="deadline_exceeded", detail="the call took too long"))
    failure = pb.Failure()
    write_refusal(error, failure)
    return _end(look_of(error).grpc, failure)


def unknown_method(path: str) -> End:
    """The end of a call for what this node does not offer."""
    detail = f"this node does not offer {path[:200]}"
    return _end("UNIMPLEMENTED", pb.Failure(code="unknown_request", detail=detail))


def end_of_link(code: int, reason: str) -> End:
    """The end of a link's stream: the close code of a WebSocket, as a status. Its name stands in the trailers."""
    close = Close(code) if code in ENDS else Close.ABNORMAL
    return _end(ENDS[close], pb.Failure(code=close.name.lower(), detail=reason))


def unreadable(reason: str) -> End:
    """The end of a link that sent what is no frame."""
    return _end("INVALID_ARGUMENT", pb.Failure(code="invalid_message", detail=reason))


def _end(status_name: str, failure: pb.Failure) -> End:
    status = grpc.StatusCode[status_name]
    text = _cut(failure.detail)
    details = status_pb2.RpcStatus(code=status.value[0], message=text)
    _pack(details, "ErrorInfo", status_pb2.ErrorInfo(reason=failure.code, domain=DOMAIN))
    if failure.errors:
        _pack(details, "BadRequest", _wrong_places(failure))
    if failure.retry_after:
        seconds, rest = divmod(failure.retry_after, 1_000_000)
        delay = status_pb2.RetryInfo.Delay(seconds=seconds, nanos=rest * 1_000)
        _pack(details, "RetryInfo", status_pb2.RetryInfo(retry_delay=delay))
    return End(status, text, ((CODE, failure.code), (DETAILS, details.SerializeToString())))


def _wrong_places(failure: pb.Failure) -> status_pb2.BadRequest:
    """As many as there is room for."""
    found = status_pb2.BadRequest()
    for fault in failure.errors:
        found.field_violations.add(field=fault.path, description=_cut(fault.message), reason=fault.code)
        if found.ByteSize() > _MOST_BYTES:
            break
    return found


def _cut(text: str) -> str:
    return text.encode()[:_MOST_TEXT].decode("utf-8", "ignore")


def _pack(details: status_pb2.RpcStatus, kind: str, message: Message) -> None:
    details.details.add(type_url=_TYPES + kind, value=message.SerializeToString())
