"""`rota why`: what holds a task back, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.ids import Id, read_ids
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.house_views import CauseView, Why

_SHOWN = 5
"""Of those that hold a task back so many are named."""
_LOOK_AT_THE_FIRST = ("waiting_for_parents", "waiting_for_order_key")
"""Causes for which the next question is why the first of those that are named does not end."""
_ADVICE = {
    "no_worker": "rota worker module:app starts one; rota methods lists what is offered",
    "no_worker_in_group": "start a worker with --group, or submit without the group",
    "workers_full": "more workers, or more --slots; rota list --state running shows what they run",
    "queued_behind": "wait; what is urgent is submitted with a higher --priority",
    "paused": "rota groups shows what is paused, rota groups resume ends it",
    "concurrency_full": "wait, or raise it: rota groups limit",
    "key_concurrency_full": "wait; a higher --concurrency-limit at the submit lets more run together",
    "rate_limited": "wait, or raise it: rota groups limit",
    "retry_wait": "rota show ID   (the error)",
    "running": "rota logs -f ID",
    "ended": "rota show ID",
}


@command(ClientSettings)
def why(settings: ClientSettings, out: Output, task_id: Id, /) -> int:
    """Say why a task does not run, or where it is, and what to do.

    The first cause is the one to look at first. Several may hold at once: when the first is gone, the next one counts.
    """
    with reach(settings) as client:
        answer = client.why(read_ids([task_id])[0])
    if out.json:
        out.value(value_of(answer))
    else:
        draw(answer, out)
    return exits.OK


def draw(answer: Why, out: Output) -> None:
    """A cause a paragraph, without its code: that is for machines."""
    out.line(f"{answer.id} is {answer.state}")
    if not answer.causes:
        out.line(f"  {answer.summary}")
    for place, cause in enumerate(answer.causes):
        out.line(f"  {'also: ' if place else ''}{cause.message}")
        for words in _facts(cause):
            out.line(f"    {words}")
    if answer.causes and (words := _advice(answer.id, answer.causes[0])):
        out.line(f"next: {words}")


def _facts(cause: CauseView) -> list[str]:
    facts = []
    if cause.until is not None:
        left = (cause.until - human.now()).total_seconds()
        facts.append(f"until {human.instant(cause.until)}" + (f", in {human.span(left)}" if left > 0 else ""))
    named = [name for name in cause.by if name and name not in cause.message]
    if named:
        more = f" and {human.number(len(named) - _SHOWN)} more" if len(named) > _SHOWN else ""
        facts.append(f"by {', '.join(named[:_SHOWN])}{more}")
    return facts


def _advice(task_id: str, cause: CauseView) -> str:
    """What to do about a cause, where its message does not say it."""
    if cause.code in _LOOK_AT_THE_FIRST and cause.by:
        return f"rota why {cause.by[0]}"
    return _ADVICE.get(cause.code, "").replace("ID", task_id)
