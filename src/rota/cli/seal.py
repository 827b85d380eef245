"""`rota seal`: secret params for those who submit by other means than Python, and the keys for it."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter

from rota.cli import exits
from rota.cli.command import command, plain
from rota.cli.output import Output
from rota.cli.seal_keys import use_seal_keys
from rota.config import WorkerSettings
from rota.life.clock import SystemClock
from rota.model.errors import InvalidInput
from rota.model.secret import Secret
from rota.model.text import instant_text

_KEYS = ("seal_keys", "seal_key_file")


@command(WorkerSettings, only=_KEYS)
def value(
    settings: WorkerSettings,
    out: Output,
    method: Annotated[str, Parameter(name="METHOD", help="The method whose params it will be part of.")],
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--as-json", negative="", help="The value is JSON, not a text.")] = False,
) -> int:
    """Seal a secret, and print what to put into params.

    It is read from stdin, or asked for; the end of the line is not part of it. It opens for this method only, with a key
    that its workers have.
    """
    from rota.life.sealing import PARAMS, seal

    use_seal_keys(settings)
    if not (given := _asked()):
        raise InvalidInput.at("stdin", "bad_arguments", "nothing came: write the secret, or pipe it in")
    text = seal(Secret(_decoded(given) if as_json else given), PARAMS, _named(method))
    if out.json:
        out.value({"sealed": text})
    else:
        out.say(text)
    return exits.OK


@plain
def key(
    out: Output,
    kid: Annotated[str | None, Parameter(name="KID", help="Its name; nothing said is today's date.")] = None,
    /,
) -> int:
    """Make a key, a line for a file of seal keys.

    The first line of the file seals, all of them open. Give it to those who submit and to the workers; the node needs none.
    """
    from rota.life.keyring import new_key

    line = new_key(kid if kid is not None else _today())
    if out.json:
        out.value(dict(zip(("kid", "key"), line.split(), strict=True)))
    else:
        out.say(line)
    return exits.OK


def _today() -> str:
    return "k" + instant_text(SystemClock().now())[:10].replace("-", "")


def _asked() -> str:
    return getpass.getpass("secret: ") if sys.stdin.isatty() else sys.stdin.read().removesuffix("\n").removesuffix("\r")


def _decoded(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidInput.at("stdin", "invalid_json", f"not JSON: {error}; without --as-json it is a text") from None


def _named(method: str) -> str:
    name, _, _ = method.partition("@")
    return name
