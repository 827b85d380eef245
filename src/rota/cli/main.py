"""The entry of `rota`: runs one command and turns whatever happens into an exit code.

Nothing of the server, of SQL or of protobuf is imported here: each command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from rota.cli import exits
from rota.cli.output import Output
from rota.model.errors import InvalidInput, RotaError

if TYPE_CHECKING:
    from rich.console import Console

_HELP = frozenset({"--help", "-h"})


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Ends the process with the code of `rota.cli.exits`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = run(list(sys.argv[1:] if argv is None else argv))
    sys.exit(_flushed(code))


def run(argv: list[str]) -> int:
    """One command; the exit code."""
    out = Output(json=_wants_json(argv))
    try:
        _refuse_secrets(argv)
        return _call(argv)
    except RotaError as error:
        out.error(error)
        return exits.exit_code(error)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _closed_pipe()


def _call(argv: list[str]) -> int:
    from cyclopts import CycloptsError

    from rota.cli.app import app, import_all, import_verbs
    from rota.cli.table import with_verb
    from rota.cli.unknown import refusal, refuse_unknown_flags

    argv = with_verb(argv)
    refuse_unknown_flags(app, _own(argv))
    if not argv or argv[0] in _HELP:
        import_all()
    elif _HELP.intersection(argv[1:2]):
        import_verbs(argv[0])
    try:
        answer = app(
            argv,
            console=_console() if not argv or _HELP.intersection(argv) else None,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        raise refusal(error) from None
    return answer if isinstance(answer, int) else exits.OK


def _console() -> Console:
    """For help. Rich ends the process with 1 when the pipe is closed; ours is met in `run`, like every other."""
    from rich.console import Console

    class PipedConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return PipedConsole()


def _wants_json(argv: list[str]) -> bool:
    return "--json" in _own(argv)


def _own(argv: list[str]) -> list[str]:
    """The words before `--`, after which everything is a value."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _refuse_secrets(argv: list[str]) -> None:
    """A command line is seen by every user of the machine, and shells write it down."""
    if any(word == "--token" or word.startswith("--token=") for word in _own(argv)):
        raise InvalidInput.at(
            "--token",
            "secret_on_command_line",
            "a token on the command line can be seen by others; set the variable ROTA_TOKEN, or name a file by --token-file",
        )


def _closed_pipe() -> int:
    """Whoever read our output has gone; what is still buffered goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return exits.CLOSED_PIPE


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _closed_pipe()
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    return code
