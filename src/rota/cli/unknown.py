"""What was typed and is not there, told with what is near it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cyclopts import App, CycloptsError, UnusedCliTokensError

from rota.config.spelling import did_you_mean
from rota.model.errors import InvalidInput

_FLAG = re.compile(r"--[a-z][a-z-]*")
_EVERYWHERE = ("--help", "--version")


def refuse_unknown_flags(app: App, argv: Sequence[str]) -> None:
    """Before params and ids are read, which may begin with a hyphen themselves. Raises InvalidInput."""
    chain, command = _command(app, argv)
    known = [*_EVERYWHERE, *(_flags(command) if chain else ())]
    for word in argv:
        name = word.partition("=")[0]
        if _FLAG.fullmatch(name) and name not in known and (chain or word is argv[0]):
            words = _sentence(f"Unknown option: {name}{did_you_mean(name, known)}")
            raise InvalidInput(f"{words} {_try(*chain)}", code="bad_arguments")


def refusal(error: CycloptsError) -> InvalidInput:
    """What cyclopts could not use."""
    if isinstance(error, UnusedCliTokensError):
        words = f"Nothing takes {' '.join(error.unused_tokens or ())}."
    else:
        words = _sentence(str(error).rstrip())
    return InvalidInput(f"{words} {_try(*(error.command_chain or ()))}", code="bad_arguments")


def _command(app: App, argv: Sequence[str]) -> tuple[list[str], App]:
    """The command that is named, as far as it is there."""
    chain: list[str] = []
    for word in argv[:2]:
        if word.startswith("-") or word not in app:
            break
        chain.append(word)
        app = app[word]
    return chain, app


def _flags(command: App) -> Iterable[str]:
    if command.default_command is None:
        return ()
    return (name for argument in command.assemble_argument_collection() for name in argument.names)


def _sentence(words: str) -> str:
    return words if words.endswith((".", "?", "!")) else f"{words}."


def _try(*chain: str) -> str:
    return " ".join(["Try: rota", *filter(None, chain), "--help"])
