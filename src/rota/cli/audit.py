"""`rota audit`: who did what."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.filters import check_limit
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.house_views import AuditView

_HEADS = ("at", "who", "from", "door", "action", "object", "outcome")


@command(ClientSettings)
def audit(
    settings: ClientSettings,
    out: Output,
    /,
    *,
    who: Annotated[str, Parameter(help="By this token only, by its name.", metavar="NAME")] = "",
    action: Annotated[
        str, Parameter(help="Of this kind only: token.create, or token for all of them.", metavar="ACTION")
    ] = "",
    since: Annotated[str | None, Parameter(help="After this: 1h (ago), or an instant.", metavar="WHEN")] = None,
    until: Annotated[str | None, Parameter(help="Before this.", metavar="WHEN")] = None,
    limit: Annotated[int, Parameter(help="At most so many; default 50.", metavar="N")] = 50,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="All of them, without a limit.")] = False,
) -> int:
    """List who changed what, refused attempts too, newest first.

    Submits are not in it: a task is its own record. --json has what was there before and after as well.
    """
    check_limit(limit, 1_000_000)
    with reach(settings) as client:
        lines = client.audit(
            who=who,
            action=action,
            since=human.read_when(since, "--since") if since is not None else None,
            until=human.read_when(until, "--until") if until is not None else None,
            limit=None if all_ else limit,
        )
        if out.json:
            for line in lines:
                out.value(value_of(line))
            return exits.OK
        shown = 0
        while portion := list(islice(lines, 500)):
            rows = [_row(line, out) for line in portion]
            out.table(_HEADS, rows, optional=("door", "from", "who"), headless=bool(shown))
            shown += len(portion)
    if not shown:
        out.note("no such line")
    return exits.OK


def _row(line: AuditView, out: Output) -> tuple[str, ...]:
    at = human.short_instant(line.at) if out.interactive else human.instant(line.at)
    return (at, line.who, line.source, line.door, line.action, line.object, line.outcome)
