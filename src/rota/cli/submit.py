"""`rota submit` and `rota execute`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rota.cli import exits
from rota.cli.command import command
from rota.cli.ending import show_ending
from rota.cli.many import submit_file, warning_words
from rota.cli.output import Output
from rota.cli.params import read_params
from rota.cli.reach import reach
from rota.cli.task_flags import NO_FLAGS, Flags, Seconds, TaskFlags, call_extras
from rota.cli.values import value_of
from rota.config import ClientSettings
from rota.model.errors import InvalidInput

Method = Annotated[str, Parameter(name="METHOD", help="The method's name; add@2 pins a version.")]
Params = Annotated[
    str | None,
    Parameter(
        name="PARAMS", help="JSON: an object by names, an array by places; - reads stdin.", allow_leading_hyphen=True
    ),
]
WaitTimeoutFlag = Annotated[
    Seconds | None, Parameter(help="How long to wait for the end; the task goes on after that.")
]


@command(ClientSettings)
def submit(
    settings: ClientSettings,
    out: Output,
    method: Method,
    params: Params = None,
    /,
    *,
    flags: Flags = None,
    many: Annotated[
        Path | None,
        Parameter(help="A file with the JSON params of one task a line; - is stdin.", allow_leading_hyphen=True),
    ] = None,
    wait: Annotated[bool, Parameter(negative="", help="Wait for the end.")] = False,
    wait_timeout: WaitTimeoutFlag = None,
) -> int:
    """Hand in a task, or many from a file, and print its id.

    With --wait it prints the result too, and the exit code is 1 if the task did not succeed.
    """
    extras = call_extras(flags or NO_FLAGS)
    if many is not None:
        _check_many(params, flags or NO_FLAGS)
        return submit_file(settings, out, method, many, extras, wait=wait, wait_timeout=wait_timeout)
    from rota.client.call import call

    made = call(method, read_params(params), **extras)
    with reach(settings) as client:
        receipt = client.submit_call(made)
        if receipt.warning:
            out.warn(f"task {receipt.id}: {warning_words(receipt.warning, method)}")
        if wait:
            return show_ending(client.wait(receipt.id, wait_timeout), out)
    if out.json:
        out.value(value_of(receipt))
    else:
        out.say(receipt.id)
        if receipt.duplicate:
            out.note("it was there before: the same key")
    return exits.OK


@command(ClientSettings)
def execute(
    settings: ClientSettings,
    out: Output,
    method: Method,
    params: Params = None,
    /,
    *,
    flags: Flags = None,
    wait_timeout: WaitTimeoutFlag = None,
) -> int:
    """Hand in a task, wait for it, and print its result as JSON.

    The exit code is 1 if the task did not succeed. Ctrl-C stops the waiting, not the task.
    """
    from rota.client.call import call

    made = call(method, read_params(params), **call_extras(flags or NO_FLAGS))
    with reach(settings) as client:
        return show_ending(client.execute_call(made, wait_timeout), out)


def _check_many(params: str | None, flags: TaskFlags) -> None:
    if params is not None:
        raise InvalidInput.at("PARAMS", "bad_arguments", "with --many the params come from the file")
    if flags.idempotency_key is not None or flags.unique_key is not None:
        words = "one key for many tasks would make one task of them: leave it out with --many"
        raise InvalidInput.at(
            "--unique-key" if flags.unique_key is not None else "--idempotency-key", "bad_arguments", words
        )
