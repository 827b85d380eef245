"""Everything that changes, over a WebSocket: `/live`. Messages are JSON objects with a `type`, text both ways.

    auth (where the handshake had no token) → welcome, then subscribe, unsubscribe, resume and ping in any order

What is wrong in itself is answered with an `error`, and the connection goes on; ten such within a minute end it.
"""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

from rota.access.grant import Grant
from rota.link.codes import Close
from rota.link.node_end import FAULTS_A_MINUTE
from rota.model.errors import Forbidden, InvalidInput, NotAuthenticated, Overloaded, RotaError
from rota.observe.event import Filter, Subscription
from rota.observe.event_forms import MESSAGES
from rota.observe.event_reader import Reader
from rota.transport.asgi import Receive, Scope, Send, problem_of
from rota.transport.hall import Hall
from rota.transport.http import live_messages as messages
from rota.transport.http.event_stream import BEAT, STALLED_AFTER
from rota.transport.http.route import READERS
from rota.transport.http.subscriptions import subscription_of
from rota.transport.websocket import CLOSE_WITHIN, LANE, Lane, WebSocketCarrier

MAX_MESSAGE = 16 * 1024
MAX_SUBSCRIPTIONS = 100
UNANSWERED_PINGS = 2
TOO_SLOW = 1013
"""Try again later, as the registry of close codes has it: the reader took too little."""


async def serve_live(
    scope: Scope,
    receive: Receive,
    send: Send,
    hall: Hall,
    token: str | None,
    source: str = "",
    certificate: frozenset[str] | None = None,
) -> None:
    """Accepts, and goes on until either side ends it. The handshake is checked but for who it is.

    Without a token the first message has to bring one: pages in a browser cannot set headers.
    """
    grant: Grant | None = None
    try:
        grant = hall.policy.admit(token, source, certificate)
        hall.verbs(grant, "http", source).check_role(READERS, "GET /live")
    except RotaError as error:
        if token is not None or not isinstance(error, NotAuthenticated):
            await problem_of(error).send(scope, send)
            return
    lane: Lane = scope["extensions"][LANE]
    lane.take_at_most(MAX_MESSAGE)
    await send({"type": "websocket.accept"})
    carrier = WebSocketCarrier(lane, send)
    session = LiveSession(hall, lane, carrier, source)
    hall.enter(session)
    try:
        session.begin(grant)
        await session.listen(receive)
    finally:
        carrier.ended()
        lane.end_within(CLOSE_WITHIN)
        session.over()
        hall.left(session)


class LiveSession:
    """One connection. Implements `hall.Guest`."""

    is_client = True

    def __init__(self, hall: Hall, lane: Lane, carrier: WebSocketCarrier, source: str) -> None:
        self.grant: Grant | None = None
        self.under_way: set[asyncio.Task[None]] = set()
        self._hall, self._lane, self._carrier, self._source = hall, lane, carrier, source
        self._loop = asyncio.get_running_loop()
        self._reader: Reader | None = None
        self._sender: asyncio.Task[None] | None = None
        self._subscriptions: set[Subscription] = set()
        self._faults: deque[float] = deque(maxlen=FAULTS_A_MINUTE)
        self._sending_since: float | None = None
        self._beaten_at = self._loop.time()
        self._auth_timer: asyncio.TimerHandle | None = None

    def begin(self, grant: Grant | None) -> None:
        """Greets, or waits for the message that says who it is."""
        if grant is not None:
            self._let_in(grant)
            return
        within = self._hall.terms.hello_within
        self._auth_timer = self._loop.call_later(
            within, self.close, int(Close.POLICY), f"no auth message within {within:.0f} s"
        )

    async def listen(self, receive: Receive) -> None:
        """Deals with one message after the other; none is read while answers are not."""
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if self._carrier.closing:
                continue
            if (text := event.get("text")) is None:
                self.close(int(Close.BAD_MESSAGE), "a binary message; messages are JSON text")
                continue
            await self._lane.room()
            self._deal_with(text)

    def over(self) -> None:
        """The connection has ended."""
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        if self._reader is not None:
            self._reader.leave()
        if self._sender is not None:
            self._sender.cancel()

    # --- the hall calls

    def tick(self) -> None:
        now = self._loop.time()
        if self._reader is None:
            return
        if self._sending_since is not None and now - self._sending_since > STALLED_AFTER:
            self.close(TOO_SLOW, f"nothing was read for {STALLED_AFTER:.0f} s")
        elif now - self._beaten_at >= BEAT:
            self._beaten_at = now
            self._reader.beat()
            if self._lane.ping() > UNANSWERED_PINGS:
                self.close(int(Close.SILENT), f"{UNANSWERED_PINGS} pings went unanswered")

    def wind_down(self) -> None:
        """It has no requests."""

    def close(self, code: int, reason: str) -> None:
        if code == Close.GOING_AWAY and self._reader is not None and self._sending_since is None:
            self._reader.end_soon(reason)  # what is there by now is sent before
            return
        self._carrier.close(code, reason)
        if self._reader is not None:
            self._reader.end(reason)

    # --- within

    def _let_in(self, grant: Grant) -> None:
        try:
            reader = self._hall.events.join(Filter(scope=grant.groups), MESSAGES, who=grant.kid)
        except Overloaded as error:
            self.close(TOO_SLOW, error.detail)
            return
        self.grant, self._reader = grant, reader
        self._lane.fruitful()
        self._say(messages.Welcome(self._hall.facts.node_id, self._hall.events.place, BEAT))
        self._sender = self._loop.create_task(self._send_all(reader))

    async def _send_all(self, reader: Reader) -> None:
        while (chunk := await reader.next()) is not None:
            self._sending_since = self._loop.time()
            await self._lane.room()
            self._sending_since = None
            self._lane.write_text(chunk)
        if not self._carrier.closing:
            self._carrier.close(int(Close.GOING_AWAY), reader.ended)

    def _deal_with(self, text: str) -> None:
        message: messages.FromReader | RotaError
        try:
            message = messages.decode(text)
        except RotaError as error:
            message = error
        if self._reader is None:
            self._authenticate(message)
            return
        try:
            if isinstance(message, RotaError):
                raise message
            self._answer(message, self._reader)
        except RotaError as error:
            self._refuse(error)

    def _authenticate(self, message: messages.FromReader | RotaError) -> None:
        if not isinstance(message, messages.Auth):
            self.close(int(Close.POLICY), "the first message is auth, with a token")
            return
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        try:
            grant = self._hall.policy.admit(message.token, self._source)
            self._hall.verbs(grant, "http", self._source).check_role(READERS, "GET /live")
        except Forbidden as error:
            self.close(int(Close.FORBIDDEN), error.detail)
        except RotaError as error:
            self.close(int(Close.NOT_AUTHENTICATED), error.detail)
        else:
            self._let_in(grant)

    def _answer(self, message: messages.FromReader, reader: Reader) -> None:
        match message:
            case messages.Subscribe():
                self._subscribe(message, reader)
            case messages.Unsubscribe():
                self._unsubscribe(message, reader)
            case messages.Resume():
                self._hall.events.resume(reader, message.last)
            case messages.Ping():
                self._say(messages.Pong())
            case messages.Auth():
                raise InvalidInput.at("type", "already_in", "this connection has said who it is")

    def _subscribe(self, message: messages.Subscribe, reader: Reader) -> None:
        wanted = self._wanted(message)
        if wanted not in self._subscriptions and len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise InvalidInput.at(
                "",
                "too_many_subscriptions",
                f"{MAX_SUBSCRIPTIONS} subscriptions are the most; unsubscribe from one first",
            )
        self._subscriptions.add(wanted)
        self._ask(reader)

    def _unsubscribe(self, message: messages.Unsubscribe, reader: Reader) -> None:
        if message.everything:
            self._subscriptions.clear()
        elif (wanted := self._wanted(message)) in self._subscriptions:
            self._subscriptions.discard(wanted)
        else:
            raise InvalidInput.at(
                "", "not_subscribed", "no subscription says just this; one without fields ends them all"
            )
        self._ask(reader)

    def _wanted(self, message: messages.Subscribe | messages.Unsubscribe) -> Subscription:
        grant = self.grant
        if grant is None:
            raise NotAuthenticated("say auth first")
        return subscription_of(message.topics, message.group, message.task, grant)

    def _ask(self, reader: Reader) -> None:
        reader.ask(Filter(frozenset(self._subscriptions), reader.wants.scope))
        self._say(messages.Subscribed(len(self._subscriptions), self._hall.events.place))

    def _refuse(self, error: RotaError) -> None:
        now = self._loop.time()
        self._faults.append(now)
        self._say(messages.Refusal(error.code, error.detail))
        if len(self._faults) == FAULTS_A_MINUTE and now - self._faults[0] < 60:
            self.close(int(Close.POLICY), f"{FAULTS_A_MINUTE} wrong messages within a minute")

    def _say(self, message: msgspec.Struct) -> None:
        self._lane.write_text(messages.encode(message))
