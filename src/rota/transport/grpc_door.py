"""The gRPC door: every call comes through here. It is let in, read, served, and ended with a status that says why.

The library loses memory where a cancelled handler answers all the same, and where a read or a write is cancelled under way
(grpc/grpc#43360). So handlers let the cancellation pass, and reads and writes are shielded from it: they end with the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError, Message

from rota.access.grant import NOBODY, Grant
from rota.access.source import source_of
from rota.link.channel import MAX_FRAME
from rota.link.codes import Close
from rota.model.errors import InvalidInput, NotAuthenticated, Overloaded, RotaError, Unavailable
from rota.telemetry import request_id
from rota.transport.call import Call
from rota.transport.grpc_health import NAME as HEALTH
from rota.transport.grpc_health import Health
from rota.transport.grpc_link import Context, serve_link
from rota.transport.grpc_methods import SERVICES, Link, Many, Method, One, Talk, methods
from rota.transport.grpc_reflection import Reflection
from rota.transport.grpc_status import End, end_of, unknown_method
from rota.transport.hall import NOT_SERVING
from rota.transport.lobby import Lobby
from rota.transport.verbs import Verbs

UNARY_WITHIN = 30.0
"""Seconds for a call that answers at once, where its caller sets no deadline."""
MESSAGE_WITHIN = 10.0
"""Seconds in which a call's message comes, once the call is there."""
_HEAD_ROOM = 64 * 1024
_logger = logging.getLogger("rota.transport")


class GrpcDoor(grpc.GenericRpcHandler):
    """`readiness` and `behind_proxy` as for `HttpApp`. `drain` ends what waits for tasks; what writes comes to its end."""

    def __init__(
        self, lobby: Lobby, readiness: Callable[[], str], *, behind_proxy: bool = False, reflection: bool = False
    ) -> None:
        self._lobby, self._readiness, self._behind_proxy = lobby, readiness, behind_proxy
        self.methods = methods(Health(readiness, SERVICES), Reflection({*SERVICES, HEALTH}) if reflection else None)
        self._handlers = {path: self._handler(path, method) for path, method in self.methods.items()}
        self._waiting: set[asyncio.Task[Any]] = set()
        self._drained = False

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """gRPC asks who serves a call. What nobody does is answered here as well, after the caller was let in."""
        path = handler_call_details.method
        return self._handlers.get(path) or grpc.stream_stream_rpc_method_handler(self._unknown(path))

    def drain(self) -> None:
        """Ends every call that waits: its caller is told to come again, here or elsewhere."""
        self._drained = True
        for task in self._waiting:
            task.cancel()

    # --- the shapes of calls

    # Every call is served as one that streams its messages in. On the wire there is no difference; but the library reads the
    # one message of other calls before it asks us, and who never sends it could take up all the room there is for calls.

    def _handler(self, path: str, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        match method:
            case One():
                return grpc.stream_unary_rpc_method_handler(self._one(path, method))
            case Many():
                return grpc.stream_stream_rpc_method_handler(self._many(path, method))
            case Talk():
                return grpc.stream_stream_rpc_method_handler(self._talk(path, method))
            case Link():
                return grpc.stream_stream_rpc_method_handler(self._link(path, method))

    def _one(self, path: str, method: One) -> Any:
        async def serve(_: object, context: Context) -> bytes:
            async def answer() -> bytes:
                verbs = self._let_in(path, method.roles, context)
                body = _read(method.takes, await _only_message(context))
                with self._watched(verbs) if method.patient else contextlib.nullcontext():
                    async with asyncio.timeout(_time_for(method, context)), Call(self._lobby, verbs) as call:
                        return _written(await method.serve(call, body))

            return await self._ended(context, answer(), waits=method.patient)

        return serve

    def _many(self, path: str, method: Many) -> Any:
        async def serve(_: object, context: Context) -> None:
            async def write(message: Message) -> None:
                await asyncio.shield(context.write(_written(message)))

            async def answer() -> None:
                verbs = self._let_in(path, method.roles, context)
                body = _read(method.takes, await _only_message(context))
                with self._watched(verbs):
                    async with Call(self._lobby, verbs) as call:
                        await method.serve(call, body, write)

            await self._ended(context, answer(), waits=True)

        return serve

    def _talk(self, path: str, method: Talk) -> Any:
        async def serve(_: object, context: Context) -> None:
            async def answer() -> None:
                self._let_in(path, method.roles, context)
                while (data := await context.read()) is not grpc.aio.EOF:
                    await context.write(_written(method.answer(_read(method.takes, data))))

            await self._ended(context, answer(), waits=True)

        return serve

    def _link(self, path: str, method: Link) -> Any:
        async def serve(_: object, context: Context) -> None:
            async def answer() -> End:
                self._let_in(path, method.roles, context)
                token, source, certificate = _token(context), self._source(context), _certificate(context)
                return await serve_link(context, lambda carrier: self._lobby.open(carrier, token, source, certificate))

            end = await self._ended(context, answer(), waits=False)
            if end.status is not grpc.StatusCode.OK:
                await _abort(context, end)

        return serve

    @contextlib.contextmanager
    def _watched(self, verbs: Verbs) -> Iterator[None]:
        """A call that goes on ends when its token holds no longer (raises NotAuthenticated), or the links do (Unavailable)."""
        task = asyncio.current_task()
        guest = _Stream(verbs.grant, task)
        if verbs.grant is not NOBODY:
            self._lobby.enter(guest)
        try:
            yield
        except asyncio.CancelledError:
            if guest.refusal is None or task is None:
                raise
            task.uncancel()
            raise guest.refusal from None
        finally:
            self._lobby.left(guest)

    def _unknown(self, path: str) -> Any:
        async def serve(_: object, context: Context) -> None:
            async def answer() -> None:
                self._let_in(path, None, context)

            await self._ended(context, answer(), waits=False)
            await _abort(context, unknown_method(path))

        return serve

    # --- what all have in common

    def _let_in(self, path: str, roles: frozenset[str] | None, context: Context) -> Verbs:
        """What the caller may ask. `roles`: one of them is needed; none: open to everybody; None: any token will do."""
        source, grant = self._source(context), NOBODY
        if roles is None or roles:
            grant = self._lobby.policy.admit(_token(context), source, _certificate(context))
        verbs = self._lobby.verbs(grant, "grpc", source)
        if roles:
            verbs.check_role(roles, path)
        if (reason := self._readiness()) in NOT_SERVING and not path.startswith(f"/{HEALTH}/"):
            raise _not_now(reason)
        return verbs

    def _source(self, context: Context) -> str:
        """Whom a bad token counts for. A proxy's address is everybody's, and so nobody's."""
        return "" if self._behind_proxy else _address(context.peer())

    async def _ended(self, context: Context, work: Coroutine[Any, Any, Any], *, waits: bool) -> Any:
        """What the work answers, or the end of the call for what it raised."""
        task = asyncio.current_task()
        if waits and task is not None:
            self._waiting.add(task)
        request_id.begin(_request_id(context))  # a call is a task of its own, and its end is the id's
        try:
            return await work
        except asyncio.CancelledError:
            if not (self._drained and waits) or context.cancelled():
                raise
            error: BaseException = _not_now("draining")
        except Exception as fault:
            error = fault
        finally:
            if task is not None:
                self._waiting.discard(task)
        return await _abort(context, _told(error))


class _Stream:
    """Implements `hall.Guest` for a call that goes on."""

    is_client = False

    def __init__(self, grant: Grant, task: asyncio.Task[Any] | None) -> None:
        self.grant: Grant | None = grant
        self.under_way: set[asyncio.Task[None]] = set()
        self._task = task
        self.refusal: RotaError | None = None

    def tick(self) -> None:
        """The library sees to who does not read."""

    def wind_down(self) -> None:
        """It has no requests."""

    def close(self, code: int, reason: str) -> None:
        if self.refusal is None and self._task is not None:
            self.refusal = NotAuthenticated(reason) if code == Close.NOT_AUTHENTICATED else _not_now("draining")
            self._task.cancel()


def _told(error: BaseException) -> End:
    end = end_of(error)
    if end.status is grpc.StatusCode.INTERNAL:
        _logger.error("a call failed inside the node", exc_info=error)
    return end


async def _abort(context: Context, end: End) -> NoReturn:
    await context.abort(end.status, end.text, end.trailers)


def _not_now(reason: str) -> Unavailable:
    return Unavailable(f"this node is {reason}; come again, or go to another", code=reason)


def _request_id(context: Context) -> str | None:
    """As the caller says it, which `request_id.begin` judges."""
    return next((str(value) for key, value in context.invocation_metadata() or () if key == "x-request-id"), None)


def _token(context: Context) -> str | None:
    """The bearer's token: "" for what cannot be one, None for none."""
    said = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if not said:
        return None
    scheme, _, rest = str(said[0]).partition(" ")
    return rest.strip() if len(said) == 1 and scheme.lower() == "bearer" else ""


def _certificate(context: Context) -> frozenset[str] | None:
    """The URIs in the certificate that the caller has proved to have; None where there is none."""
    about = context.auth_context()
    if not about.get("x509_pem_cert"):
        return None
    names = about.get("x509_subject_alternative_name", ())
    return frozenset(name.decode("utf-8", "replace") for name in names)


def _address(peer: str) -> str:
    """`ipv4:127.0.0.1:5000` and `ipv6:%5B::1%5D:5000` without what is not the address."""
    kind, _, place = unquote(peer).partition(":")
    return source_of(place.rpartition(":")[0].strip("[]")) if kind in ("ipv4", "ipv6") else ""


def _time_for(method: One, context: Context) -> float | None:
    """A deadline that the caller has set is kept by the library."""
    own = None if method.patient else UNARY_WITHIN
    return own if context.time_remaining() is None else None


async def _only_message(context: Context) -> bytes:
    """Raises TimeoutError where it does not come."""
    async with asyncio.timeout(MESSAGE_WITHIN):
        data = await asyncio.shield(context.read())
    if data is grpc.aio.EOF:
        raise InvalidInput("the call has no message", code="invalid_message")
    return data


def _read(kind: type[Message], data: bytes) -> Message:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise InvalidInput(f"the message is not a {kind.DESCRIPTOR.full_name}", code="invalid_message") from error


def _written(message: Message) -> bytes:
    data = message.SerializeToString()
    if len(data) > MAX_FRAME - _HEAD_ROOM:
        raise Overloaded(
            f"the answer has {len(data)} bytes; the limit is {MAX_FRAME - _HEAD_ROOM}. Ask for less",
            code="answer_too_large",
        )
    return data
