"""How a task ended, printed: the result on stdout, what went wrong on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.cli import exits
from rota.cli.output import Output
from rota.cli.portrait import summary
from rota.cli.values import json_value, value_of
from rota.telemetry.safe import json_text

if TYPE_CHECKING:
    from rota.client.views import Outcome


def show_ending(outcome: Outcome, out: Output) -> int:
    """The exit code: 0 only for a task that succeeded."""
    if out.json:
        out.value({**value_of(outcome), "ok": outcome.ok})
    elif outcome.ok:
        out.say(json_text(json_value(outcome.raw), indent=2))
    else:
        out.error(outcome.failure())
        out.note(f"more: rota show {outcome.id}")
    return exits.OK if outcome.ok else exits.FAILURE


def show_one_of_many(outcome: Outcome, out: Output) -> None:
    """One line an outcome."""
    if out.json:
        out.value({**value_of(outcome), "ok": outcome.ok})
        return
    words = json_text(json_value(outcome.raw)) if outcome.ok else (summary(outcome.error) or outcome.reason)
    out.line(f"{outcome.id}  {outcome.state}  {words}")
