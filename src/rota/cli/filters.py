"""Which tasks, as flags: for `list`, and for the commands that change many tasks at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from rota.cli import human
from rota.model.errors import InvalidInput
from rota.model.task import State

if TYPE_CHECKING:
    from rota.client.said import Filter

_GROUP = Group("Filter", sort_key=0)
_STATES = (*(state.name.lower() for state in State), "ended", "unended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is not said does not narrow."""

    state: Annotated[
        list[str] | None,
        Parameter(
            help="Of this state only; may be given again. waiting, scheduled, ready, running, succeeded, failed, "
            "cancelled or expired; ended or unended for several.",
            negative="",
            metavar="STATE",
            group=_GROUP,
        ),
    ] = None
    method: Annotated[str | None, Parameter(help="Of this method only.", metavar="NAME", group=_GROUP)] = None
    group: Annotated[str | None, Parameter(help="Of this group only.", metavar="NAME", group=_GROUP)] = None
    worker: Annotated[str | None, Parameter(help="Held by this worker.", metavar="ID", group=_GROUP)] = None
    label: Annotated[
        str | None, Parameter(help="With this label, or with this value of it.", metavar="KEY[=VALUE]", group=_GROUP)
    ] = None
    batch: Annotated[str | None, Parameter(help="Of this batch.", metavar="NAME", group=_GROUP)] = None
    text: Annotated[
        str | None,
        Parameter(
            help="With these letters in the method, the group or a key, or at the beginning of the id.",
            metavar="TEXT",
            group=_GROUP,
        ),
    ] = None
    since: Annotated[
        str | None,
        Parameter(
            name=("--since", "--created-after"),
            help="Created after this: 1h (ago), or an instant, as in 2026-12-24T18:00.",
            metavar="WHEN",
            group=_GROUP,
        ),
    ] = None
    until: Annotated[
        str | None,
        Parameter(name=("--until", "--created-before"), help="Created before this.", metavar="WHEN", group=_GROUP),
    ] = None

    @property
    def states(self) -> list[str]:
        """Raises InvalidInput for a word that names none."""
        said = [word for words in self.state or () for word in words.replace(",", " ").split()]
        if wrong := next((word for word in said if word not in _STATES), None):
            raise InvalidInput.at("--state", "invalid_value", f"{wrong!r} is no state; there are {', '.join(_STATES)}")
        return said

    def wanted(self) -> Filter:
        """As the client takes it, only what is said. Raises InvalidInput."""
        said: Filter = {
            "states": self.states,
            "method": self.method,
            "group": self.group,
            "worker": self.worker,
            "label": self.label,
            "batch": self.batch,
            "text": self.text,
            "created_after": human.read_when(self.since, "--since") if self.since is not None else None,
            "created_before": human.read_when(self.until, "--until") if self.until is not None else None,
        }
        return said

    @property
    def says_something(self) -> bool:
        return any(self.wanted().values())


def beginning(cursor: str) -> str:
    """As the client wants it: nothing for the first page."""
    return "" if cursor == "start" else cursor


def check_limit(limit: int, most: int) -> None:
    """Raises InvalidInput."""
    if not 1 <= limit <= most:
        raise InvalidInput.at("--limit", "out_of_range", f"{limit} is not from 1 to {human.number(most)}")


CursorFlag = Annotated[
    str | None,
    Parameter(
        help="One page only: start, or where the page before it ended; where the next one begins goes to stderr.",
        metavar="CURSOR",
    ),
]
FilterFlags = Annotated[Filters | None, Parameter(name="*")]
NO_FILTERS = Filters()
