"""A link to one of several nodes, kept up: dialled, greeted, and opened again when it is lost.

The first try after a loss comes within 100 ms, since a killed node is back in a second or three; while no node can be
reached the wait grows to 5 s, with jitter, and every round tries all addresses. Only a refusal that coming again cannot
help (a bad token, a superseded worker) ends it; then `on_final` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence

from rota.client.live_link import Ending, LiveLink
from rota.link.carrier import Carrier, Receiver
from rota.link.channel import WINDOW
from rota.link.codes import FINAL, Close
from rota.model.errors import (
    CannotConnect,
    Conflict,
    Forbidden,
    NotAuthenticated,
    RefusesToStart,
    RotaError,
    Unavailable,
)
from rota.model.version import VERSION
from rota.telemetry.redaction import redactor
from rota.wire.v1.link_pb2 import Frame, Hello, Welcome

Dial = Callable[[str, str | None, Receiver], Awaitable[Carrier]]
"""(url, token, receiver) → carrier. Raises OSError, CannotConnect, NotAuthenticated or Forbidden."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
HURRIED_WAIT = 0.25
"""Between tries, at most, while calls are waiting."""
HANDSHAKE_TIMEOUT = 5.0
STOP_TIMEOUT = 2.0
STEADY_AFTER = 0.2
"""A link that lived so long was a good one: the next loss is the first."""
VERSIONS = (1,)
SDK = f"rota-python/{VERSION}"
_logger = logging.getLogger("rota.client")


class Connection:
    """Lives in the running loop, and is used only there."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        token: str | None = None,
        sdk: str = SDK,
        on_frame: Callable[[Frame, int], None],
        on_up: Callable[[Welcome], None],
        on_down: Callable[[str], None],
        on_final: Callable[[RotaError], None] | None = None,
        dial: Dial | None = None,
        chance: Callable[[], float] = random.random,
        window: int = WINDOW,
    ) -> None:
        """`on_frame` gets each data frame with its size in bytes, which the receiver gives to `dealt_with` later.

        What is sent inside `on_up` goes first. `on_down` tells why the link was lost; it is opened again by itself.
        """
        self.urls = tuple(urls)
        self._token, self._sdk, self._window = token, sdk, window
        redactor.learn(token)
        self._on_frame, self._on_up, self._on_down, self._on_final = on_frame, on_up, on_down, on_final
        self._dial = dial or _dial_websocket
        self._chance = chance
        self._turn = int(chance() * len(self.urls))
        self._link: LiveLink | None = None
        self._task: asyncio.Task[None] | None = None
        self._last_sent = 0.0
        self._hurry = asyncio.Event()
        self.welcome: Welcome | None = None
        """What the node said; None while the link is down."""
        self.attempts_failed = 0
        """Tries in a row that brought no steady link."""
        self.last_error = ""
        self.final: RotaError | None = None
        """Why no further try is made."""

    def start(self) -> None:
        """Begins to dial."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep_up(), name="rota-connection")

    async def stop(self, reason: str = "") -> None:
        """Says goodbye and ends. What was sent before leaves first. May be called twice."""
        link, task = self._link, self._task
        self._task = None
        if link is not None:
            link.close(Close.NORMAL, reason, goodbye=True)
        if task is not None:
            task.cancel()
            await asyncio.wait((task,), timeout=STOP_TIMEOUT)
        if link is not None:
            await asyncio.wait((link.gone,), timeout=STOP_TIMEOUT)

    def send(self, frame: Frame) -> bool:
        """Queues a frame; those of one loop turn leave together.

        False: the link is down, and nothing was queued. Raises LinkFault (TOO_BIG) for a frame over the node's limit.
        """
        if self._link is None:
            return False
        self._link.send(frame)
        return True

    def dealt_with(self, size: int) -> None:
        """A received frame of `size` bytes has been dealt with: the node may send as much again."""
        if self._link is not None:
            self._link.dealt_with(size)

    def hurry(self) -> None:
        """Somebody needs the link now: a long wait before the next try is cut short."""
        self._hurry.set()

    async def room(self) -> None:
        """Returns when little of what was sent waits for credit. Returns at once while the link is down."""
        if self._link is not None:
            await self._link.room()

    @property
    def last_sent(self) -> float:
        """The loop's time of the last write, over this link or the one before."""
        return self._link.last_sent if self._link is not None else self._last_sent

    # --- inside

    async def _keep_up(self) -> None:
        while self.final is None:
            began = asyncio.get_running_loop().time()
            await self._one_link(self.urls[self._turn % len(self.urls)])
            if asyncio.get_running_loop().time() - began >= STEADY_AFTER and not self.last_error:
                self.attempts_failed = 0
            self._turn += 1
            self.attempts_failed += 1
            if self.final is None:
                await self._pause(self._wait())
        if self._on_final is not None:
            self._on_final(self.final)

    async def _pause(self, seconds: float) -> None:
        shortest = min(seconds, HURRIED_WAIT)
        await asyncio.sleep(shortest)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds - shortest):
                await self._hurry.wait()
        self._hurry.clear()

    async def _one_link(self, url: str) -> None:
        link = LiveLink(self._window, self._on_frame)
        try:
            await self._live(url, link, await self._greet(url, link))
        except (NotAuthenticated, Forbidden, RefusesToStart) as error:
            self.last_error, self.final = error.detail, error
        except RotaError as error:
            self.last_error = error.detail
        except OSError as error:
            self.last_error = f"{url}: {str(error) or type(error).__name__}"
        except Exception as error:
            self.last_error = f"{url}: {error!r}"
            _logger.exception("the link to %s failed; it is opened anew", url)
        finally:
            link.close(Close.NORMAL, "")

    async def _greet(self, url: str, link: LiveLink) -> Welcome:
        carrier = await self._dial(url, self._token, link)
        link.open(carrier, Hello(versions=VERSIONS, token=self._token or "", sdk=self._sdk, window=self._window))
        await asyncio.wait((link.welcomed, link.ended), timeout=HANDSHAKE_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if link.ended.done():
            self.final = _final(url, link.ended.result())
            raise self.final or CannotConnect(f"{url}: {_told(link.ended.result())}")
        if not link.welcomed.done():
            raise CannotConnect(f"{url}: takes connections, but did not greet within {HANDSHAKE_TIMEOUT:.0f} s")
        return link.welcomed.result()

    async def _live(self, url: str, link: LiveLink, welcome: Welcome) -> None:
        self._link, self.welcome, self.last_error = link, welcome, ""
        try:
            self._on_up(welcome)
            ending = await asyncio.shield(link.ended)
            self.final = _final(url, ending)
        finally:
            self._last_sent = link.last_sent
            self._link = self.welcome = None
        _logger.info("the link to %s is lost: %s", url, _told(ending))
        if self.final is not None:
            self.last_error = self.final.detail
        self._on_down(f"{url}: {_told(ending)}")

    def _wait(self) -> float:
        """Seconds before the next try: none while a round has addresses left, then growing, with jitter that shortens."""
        rounds, place = divmod(self.attempts_failed, len(self.urls))
        if place:
            return 0.0
        return min(LONGEST_WAIT, FIRST_WAIT * 1.5 ** min(rounds - 1, 20)) * (0.5 + 0.5 * self._chance())


def _told(ending: Ending) -> str:
    return f"{ending.reason or 'closed'} ({ending.code})"


def _final(url: str, ending: Ending) -> RotaError | None:
    if ending.code not in FINAL:
        return None
    detail = f"{url}: {ending.reason}"
    if ending.code == Close.NOT_AUTHENTICATED:
        return NotAuthenticated(f"{detail}: give a valid token by token= or ROTA_TOKEN")
    if ending.code == Close.FORBIDDEN:
        return Forbidden(detail)
    if ending.code == Close.UNKNOWN_VERSION:
        return Unavailable(f"{detail}: node and SDK speak different versions of the link", code="unknown_version")
    return Conflict(detail, code=Close(ending.code).name.lower())


async def _dial_websocket(url: str, token: str | None, receiver: Receiver) -> Carrier:
    from rota.client.websocket import dial_websocket  # the network's parts are loaded by whoever uses the network

    return await dial_websocket(url, token, receiver)
