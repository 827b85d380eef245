"""The part of the store in memory that is kept for the whole node: controls, tokens, the audit log, the series."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

from rota.contract.store import AuditQuery
from rota.model.audit import AuditRecord
from rota.model.control import Control, Scope
from rota.model.errors import Conflict
from rota.model.series import Point
from rota.model.token import TokenRecord


class Ledger:
    """What it holds are records that nobody changes, so they are handed out as they are."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._controls: dict[tuple[Scope, str], Control] = {}
        self._tokens: dict[str, TokenRecord] = {}
        self._audit: deque[AuditRecord] = deque()
        self._points: dict[int, Point] = {}

    def set_control(self, control: Control) -> None:
        place = control.scope, control.name
        self._controls.pop(place, None)
        if not control.sets_nothing:
            self._controls[place] = control

    def controls(self) -> list[Control]:
        return [self._controls[place] for place in sorted(self._controls)]

    def depth_limit(self, group: str) -> int | None:
        control = self._controls.get((Scope.GROUP, group))
        return control.max_queued if control is not None else None

    def add_token(self, token: TokenRecord) -> None:
        if any(known.name == token.name and known.revoked_at is None for known in self._tokens.values()):
            raise name_taken(token.name)
        self._tokens[token.kid] = token

    def revoke_token(self, kid: str, at: int) -> TokenRecord | None:
        token = self._tokens.get(kid)
        if token is not None and (token.revoked_at is None or token.revoked_at > at):
            token = self._tokens[kid] = replace(token, revoked_at=at)
        return token

    def touch_tokens(self, used: Mapping[str, int]) -> None:
        for kid, at in used.items():
            token = self._tokens.get(kid)
            if token is not None and (token.last_used_at or 0) < at:
                self._tokens[kid] = replace(token, last_used_at=at)

    def tokens(self) -> list[TokenRecord]:
        return sorted(self._tokens.values(), key=lambda token: (token.created_at, token.kid))

    def add_audit(self, lines: Sequence[AuditRecord]) -> None:
        self._audit.extend(replace(line, number=next(self._numbers)) for line in lines)

    def forget_audit(self, keep: int) -> None:
        while len(self._audit) > keep:
            self._audit.popleft()

    def audit_log(self, query: AuditQuery, before: int | None, limit: int) -> list[AuditRecord]:
        lines = (
            line for line in reversed(self._audit) if (before is None or line.number < before) and _matches(query, line)
        )
        return [line for line, _ in zip(lines, range(limit), strict=False)]

    def add_points(self, points: Sequence[Point], forget_before: int) -> None:
        self._points.update((point.at, point) for point in points)
        self._points = {at: point for at, point in self._points.items() if at >= forget_before}

    def points(self, since: int) -> list[Point]:
        return [self._points[at] for at in sorted(self._points) if at >= since]


def _matches(query: AuditQuery, line: AuditRecord) -> bool:
    return (
        (query.who is None or line.who == query.who)
        and (query.action is None or line.action == query.action or line.action.startswith(query.action + "."))
        and (query.since is None or line.at >= query.since)
        and (query.until is None or line.at < query.until)
    )


def name_taken(name: str) -> Conflict:
    return Conflict(
        f"there is a token named {name!r} that is not revoked: revoke or rotate it, or take another name",
        code="name_taken",
    )
