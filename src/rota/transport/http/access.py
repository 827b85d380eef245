"""Tokens and the audit log."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from rota.access.policy import OPEN_NO_LONGER
from rota.contract.store import AuditQuery
from rota.model.audit import AuditRecord
from rota.model.text import instant_text
from rota.model.token import TokenRecord
from rota.transport.http.cursor import read_cursor, write_cursor
from rota.transport.http.route import ADMINS, Reply, Request, Route
from rota.transport.http.task_calls import NoBody
from rota.transport.http.values import Instant, instant_or_none, microseconds, read_instant

_YEARS = 10 * 366 * 24 * 3600
RoleName = Literal["viewer", "client", "operator", "admin", "worker", "node"]


class TokenView(Struct, frozen=True):
    """A token, without its secret, which nobody can read again."""

    kid: Annotated[str, Meta(description="The part of the token that is no secret.")]
    name: str
    roles: list[RoleName]
    groups: Annotated[list[str] | None, Meta(description="null: every group, and tasks without one.")]
    created_at: Instant
    created_by: str
    expires_at: Instant | None
    last_used_at: Annotated[Instant | None, Meta(description="Written at most once a minute.")]
    revoked_at: Instant | None


class NewTokenView(TokenView, frozen=True):
    """With the text to present. It is shown this once."""

    token: str
    notice: Annotated[str, Meta(description="What this token changes for others, where it does; else empty.")] = ""


class Tokens(Struct, frozen=True):
    tokens: list[TokenView]


class TokenBody(Struct, forbid_unknown_fields=True, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    roles: Annotated[list[RoleName], Meta(min_length=1, max_length=6)]
    groups: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(min_length=1, max_length=1_000)] | None = None
    expires_in: Annotated[float, Meta(ge=1, le=_YEARS, description="Seconds; null: it does not expire.")] | None = None


class AuditList(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    who: Annotated[str, Meta(max_length=128, description="The name of a token.")] | None = None
    action: Annotated[str, Meta(max_length=128, description="`token.create`, or `token` for all of it.")] | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(max_length=200)] | None = None


class AuditLine(Struct, frozen=True):
    """Who did what to what, and how it ended."""

    number: int
    at: Instant
    who: str
    kid: str
    source: Annotated[str, Meta(description="The address it came from.")]
    door: str
    action: str
    object: str
    outcome: Annotated[str, Meta(description="`ok`, or the code of the refusal.")]
    request_id: str
    before: Annotated[Raw, Meta(description="What was there before, where that says something; else null.")]
    after: Raw


class AuditPage(Struct, frozen=True):
    """Newest first."""

    lines: list[AuditLine]
    cursor: Annotated[str | None, Meta(description="Ask again with it for the next page; null: there is none.")]


async def list_tokens(request: Request) -> Reply:
    return Reply(Tokens([TokenView(*_fields(token)) for token in await request.verbs.tokens()]))


async def create_token(request: Request) -> Reply:
    body: TokenBody = request.body
    was_open = request.lobby.policy.open_mode
    record, secret = await request.verbs.create_token(
        body.name, body.roles, body.groups, None if body.expires_in is None else microseconds(body.expires_in)
    )
    return Reply(NewTokenView(*_fields(record), token=secret, notice=OPEN_NO_LONGER if was_open else ""), 201)


async def rotate_token(request: Request) -> Reply:
    record, secret = await request.verbs.rotate_token(request.path["kid"])
    return Reply(NewTokenView(*_fields(record), token=secret), 201)


async def revoke_token(request: Request) -> Reply:
    return Reply(TokenView(*_fields(await request.verbs.revoke_token(request.path["kid"]))))


async def read_audit(request: Request) -> Reply:
    asked: AuditList = request.query
    query = AuditQuery(
        asked.who,
        asked.action,
        None if asked.since is None else read_instant(asked.since, "since"),
        None if asked.until is None else read_instant(asked.until, "until"),
    )
    before = None if asked.cursor is None else read_cursor(asked.cursor, asked)
    lines = await request.verbs.audit(query, before, asked.limit)
    more = len(lines) == asked.limit
    return Reply(AuditPage([_line(line) for line in lines], write_cursor(lines[-1].number, asked) if more else None))


def _fields(token: TokenRecord) -> tuple:  # type: ignore[type-arg]
    """In the order of TokenView."""
    return (
        token.kid,
        token.name,
        sorted(map(str, token.roles)),
        None if token.groups is None else sorted(token.groups),
        instant_text(token.created_at),
        token.created_by,
        instant_or_none(token.expires_at),
        instant_or_none(token.last_used_at),
        instant_or_none(token.revoked_at),
    )


def _line(line: AuditRecord) -> AuditLine:
    return AuditLine(
        line.number,
        instant_text(line.at),
        line.who,
        line.kid,
        line.source,
        line.door,
        line.action,
        line.object,
        line.outcome,
        line.request_id,
        Raw(line.before.encode() or b"null"),
        Raw(line.after.encode() or b"null"),
    )


ROUTES = [
    Route("GET", "/tokens", ADMINS, list_tokens, "All tokens", "access", {200: Tokens}),
    Route(
        "POST",
        "/tokens",
        ADMINS,
        create_token,
        "Make a token",
        "access",
        {201: NewTokenView},
        (400, 403, 409, 415, 422),
        body=TokenBody,
        about="The first token that is made ends open mode, at once.",
        examples=({"name": "ci", "roles": ["client"], "groups": ["builds"], "expires_in": 86400},),
    ),
    Route(
        "POST",
        "/tokens/{kid}/rotate",
        ADMINS,
        rotate_token,
        "Another secret with the same rights",
        "access",
        {201: NewTokenView},
        (403, 404, 409, 415, 422),
        body=NoBody,
        body_needed=False,
        about="The old one holds for a day beside it.",
    ),
    Route(
        "DELETE",
        "/tokens/{kid}",
        ADMINS,
        revoke_token,
        "Revoke a token",
        "access",
        {200: TokenView},
        (403, 404),
        body=NoBody,
        body_needed=False,
        about="Nobody is let in with it any more, and links that it opened close within seconds.",
    ),
    Route(
        "GET",
        "/audit",
        ADMINS,
        read_audit,
        "The audit log, newest first",
        "access",
        {200: AuditPage},
        (422,),
        query=AuditList,
    ),
]
