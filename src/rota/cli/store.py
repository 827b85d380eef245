"""`rota migrate` and `rota backup`: what is done to a store's file beside a node, or without one."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.output import Output
from rota.cli.progress import Steps, steps
from rota.config import NodeSettings
from rota.model.errors import InvalidInput, RotaError

if TYPE_CHECKING:
    from rota.storage.backup import Told

_OFFLINE = ("data", "store")


@command(NodeSettings, only=_OFFLINE)
def migrate(
    settings: NodeSettings,
    out: Output,
    /,
    *,
    check: Annotated[
        bool, Parameter(negative="", help="Change nothing; the exit code is 1 if a migration is due.")
    ] = False,
) -> int:
    """Bring a store that no node is using to this version.

    The file as it was is copied beside it first. A node does the same at its start; this is for those who want to see it
    done, or to know beforehand whether it is due. A store of a newer version is refused, and never changed.
    """
    from rota.storage.migrate import version_in
    from rota.storage.schema import VERSION

    path = store_path(settings)
    if check:
        found = version_in(path)
        due = found != VERSION
        _tell_check(path, found, due, out)
        return exits.FAILURE if due else exits.OK
    return _migrate(path, out)


def _migrate(path: Path, out: Output) -> int:
    from rota.storage.lock import StoreLock, mounted, refuse_network
    from rota.storage.migrate import bring_up_to_date, kept_before, version_in
    from rota.storage.schema import VERSION

    logging.getLogger("rota.storage").addHandler(logging.NullHandler())  # what it does is said by this command
    refuse_network(path, mounted())
    lock = StoreLock(path)
    lock.acquire()
    try:
        found = version_in(path)
        if found != VERSION:
            bring_up_to_date(path)
    finally:
        lock.release()
    copy = kept_before(path) if found not in (VERSION, None) else None
    if out.json:
        value = {"store": str(path), "from": found, "to": VERSION, "changed": found != VERSION}
        out.value({**value, "copy": str(copy) if copy is not None else None})
    elif copy is not None:
        out.line(f"{path}: migrated from schema {found} to {VERSION}")
        out.line(f"the file as it was: {copy}   (remove it when the new version has proved itself)")
    elif found is None:
        out.line(f"{path}: was empty, and has schema {VERSION} now")
    else:
        out.line(f"{path}: has schema {VERSION} already, nothing to do")
    return exits.OK


def _tell_check(path: Path, found: str | None, due: bool, out: Output) -> None:
    from rota.storage.schema import VERSION

    if out.json:
        out.value({"store": str(path), "schema": found, "program": VERSION, "due": due})
    elif due:
        out.line(
            f"{path}: has schema {found or 'none'}, this version needs {VERSION}: stop the node, then rota migrate"
        )
    else:
        out.line(f"{path}: has schema {VERSION}, no migration is due")


@command(NodeSettings, only=_OFFLINE)
def backup(
    settings: NodeSettings,
    out: Output,
    to: Annotated[Path, Parameter(name="TO", help="A new file, or a folder to make one in, named after the time.")],
    /,
    *,
    replace: Annotated[bool, Parameter(negative="", help="Put it in the place of a file that is there.")] = False,
) -> int:
    """Copy a store into one file, while its node runs or not.

    It is of one instant, is checked before it gets its name, and disturbs no node. Only the owner may read it: it holds
    the params and results of tasks. To restore it see docs/operations.md.
    """
    from rota.storage.backup import visit

    path = store_path(settings)
    target = _target(to, path, replace=replace)
    begun = time.monotonic()
    with steps(out, "pages copied", None) as bar:
        copy = visit(path, target, _teller(bar))
    took = time.monotonic() - begun
    if out.json:
        facts = {"schema": copy.schema, "tasks": copy.tasks, "bytes": copy.bytes, "seconds": round(took, 3)}
        out.value({"store": str(path), "to": str(target), **facts, "checked": True})
    else:
        out.line(
            f"{target}: {human.several(copy.tasks, 'task')}, {human.size(copy.bytes)}, schema {copy.schema}, checked;"
            f" took {human.span(took)}"
        )
    return exits.OK


def _teller(bar: Steps) -> Told:
    """Tells the bar of the pages that are new since the last word."""
    before = 0

    def told(done: int, total: int) -> None:
        nonlocal before
        bar.advance(done - before, total)
        before = done

    return told


def _target(to: Path, store: Path, *, replace: bool) -> Path:
    """The file to make. Raises InvalidInput for one that cannot be."""
    target = to / f"rota-{human.now().astimezone():%Y%m%d-%H%M%S}.db" if to.is_dir() else to
    if not target.parent.is_dir():
        raise InvalidInput.at("TO", "no_such_folder", f"there is no folder {target.parent}: make it first")
    if target.exists() and target.samefile(store):
        raise InvalidInput.at("TO", "bad_arguments", f"{target} is the store itself: name another file")
    if target.exists() and not replace:
        raise InvalidInput.at("TO", "file_exists", f"{target} is there already: name another file, or say --replace")
    return target


def store_path(settings: NodeSettings) -> Path:
    """The file of a store that is there. Raises InvalidInput for a store in memory, RotaError (`no_store`) for none."""
    path = settings.store_path
    if path is None:
        raise InvalidInput.at("--store", "bad_arguments", "a store in memory has no file: it ends with its node")
    if not path.is_file():
        raise RotaError(
            f"there is no store {path}: name the node's data folder by --data, or ROTA_DATA", code="no_store"
        )
    return path
