"""`rota groups`: how groups stand, and what is set for them, for methods, and for the node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.filters import CursorFlag, beginning, check_limit
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings
from rota.model.errors import InvalidInput

if TYPE_CHECKING:
    from rota.client.house_views import ControlView, GroupInfo, RateView
    from rota.client.limits import SaidLimits

NO_GROUP = "(no group)"
PAGE = 200
Name = Annotated[str | None, Parameter(name="NAME", help="The group.")]
OfMethod = Annotated[str | None, Parameter(name="--method", help="A method in the place of a group.", metavar="METHOD")]
OfNode = Annotated[bool, Parameter(name="--node", negative="", help="Everything on the node.")]
Ungrouped = Annotated[bool, Parameter(name="--no-group", negative="", help="The tasks that have no group.")]


@command(ClientSettings)
def list_groups(
    settings: ClientSettings,
    out: Output,
    *,
    limit: Annotated[int | None, Parameter(help="A page of so many, up to 200; default: all.", metavar="N")] = None,
    cursor: CursorFlag = None,
) -> int:
    """List groups: depth, workers, rates, and what is set.

    What is set for the node or for methods follows below, not under a page. With --json each line has a scope: group, method
    or node.
    """
    if limit is not None or cursor is not None:
        check_limit(PAGE if limit is None else limit, PAGE)
        return _one_page(settings, out, beginning(cursor or "start"), limit or PAGE)
    with reach(settings) as client:
        groups = client.groups()
        others = [control for control in client.controls() if control.scope != "group"]
    _show(groups, others, out)
    return exits.OK


def _one_page(settings: ClientSettings, out: Output, cursor: str, limit: int) -> int:
    with reach(settings) as client:
        groups, following = client.groups_page(cursor, limit)
    _show(groups, [], out)
    if following:
        out.more(following)
    return exits.OK


def _show(groups: Sequence[GroupInfo], others: Sequence[ControlView], out: Output) -> None:
    if out.json:
        for group in groups:
            out.value({"scope": "group", **value_of(group), "control": control_value(group.control)})
        for control in others:
            out.value({"scope": control.scope, "name": control.name, "control": control_value(control)})
        return
    heads = ("group", "ready", "running", "scheduled", "waiting", "workers", "busy", "in/s", "out/s", "set")
    optional = ("in/s", "out/s", "workers", "waiting", "scheduled")
    out.table(heads, [_row(group) for group in groups], right=heads[1:-1], optional=optional)
    for control in others:
        out.line(f"{scope_words(control.scope, control.name)}: {set_words(control)}")
    if not groups:
        out.note("there is no task, and no worker names a group")


@command(ClientSettings)
def pause(
    settings: ClientSettings,
    out: Output,
    name: Name = None,
    /,
    *,
    method: OfMethod = None,
    node: OfNode = False,
    no_group: Ungrouped = False,
    note: Annotated[str, Parameter(help="Why, for people.", metavar="TEXT")] = "",
) -> int:
    """Start no more tasks of a group, a method, or the node.

    What runs goes on; new tasks are accepted, and wait at their places. It holds until it is taken back, over restarts too.
    """
    scope, said = _scope(name, method, node=node, no_group=no_group)
    with reach(settings) as client:
        control = client.pause(scope, said, note)
    return _tell(control, out, f"resume it: rota groups resume{_again(scope, said)}")


@command(ClientSettings)
def resume(
    settings: ClientSettings,
    out: Output,
    name: Name = None,
    /,
    *,
    method: OfMethod = None,
    node: OfNode = False,
    no_group: Ungrouped = False,
) -> int:
    """Start tasks of a group, a method, or the node again."""
    scope, said = _scope(name, method, node=node, no_group=no_group)
    with reach(settings) as client:
        control = client.resume(scope, said)
    return _tell(control, out)


@command(ClientSettings)
def limit(
    settings: ClientSettings,
    out: Output,
    name: Name = None,
    /,
    *,
    method: OfMethod = None,
    node: OfNode = False,
    no_group: Ungrouped = False,
    concurrency: Annotated[
        str | None, Parameter(help="So many run at once; none takes the limit away.", metavar="N|none")
    ] = None,
    rate: Annotated[
        str | None, Parameter(help="So many start, as in 10/s, 100/m or 5/30s.", metavar="RATE|none")
    ] = None,
    key_rate: Annotated[
        str | None, Parameter(help="So many start of each concurrency key.", metavar="RATE|none")
    ] = None,
    max_queued: Annotated[
        str | None,
        Parameter(help="So many of a group may be there and not ended; more are refused.", metavar="N|none"),
    ] = None,
) -> int:
    """Limit how many tasks run, or are there at once.

    What is not said stays as it is. A task that is held back stays at its place, and no try of it is spent. One that is beyond
    --max-queued is refused (queue_full).
    """
    scope, said = _scope(name, method, node=node, no_group=no_group)
    limits = _limits(concurrency, rate, key_rate, max_queued)
    with reach(settings) as client:
        control = client.limit(scope, said, **limits)
    return _tell(control, out)


def _limits(concurrency: str | None, rate: str | None, key_rate: str | None, max_queued: str | None) -> SaidLimits:
    limits: SaidLimits = {}
    if concurrency is not None:
        limits["concurrency"] = None if concurrency == "none" else _whole(concurrency, "--concurrency")
    if rate is not None:
        limits["rate"] = None if rate == "none" else rate
    if key_rate is not None:
        limits["key_rate"] = None if key_rate == "none" else key_rate
    if max_queued is not None:
        limits["max_queued"] = None if max_queued == "none" else _whole(max_queued, "--max-queued")
    if not limits:
        raise InvalidInput.at("--concurrency", "bad_arguments", "say --concurrency, --rate, --key-rate or --max-queued")
    return limits


def _whole(text: str, flag: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) < 2**31:
        raise InvalidInput.at(flag, "out_of_range", f"{text!r}: write a number of 1 or more, or none")
    return int(text)


def _scope(name: str | None, method: str | None, *, node: bool, no_group: bool) -> tuple[str, str]:
    """Raises InvalidInput unless one thing is named."""
    said = [("group", name)] * (name is not None) + [("method", method)] * (method is not None)
    said += [("node", "")] * node + [("group", "")] * no_group
    if len(said) != 1:
        raise InvalidInput.at("NAME", "bad_arguments", "name one: a group, or --method METHOD, --node, or --no-group")
    scope, named = said[0]
    return scope, named or ""


def _tell(control: ControlView, out: Output, hint: str = "") -> int:
    if out.json:
        out.value(control_value(control))
    else:
        out.line(f"{scope_words(control.scope, control.name)}: {set_words(control) or 'nothing is set'}")
        if hint:
            out.note(hint)
    return exits.OK


def _again(scope: str, name: str) -> str:
    if scope == "group":
        return f" {name}" if name else " --no-group"
    return f" --method {name}" if scope == "method" else " --node"


def scope_words(scope: str, name: str) -> str:
    """`group mail`, `method resize`, `the node`."""
    if scope == "node":
        return "the node"
    return f"{scope} {name}" if name else "tasks without a group"


def set_words(control: ControlView | None) -> str:
    """`paused (new disks), 4 at once, 100/m`; empty where nothing is set."""
    if control is None:
        return ""
    words = []
    if control.paused:
        words.append(f"paused ({control.note})" if control.note else "paused")
    if control.concurrency is not None:
        words.append(f"{human.number(control.concurrency)} at once")
    if control.rate is not None:
        words.append(str(control.rate))
    if control.key_rate is not None:
        words.append(f"{control.key_rate} a key")
    if control.max_queued is not None:
        words.append(f"{human.number(control.max_queued)} queued at most")
    return ", ".join(words)


def control_value(control: ControlView | None) -> object:
    """For --json: rates as they are said, `10/s`."""
    if control is None:
        return None
    return {**value_of(control), "rate": _rate_value(control.rate), "key_rate": _rate_value(control.key_rate)}


def _rate_value(rate: RateView | None) -> str | None:
    return str(rate) if rate is not None else None


def _row(group: GroupInfo) -> tuple[str, ...]:
    tasks = (human.number(group.tasks.get(state, 0)) for state in ("ready", "running", "scheduled", "waiting"))
    return (
        group.name or NO_GROUP,
        *tasks,
        str(group.workers),
        f"{group.busy}/{group.slots}",
        f"{group.submit_rate:,.1f}",
        f"{group.finish_rate:,.1f}",
        set_words(group.control),
    )
