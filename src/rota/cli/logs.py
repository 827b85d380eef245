"""`rota logs`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.ids import Id, read_ids
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings
from rota.telemetry.safe import many_lines

if TYPE_CHECKING:
    from rota.client.views import LogView


@command(ClientSettings)
def logs(
    settings: ClientSettings,
    out: Output,
    task_id: Id,
    /,
    *,
    follow: Annotated[
        bool, Parameter(name=("--follow", "-f"), negative="", help="Also new lines, until the task has ended.")
    ] = False,
) -> int:
    """Print what a task has logged, with the local time of each line."""
    wanted = read_ids([task_id])[0]
    attempt = 1
    with reach(settings) as client:
        for line in client.logs(wanted, follow=follow):
            if out.json:
                out.value(value_of(line))
                continue
            if line.attempt != attempt:
                attempt = line.attempt
                out.say(f"--- attempt {attempt}")
            out.say(_line(line))
    return exits.OK


def _line(line: LogView) -> str:
    level = logging.getLevelName(line.level)
    return f"{human.clock_time(line.at)} {level:<7} {many_lines(line.text)}"
