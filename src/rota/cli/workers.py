"""`rota workers`: who they are and how busy; drain, resume and shut them down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings
from rota.model.errors import CannotConnect, InvalidInput, RotaError

if TYPE_CHECKING:
    from rota.client.sync import Client
    from rota.client.views import WorkerView

WorkerIds = Annotated[str, Parameter(name="ID", help="The id of a worker, or its name where no other has it.")]
Note = Annotated[str, Parameter(help="Why, for people.", metavar="TEXT")]


@command(ClientSettings)
def list_workers(
    settings: ClientSettings,
    out: Output,
    /,
    *,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="Also those that have gone in the last day.")
    ] = False,
) -> int:
    """List workers: who they are, and how busy."""
    with reach(settings) as client:
        found = client.workers(gone=all_)
    if out.json:
        for each in found:
            out.value(value_of(each))
    elif found:
        heads = (
            "worker",
            "name",
            "application",
            "host",
            "pid",
            "state",
            "groups",
            "busy",
            "done",
            "host cpu",
            "host mem",
            "seen",
        )
        out.table(
            heads,
            [_worker(w) for w in found],
            right=("pid", "busy", "done", "host cpu", "host mem"),
            optional=("pid", "application", "host mem", "host cpu", "done", "host"),
        )
    else:
        out.note("no worker is connected; start one: rota worker module:app")
    return exits.OK


@command(ClientSettings)
def drain(settings: ClientSettings, out: Output, /, *ids: WorkerIds, note: Note = "") -> int:
    """Give workers no more tasks.

    What they run goes on, and what they have not started goes back. They stay connected: rota workers resume gives them
    tasks again.
    """
    return _each(settings, ids, out, "drained", lambda client, worker: client.drain_worker(worker, note))


@command(ClientSettings)
def resume(settings: ClientSettings, out: Output, /, *ids: WorkerIds) -> int:
    """Give drained workers tasks again."""
    return _each(settings, ids, out, "resumed", lambda client, worker: client.resume_worker(worker))


@command(ClientSettings)
def shutdown(settings: ClientSettings, out: Output, /, *ids: WorkerIds) -> int:
    """Let workers finish what they run, and end.

    It is as if their processes had got a TERM: they give back what does not end within their grace. Whether something
    starts them anew is up to whoever started them.
    """
    return _each(settings, ids, out, "shut_down", lambda client, worker: client.shut_down_worker(worker))


_WORDS = {
    "drained": "gets no more tasks; rota workers resume takes that back",
    "resumed": "gets tasks again",
    "shut_down": "finishes what it runs, and ends",
}


def _each(
    settings: ClientSettings, ids: tuple[str, ...], out: Output, did: str, act: Callable[[Client, str], None]
) -> int:
    """Every worker is tried; the exit code is 1 if any of them could not be told."""
    if not ids:
        raise InvalidInput.at("ID", "bad_arguments", "name the worker: its id, or its name; rota workers lists them")
    code = exits.OK
    with reach(settings) as client:
        for worker in dict.fromkeys(ids):
            try:
                act(client, worker)
            except CannotConnect:
                raise
            except RotaError as error:
                out.error(error)
                code = exits.FAILURE
                continue
            if out.json:
                out.value({"worker": worker, "event": did})
            else:
                out.line(f"{worker}: {_WORDS[did]}")
    return code


def _worker(worker: WorkerView) -> tuple[str, ...]:
    return (
        worker.id,
        worker.name,
        worker.application,
        worker.host,
        str(worker.pid),
        worker_state(worker),
        ",".join(worker.groups),
        f"{worker.running}/{worker.slots}",
        human.number(worker.finished),
        f"{worker.load.cpu:.0%}",
        human.size(worker.load.memory_bytes),
        f"{human.between(worker.seen_at, human.now())} ago",
    )


def worker_state(worker: WorkerView) -> str:
    """`online`, `draining`, `gone: crashed`."""
    if not worker.online:
        return f"gone: {worker.gone_reason}" if worker.gone_reason else "gone"
    return "draining" if worker.draining else "online"
