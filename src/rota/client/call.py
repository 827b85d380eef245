"""What is to be submitted: a method, its params, and what is said of it. Checked where it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from rota.client.payload import encode
from rota.client.said import Said, read_after, read_options
from rota.client.task_id import new_id
from rota.model.errors import InvalidInput
from rota.model.method import NO_OPTIONS, Options
from rota.model.record import record
from rota.telemetry import tracing
from rota.wire.codec_options import write_options
from rota.wire.v1 import link_pb2 as pb


@record
class Call:
    """Made by `call()`; may be submitted any number of times, each time as a new task."""

    method: str
    params: bytes
    """JSON."""
    options: pb.Options | None = None
    version: int = 0
    idempotency_key: str = ""
    labels: Mapping[str, str] | None = None
    target: str = ""
    after: tuple[bytes, ...] = ()
    on_parent_failure: str = ""
    batch: str = ""

    def new(self) -> pb.NewTask:
        """A task with an id of its own. Raises InvalidInput for a text that the wire cannot carry."""
        made = self._made()
        if (tracer := tracing.tracer) is not None:
            named = {"messaging.system": "rota", "messaging.destination.name": self.method}
            with tracer.span(f"submit {self.method}", "producer", attributes=named) as made.trace:
                pass
        return made

    def _made(self) -> pb.NewTask:
        try:
            said = self.version or self.idempotency_key or self.labels or self.target or self.after or self.batch
            if self.options is None and not said:
                return pb.NewTask(id=new_id(), method=self.method, params=self.params)
            return pb.NewTask(
                id=new_id(),
                method=self.method,
                params=self.params,
                options=self.options,
                version=self.version,
                idempotency_key=self.idempotency_key,
                labels=self.labels,
                target=self.target,
                after=self.after,
                on_parent_failure=self.on_parent_failure,
                batch=self.batch,
            )
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"the task cannot be sent: {error}", code="invalid_task") from error


def call(method: str, params: Any = None, **said: Unpack[Said]) -> Call:
    """A call of `method` (`add`, or `add@2` for version 2) with any JSON value.

    Raises TypeError for params that cannot travel and for what is no option.
    """
    if not said and "@" not in method:
        return Call(method, encode(params, method=method))
    rest: dict[str, Any] = dict(said)
    name, at, pinned = method.partition("@")
    version = rest.pop("version", None)
    return Call(
        name,
        encode(params, method=name),
        version=(_pinned(method, pinned, version) if at else version) or 0,
        idempotency_key=rest.pop("idempotency_key", None) or "",
        labels=rest.pop("labels", None),
        target=rest.pop("target", None) or "",
        after=read_after(rest.pop("after", None)),
        on_parent_failure=rest.pop("on_parent_failure", None) or "",
        batch=rest.pop("batch", None) or "",
        options=to_wire(read_options(rest)),
    )


def to_wire(options: Options) -> pb.Options | None:
    """None where nothing is said. Raises InvalidInput for a value out of the wire's range."""
    if options is NO_OPTIONS:
        return None
    message = pb.Options()
    write_options(options, message, "")
    return message


AnyCall = Call | tuple[str, Any] | tuple[str, Any, Mapping[str, Any]]


def as_calls(calls: Iterable[AnyCall]) -> Iterable[Call]:
    """Calls, or tuples of a method, its params, and perhaps a dict of options."""
    for each in calls:
        if isinstance(each, Call):
            yield each
        elif len(each) == 2:
            yield call(each[0], each[1])
        else:
            yield call(each[0], each[1], **each[2])


def _pinned(method: str, pinned: str, version: int | None) -> int:
    if not pinned.isascii() or not pinned.isdigit() or int(pinned) < 1 or version not in (None, int(pinned)):
        raise InvalidInput.at(
            "method", "invalid_name", f"{method!r}: '@' pins a version, a whole number, as in 'add@2'"
        )
    return int(pinned)
