"""`rota token`: made, listed, rotated and revoked, through the node or, where none runs, in its data folder.

The text of a new token is said once, alone on stdout, so that it can go straight into a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rota.cli import exits, human
from rota.cli.command import command
from rota.cli.output import Output
from rota.cli.task_flags import Seconds
from rota.cli.token_desks import FOLDER, Desk, open_desk
from rota.cli.values import value_of
from rota.config import ClientSettings, NodeSettings
from rota.model.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from rota.client.house_views import NewToken, TokenView

Kid = Annotated[str, Parameter(name="KID", help="The token's kid, or its name.")]
Kids = Annotated[str, Parameter(name="KID", help="Kids of tokens, or their names.")]
Quiet = Annotated[bool, Parameter(name=("--quiet", "-q"), negative="", help="Print the token and nothing else.")]


@command(NodeSettings, ClientSettings, only=FOLDER)
def list_tokens(
    folder: NodeSettings,
    settings: ClientSettings,
    out: Output,
    /,
    *,
    said: frozenset[str],
    all_: Annotated[bool, Parameter(name="--all", negative="", help="Also those that hold no longer.")] = False,
) -> int:
    """List tokens, without their secrets."""
    with open_desk(folder, settings, said, out) as desk:
        tokens = [token for token in desk.all() if all_ or _holds(token)]
    if out.json:
        for token in tokens:
            out.value({**value_of(token), "state": _state(token)})
    elif tokens:
        heads = ("kid", "name", "roles", "groups", "state", "created", "expires", "last used")
        out.table(heads, [_row(token, out) for token in tokens], optional=("created", "last used", "groups"))
    else:
        out.note("no token has been made; make one: rota token create NAME --role ROLE")
    return exits.OK


@command(NodeSettings, ClientSettings, only=FOLDER)
def create(
    folder: NodeSettings,
    settings: ClientSettings,
    out: Output,
    name: Annotated[str, Parameter(name="NAME", help="Who will have it; it stands in the audit log.")],
    /,
    *,
    said: frozenset[str],
    role: Annotated[
        list[str] | None,
        Parameter(help="viewer, client, worker, operator or admin; may be given again.", negative="", metavar="ROLE"),
    ] = None,
    group: Annotated[
        list[str] | None,
        Parameter(
            help="For this group only; may be given again. Not said: for all groups.", negative="", metavar="NAME"
        ),
    ] = None,
    expires: Annotated[Seconds | None, Parameter(help="How long it holds, as in 30d; not said: without end.")] = None,
    quiet: Quiet = False,
) -> int:
    """Make a token, and print it: this once, and never again.

    It goes to stdout alone, what there is to say about it to stderr. A node that was open to everybody on this machine asks
    for a token from the first one on that is made.
    """
    if not role:
        raise InvalidInput.at(
            "--role", "bad_arguments", "say what it is for: --role viewer, client, worker, operator or admin"
        )
    with open_desk(folder, settings, said, out) as desk:
        made = desk.create(name, _words(role), _words(group) if group else None, expires)
    return _tell(made, out, quiet=quiet)


@command(NodeSettings, ClientSettings, only=FOLDER)
def rotate(
    folder: NodeSettings,
    settings: ClientSettings,
    out: Output,
    kid: Kid,
    /,
    *,
    said: frozenset[str],
    quiet: Quiet = False,
) -> int:
    """Make another secret for a token, and print it.

    The new one has a kid of its own, and the same name, roles and groups. The old one holds for a day beside it, so that
    there is time to bring the new one to where it is used; rota token revoke ends it at once.
    """
    with open_desk(folder, settings, said, out) as desk:
        old = _find(kid, desk)[-1]
        made = desk.rotate(old.kid)
    return _tell(made, out, quiet=quiet, old=old)


@command(NodeSettings, ClientSettings, only=FOLDER)
def revoke(folder: NodeSettings, settings: ClientSettings, out: Output, /, *kids: Kids, said: frozenset[str]) -> int:
    """Revoke tokens: from now on they let nobody in.

    Links that were opened with them close within seconds. A name means all tokens of that name, a rotated one that still
    holds too.
    """
    if not kids:
        raise InvalidInput.at("KID", "bad_arguments", "name the token: its kid, or its name; rota token lists them")
    with open_desk(folder, settings, said, out) as desk:
        for kid in dict.fromkeys(found.kid for said in kids for found in _find(said, desk)):
            token = desk.revoke(kid)
            if out.json:
                out.value({**value_of(token), "state": _state(token)})
            else:
                out.line(f"{token.kid} ({token.name}): revoked")
    return exits.OK


def _find(said: str, desk: Desk) -> list[TokenView]:
    """By its kid, or all of that name that hold, the newest last. Raises NotFound."""
    tokens = desk.all()
    found = [t for t in tokens if t.kid == said] or [t for t in tokens if t.name == said and _holds(t)]
    if not found:
        raise NotFound(f"no token has the kid or the name {said!r}; rota token lists them", code="token_not_found")
    return found


def _words(said: Sequence[str]) -> list[str]:
    """Given again, or with commas."""
    return [word for words in said for word in words.replace(",", " ").split()]


def _tell(made: NewToken, out: Output, *, quiet: bool, old: TokenView | None = None) -> int:
    record = made.record
    if out.json:
        out.value({**value_of(record), "token": made.token})
        return exits.OK
    if not quiet:
        until = f"until {human.instant(record.expires_at)}" if record.expires_at is not None else "without end"
        out.note(f"token {record.kid} ({record.name}): {', '.join(record.roles)}; {_groups(record)}; holds {until}")
        if old is not None:
            out.note(f"the old one, {old.kid}, holds for a day beside it: rota token revoke {old.kid} ends it at once")
        if made.notice:
            out.warn(made.notice)
        out.note("it is not shown again: use it as ROTA_TOKEN, or from a file that only you can read (--token-file)")
    out.say(made.token)
    return exits.OK


def _groups(token: TokenView) -> str:
    return "every group" if token.groups is None else f"groups {', '.join(token.groups)}"


def _holds(token: TokenView) -> bool:
    return _state(token) in ("holds", "rotated")


def _state(token: TokenView) -> str:
    """`rotated`: it still holds beside its successor."""
    now = human.now()
    if token.revoked_at is not None and token.revoked_at <= now:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= now:
        return "expired"
    return "holds" if token.revoked_at is None else "rotated"


def _row(token: TokenView, out: Output) -> tuple[str, ...]:
    said = human.short_instant if out.interactive else human.instant
    return (
        token.kid,
        token.name,
        ",".join(token.roles),
        "all" if token.groups is None else ",".join(token.groups),
        _state(token),
        said(token.created_at),
        said(token.expires_at),
        said(token.last_used_at),
    )
