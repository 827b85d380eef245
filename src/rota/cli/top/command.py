"""The command itself: a screen on a terminal, one look in a pipe, a line a look with --json."""

from __future__ import annotations

import sys
import time
from threading import Thread
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits
from rota.cli.command import command
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.task_flags import Seconds
from rota.config import ClientSettings
from rota.model.errors import CannotConnect, InvalidInput, RotaError, Unavailable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rota.cli.top.snapshot import Snapshot
    from rota.client.sync import Client

_LEAST = 0.2
_LISTEN = 0.1
"""Seconds between two turns while a look is under way, or the screen is held still."""
_SLOW = 2.0
"""Seconds after which it is said that there is no answer yet."""


@command(ClientSettings)
def top(
    settings: ClientSettings,
    out: Output,
    /,
    *,
    every: Annotated[Seconds, Parameter(help="How often to look; default 1s.")] = 1.0,
    count: Annotated[
        int | None,
        Parameter(help="So many looks, then end; default: on a terminal and with --json no end.", metavar="N"),
    ] = None,
) -> int:
    """Watch the node: rates, states, groups, workers.

    On a terminal it is drawn anew every second: q ends it, p holds the screen still, r looks at once. Into a pipe it prints
    one look; with --json a line for each.
    """
    if every < _LEAST:
        raise InvalidInput.at("--every", "out_of_range", f"{every:g} s is too often; {_LEAST:g} s or more")
    if count is not None and count < 1:
        raise InvalidInput.at("--count", "out_of_range", "1 look or more")
    with reach(settings) as client:
        if out.json:
            return _stream(client, out, every, count)
        if out.interactive and sys.stdin.isatty():
            return _Screen(client, every, count).run()
        return _plain(client, out, every, count or 1)


def _stream(client: Client, out: Output, every: float, count: int | None) -> int:
    from rota.cli.top.snapshot import take

    looks = 0
    while True:
        out.value(take(client).value())
        looks += 1
        if looks == count:
            return exits.OK
        time.sleep(every)


def _plain(client: Client, out: Output, every: float, count: int) -> int:
    from rota.cli.top.screen import History, draw
    from rota.cli.top.snapshot import take

    history = History()
    for look in range(count):
        if look:
            time.sleep(every)
            out.say()
        shot = take(client)
        history.add(shot)
        out.show(draw(shot, history, 100, None), width=100)
    return exits.OK


class _Look:
    """One look in a thread of its own, so that keys are heard while the node does not answer."""

    def __init__(self, client: Client) -> None:
        self.shot: Snapshot | None = None
        self.error: RotaError | None = None
        self._client = client
        self.began = time.monotonic()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def _work(self) -> None:
        from rota.cli.top.snapshot import take

        try:
            self.shot = take(self._client)
        except RotaError as error:
            self.error = error


class _Screen:
    """Draws until q is pressed. A node that cannot be reached for a while is waited for, and that is said."""

    def __init__(self, client: Client, every: float, count: int | None) -> None:
        from rich.console import Console

        from rota.cli.top.screen import History

        self._client, self._every = client, every
        self._left = count
        self._console = Console()
        self._history = History()
        self._shot: Snapshot | None = None
        self._look: _Look | None = None
        self._due = 0.0
        self._paused = False
        self._trouble = ""

    def run(self) -> int:
        from rich.live import Live

        from rota.cli.top.keys import ends_with_its_terminal, keys
        from rota.cli.top.snapshot import take

        self._take(take(self._client))
        with (
            ends_with_its_terminal(),
            keys() as typed,
            Live(self._drawn(), console=self._console, screen=True, auto_refresh=False) as live,
        ):
            while self._left != 0:
                if self._heard(typed.within(self._pause())):
                    break
                self._turn()
                live.update(self._drawn(), refresh=True)
        return exits.OK

    def _pause(self) -> float:
        """How long nothing is to be done but to listen."""
        return _LISTEN if self._look is not None or self._paused else max(self._due - time.monotonic(), 0.0)

    def _heard(self, key: str) -> bool:
        """Whether it is the end."""
        if key in ("p", "P", " "):
            self._paused = not self._paused
        elif key in ("r", "R") and self._look is None:
            self._look = _Look(self._client)
        return key in ("q", "Q")

    def _turn(self) -> None:
        """Begins or ends a look. Raises what is not about reaching the node."""
        look, now = self._look, time.monotonic()
        if look is None:
            if not self._paused and now >= self._due:
                self._look = _Look(self._client)
            return
        if not look.over:
            self._trouble = f"no answer for {now - look.began:.0f} s" if now - look.began > _SLOW else self._trouble
            return
        self._look, self._due = None, now + self._every
        if look.shot is not None:
            self._take(look.shot)
        elif isinstance(look.error, CannotConnect | Unavailable):
            self._trouble = look.error.detail
        elif look.error is not None:
            raise look.error

    def _take(self, shot: Snapshot) -> None:
        self._shot, self._trouble = shot, ""
        self._history.add(shot)
        self._due = time.monotonic() + self._every
        self._left = self._left - 1 if self._left is not None else None

    def _drawn(self) -> RenderableType:
        from rota.cli.top.screen import draw

        assert self._shot is not None  # noqa: S101  # the first look was well, or we are not here
        size = self._console.size
        words = f"q quit   p {'go on' if self._paused else 'pause'}   r look now   every {self._every:g} s"
        words += "   PAUSED" if self._paused else ""
        if self._trouble:
            words = f"q quit   as of {self._shot.at.astimezone():%H:%M:%S}: {self._trouble}"
        return draw(self._shot, self._history, size.width, size.height, words)
