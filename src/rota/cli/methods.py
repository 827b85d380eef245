"""`rota methods`: what can be asked for, and who serves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.output import Output
from rota.cli.reach import reach
from rota.cli.values import value_of
from rota.config import ClientSettings
from rota.config.spelling import did_you_mean
from rota.model.errors import NotFound
from rota.telemetry.safe import json_text, many_lines, one_line

if TYPE_CHECKING:
    from rota.client.views import MethodView, WorkerView


@command(ClientSettings)
def methods(
    settings: ClientSettings,
    out: Output,
    name: Annotated[str | None, Parameter(name="NAME", help="Everything about this method.")] = None,
    /,
) -> int:
    """List methods, or show one: its docs, params, versions, workers."""
    with reach(settings) as client:
        found = client.methods()
        serving = client.workers() if name is not None else []
    if name is not None:
        _show(name, found, serving, out)
    elif out.json:
        for each in found:
            out.value(value_of(each))
    elif found:
        out.table(("method", "version", "workers", "what it does"), [_row(m) for m in found], right=("workers",))
    else:
        out.note("no worker has offered a method yet; start one: rota worker module:app")
    return exits.OK


def _row(method: MethodView) -> tuple[str, ...]:
    what = next(iter(method.docs), "").strip().partition("\n")[0]
    return (method.name, str(method.version), str(method.workers), what)


def _show(name: str, found: Sequence[MethodView], workers: Sequence[WorkerView], out: Output) -> None:
    """Newest version first. Raises NotFound."""
    versions = sorted((m for m in found if m.name == name), key=lambda m: -m.version)
    if not versions:
        near = did_you_mean(name, [m.name for m in found])
        raise NotFound(f"no worker has ever offered {name!r}{near}; rota methods lists them", code="method_not_found")
    serving = [w for w in workers if name in w.methods]
    if out.json:
        for method in versions:
            out.value({**value_of(method), "served_by": [w.id for w in serving]})
        return
    for place, method in enumerate(versions):
        if place:
            out.say()
        _draw(method, out)
    out.say()
    if not serving:
        out.line("served by nobody that is connected now: start a worker that offers it")
        return
    out.say("served by")
    heads = ("worker", "name", "host", "groups", "busy")
    rows = [(w.id, w.name, w.host, ",".join(w.groups), f"{w.running}/{w.slots}") for w in serving]
    out.table(heads, rows, right=("busy",))


def _draw(method: MethodView, out: Output) -> None:
    out.line(f"{method.name}@{method.version}   offered by {human.several(method.workers, 'worker')}")
    for text in method.docs:
        out.say(_indented(many_lines(text.strip())))
    defaults = {key: value for key, value in method.defaults.items() if value not in (None, "", [], 0)}
    if defaults:
        words = ", ".join(f"{key} {one_line(json_text(value))}" for key, value in sorted(defaults.items()))
        out.line(f"  defaults: {words}")
    if method.params_schema:
        out.say("  params:")
        out.say(_indented(_indented(json_text(method.params_schema, indent=2))))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))
