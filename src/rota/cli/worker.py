"""`rota worker`: runs the handlers of one or several modules.

Nothing is connected before every module is imported and every handler is accepted: all that is wrong is told at once.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli.command import command
from rota.cli.handlers import FORM, load, offers
from rota.cli.output import Output
from rota.cli.seal_keys import use_seal_keys
from rota.config import WorkerSettings
from rota.config.tracing import trace_where_set
from rota.model.errors import Fault, InvalidInput
from rota.telemetry.logs import log_to_stderr

if TYPE_CHECKING:
    from rota.worker.runtime import Worker


@command(WorkerSettings)
def worker(
    settings: WorkerSettings,
    out: Output,
    /,
    *targets: Annotated[
        str, Parameter(name="MODULE:APP", help="An App, or a Worker; the module is looked for from this folder.")
    ],
) -> int:
    """Run a worker with the handlers of one or several modules.

    TERM or Ctrl-C lets running handlers end within the grace and gives the rest back; a second one ends it at once. The
    exit code is 75 where the worker has to be started again, because too many of its handlers could not be stopped.
    """
    if not targets:
        raise InvalidInput.at("MODULE:APP", "bad_arguments", f"name what to run: {FORM}")
    log_to_stderr(settings.log_level, settings.log_format)
    trace_where_set(settings.otel, "rota-worker")
    use_seal_keys(settings)
    built = _worker_of(settings, targets)
    announce(built, targets, out)
    from rota.worker.runtime import EXHAUSTED

    code = built.run()
    if code == EXHAUSTED:
        _start_anew()
    return code


def _start_anew() -> None:
    """As this very process, whose threads that cannot be stopped end with it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the command it was started with


def announce(built: Worker, targets: tuple[str, ...], out: Output) -> None:
    """What it is about to do; whether the node is there is told by the log."""
    where, what = ", ".join(built.urls), ", ".join(targets)
    if out.json:
        out.value({"event": "starting", "targets": list(targets), "urls": list(built.urls), "slots": built.slots})
    else:
        out.say(f"rota worker: runs {what} for {where}, {built.slots} handlers at once; Ctrl-C drains and stops")


def _worker_of(settings: WorkerSettings, targets: tuple[str, ...]) -> Worker:
    from rota.worker.runtime import Worker

    things = load(targets)
    if len(things) == 1 and isinstance(things[0], Worker):
        return things[0]
    built = Worker(
        settings.url,
        token=settings.secret(),
        tls=settings.tls(),
        name=settings.name,
        application=",".join(targets),
        groups=settings.group,
        slots=settings.slots,
        weight=settings.weight,
        isolation=settings.isolation,
        shutdown_grace=settings.shutdown_grace / 1e6,
        max_child_memory=settings.max_child_memory,
        max_tasks_per_child=settings.max_tasks_per_child,
        targets=targets,
    )
    _add_all(built, targets, things)
    return built


def _add_all(built: Worker, targets: tuple[str, ...], things: list[object]) -> None:
    faults: list[Fault] = []
    for target, thing in zip(targets, things, strict=True):
        try:
            offers(target, thing).add_to(built)
        except InvalidInput as error:
            faults.extend(error.errors or [Fault(target, error.code, error.detail)])
    if faults:
        raise InvalidInput.all_of(faults)
