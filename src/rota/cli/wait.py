"""`rota wait`: until tasks have ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits
from rota.cli.command import command
from rota.cli.ending import show_one_of_many
from rota.cli.ids import Ids, read_ids
from rota.cli.output import Output
from rota.cli.progress import steps
from rota.cli.reach import reach
from rota.cli.task_flags import Seconds
from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.sync import Client
    from rota.client.views import Outcome


@command(ClientSettings)
def wait(
    settings: ClientSettings,
    out: Output,
    /,
    *ids: Ids,
    timeout: Annotated[Seconds | None, Parameter(help="How long to wait at most; the tasks go on after that.")] = None,
) -> int:
    """Wait until tasks have ended, and print a line for each as it does.

    The exit code is 1 if any did not succeed, or had not ended in time.
    """
    with reach(settings) as client:
        return wait_for(client, read_ids(ids), out, timeout)


def wait_for(client: Client, ids: Sequence[str], out: Output, timeout: float | None) -> int:
    """Raises WaitTimeout."""
    outcomes = client.wait_many(ids, timeout)
    if not out.interactive:
        outcomes = _counted(outcomes, out, len(ids))
    well = True
    for outcome in outcomes:
        show_one_of_many(outcome, out)
        well = well and outcome.ok
    return exits.OK if well else exits.FAILURE


def _counted(outcomes: Iterator[Outcome], out: Output, total: int) -> Iterator[Outcome]:
    """For a person who does not see the outcomes themselves."""
    with steps(out, "ended", total) as bar:
        for outcome in outcomes:
            yield outcome
            bar.advance(1)
