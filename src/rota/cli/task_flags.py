"""What `submit` and `execute` can say of a task on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter, Token

from rota.cli.human import read_instant
from rota.cli.ids import read_ids
from rota.config.quantity import read_duration
from rota.model.errors import InvalidInput

if TYPE_CHECKING:
    from rota.client.said import SaidOptions


def _seconds(kind: type, tokens: Sequence[Token]) -> float:
    return read_duration(tokens[0].value) / 1e6


_GROUP = Group("Task", sort_key=0)
Seconds = Annotated[float, Parameter(converter=_seconds, metavar="DURATION", n_tokens=1)]
"""A duration as people write it, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFlags:
    """What is not said is left to the method's own declaration."""

    group: Annotated[
        str | None, Parameter(help="The group whose workers may run it.", metavar="NAME", group=_GROUP)
    ] = None
    priority: Annotated[
        int | None,
        Parameter(help="-9 (last) to 9 (first); default as the method declares, else 0.", metavar="N", group=_GROUP),
    ] = None
    retries: Annotated[
        int | None,
        Parameter(
            help="How often it is tried again; default as the method declares, else 0.", metavar="N", group=_GROUP
        ),
    ] = None
    retry_delay: Annotated[Seconds | None, Parameter(help="The wait before the second try.", group=_GROUP)] = None
    timeout: Annotated[
        Seconds | None,
        Parameter(help="How long one try may run; default as the method declares, else no limit.", group=_GROUP),
    ] = None
    delay: Annotated[Seconds | None, Parameter(help="Start it so much later.", group=_GROUP)] = None
    run_at: Annotated[
        str | None, Parameter(help="Start it at this instant, as in 2026-12-24T18:00.", metavar="INSTANT", group=_GROUP)
    ] = None
    expires: Annotated[Seconds | None, Parameter(help="Let it expire if it has not started by then.", group=_GROUP)] = (
        None
    )
    unique_key: Annotated[
        str | None,
        Parameter(
            help="At most one unended task holds this key; another submit answers with that one.",
            metavar="TEXT",
            group=_GROUP,
        ),
    ] = None
    unique_mode: Annotated[
        str | None,
        Parameter(
            help="When the unique key is held: return the task that holds it (the default), reject, or replace it.",
            metavar="return|reject|replace",
            group=_GROUP,
        ),
    ] = None
    debounce: Annotated[
        Seconds | None, Parameter(help="Start it so long after the last submit of its unique key.", group=_GROUP)
    ] = None
    order_key: Annotated[
        str | None, Parameter(help="Tasks of one key run one at a time, in order.", metavar="TEXT", group=_GROUP)
    ] = None
    concurrency_key: Annotated[
        str | None, Parameter(help="Of the tasks of one key only so many run at once.", metavar="TEXT", group=_GROUP)
    ] = None
    concurrency_limit: Annotated[
        int | None, Parameter(help="How many of its concurrency key run at once; default 1.", metavar="N", group=_GROUP)
    ] = None
    after: Annotated[
        list[str] | None,
        Parameter(
            help="Start it when this task has ended; may be given again, or with commas.",
            negative="",
            metavar="ID",
            group=_GROUP,
        ),
    ] = None
    on_parent_failure: Annotated[
        str | None,
        Parameter(
            help="When one of those does not succeed: fail with it (the default), or run anyway.",
            metavar="fail|run",
            group=_GROUP,
        ),
    ] = None
    batch: Annotated[
        str | None, Parameter(help="Count it under this name; see rota batch.", metavar="NAME", group=_GROUP)
    ] = None
    idempotency_key: Annotated[
        str | None,
        Parameter(help="The same key within a day answers with the same task.", metavar="TEXT", group=_GROUP),
    ] = None
    label: Annotated[
        list[str] | None,
        Parameter(help="For people and lists; may be given again.", metavar="KEY=VALUE", negative="", group=_GROUP),
    ] = None

    def options(self) -> SaidOptions:
        """As the client takes them, without what is not said."""
        said: SaidOptions = {
            "group": self.group,
            "priority": self.priority,
            "retries": self.retries,
            "retry_delay": self.retry_delay,
            "timeout": self.timeout,
            "delay": self.delay,
            "run_at": read_instant(self.run_at, "--run-at") if self.run_at is not None else None,
            "expires": self.expires,
            "unique_key": self.unique_key,
            "unique_mode": self.unique_mode,
            "debounce": self.debounce,
            "order_key": self.order_key,
            "concurrency_key": self.concurrency_key,
            "concurrency_limit": self.concurrency_limit,
        }
        return said

    def labels(self) -> dict[str, str] | None:
        """Raises InvalidInput for one that is not KEY=VALUE."""
        pairs = [text.partition("=") for text in self.label or ()]
        if wrong := next((key for key, equals, _ in pairs if not equals or not key), None):
            raise InvalidInput.at("--label", "bad_label", f"{wrong!r} is no label; write KEY=VALUE")
        return {key: value for key, _, value in pairs} or None


def _words(said: Sequence[str]) -> list[str]:
    return [word for words in said for word in words.replace(",", " ").split()]


Flags = Annotated[TaskFlags | None, Parameter(name="*")]
NO_FLAGS = TaskFlags()


def call_extras(flags: TaskFlags) -> dict[str, Any]:
    """Everything but method and params, as keyword arguments of the client's `submit`."""
    said = {name: value for name, value in flags.options().items() if value is not None}
    extras = {
        "labels": flags.labels(),
        "idempotency_key": flags.idempotency_key,
        "after": read_ids(_words(flags.after)) if flags.after else None,
        "on_parent_failure": flags.on_parent_failure,
        "batch": flags.batch,
    }
    return {**said, **{name: value for name, value in extras.items() if value is not None}}
