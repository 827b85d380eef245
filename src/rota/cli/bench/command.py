"""`rota bench`: how fast a house is here, and whether it does every task once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, Token

from rota.cli import exits, human
from rota.cli.bench.plan import Plan
from rota.cli.command import plain
from rota.cli.output import Output
from rota.config import ClientSettings, resolve
from rota.config.kind import whole
from rota.config.quantity import read_size
from rota.model.errors import InvalidInput


def _number(highest: int) -> Parameter:
    kind = whole(1, highest)

    def read(_: type, tokens: Sequence[Token]) -> int:
        return kind.read(tokens[0].value)

    return Parameter(converter=read, metavar="N", n_tokens=1)


def _size(kind: type, tokens: Sequence[Token]) -> int:
    return read_size(tokens[0].value)


Size = Annotated[int, Parameter(converter=_size, metavar="SIZE", n_tokens=1)]


@plain
def bench(
    out: Output,
    /,
    *,
    tasks: Annotated[int, _number(10_000_000), Parameter(help="Tasks of the bulk run; default 20000.")] = 20_000,
    repeat: Annotated[int, _number(100), Parameter(help="Rounds, of which the median is told; default 1.")] = 1,
    slots: Annotated[int, _number(10_000), Parameter(help="Handlers the worker runs at once; default 16.")] = 16,
    isolation: Annotated[
        Literal["async", "thread", "process"],
        Parameter(
            help="Where handlers run: async def on the worker's loop, def in its threads, or in processes; "
            "default async.",
            metavar="async|thread|process",
            show_choices=False,
        ),
    ] = "async",
    payload: Annotated[Size, Parameter(help="Padding in the params of each task; default 0.")] = 0,
    durability: Annotated[
        Literal["full", "relaxed"] | None,
        Parameter(help="Of the node it starts; default full.", metavar="full|relaxed", show_choices=False),
    ] = None,
    url: Annotated[
        str | None, Parameter(help="Measure a node that runs. ROTA_URL is not looked at.", metavar="A,B")
    ] = None,
    token_file: Annotated[
        Path | None, Parameter(help="The token for that node; or ROTA_TOKEN.", metavar="PATH")
    ] = None,
) -> int:
    """Measure how fast a node and a worker are on this machine.

    It starts both, as processes of their own over a temporary folder, and stops them at the end. Every task must end once
    with the right result: a run where one does not has no figures, and the exit code is 1.

    With --url it starts only a worker, and submits to the node that runs there, in a group of their own. Those tasks are
    removed a minute after they ended; if it is stopped, it cancels the rest.
    """
    plan = Plan(
        tasks=tasks,
        slots=slots,
        isolation=isolation,
        payload=payload,
        repeat=repeat,
        durability=durability if url is not None else durability or "full",
        url=resolve(ClientSettings, {"url": url}).url if url is not None else (),
        token_file=str(token_file.absolute()) if token_file is not None else None,
        group=f"rota-bench-{secrets.token_hex(4)}" if url is not None else "",
    )
    _check(plan)
    _announce(plan, out)

    from rota.cli.bench.run import measured

    measured(plan, out).show(out)
    return exits.OK


def _check(plan: Plan) -> None:
    if plan.url and plan.durability is not None:
        words = "a node that runs has its own; leave it out, or leave --url out to have a node started"
        raise InvalidInput.at("--durability", "bad_arguments", words)
    if plan.token_file is not None and not plan.url:
        raise InvalidInput.at(
            "--token-file", "bad_arguments", "the node that it starts asks for no token; it goes with --url"
        )


def _announce(plan: Plan, out: Output) -> None:
    where = f"to {', '.join(plan.url)}, in the group {plan.group}" if plan.url else "to a node of its own"
    out.note(f"rota bench: submits {human.number(plan.all_tasks)} tasks {where}; Ctrl-C stops it")
