"""One line of the audit log: who did what to what, and how it ended. Lines are only ever added."""

from __future__ import annotations

from dataclasses import dataclass

ANYBODY = "anybody"
"""Who acts in open mode, where nobody is asked for a name."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """`number` is the store's, given when the line is kept."""

    at: int
    who: str
    """The token's name; `anybody` in open mode."""
    kid: str
    source: str
    """The address it came from."""
    door: str
    """http, grpc, link, cli."""
    action: str
    """`group.pause`, `token.create` …: noun and verb."""
    object: str
    outcome: str
    """`ok`, or the code of the refusal."""
    request_id: str = ""
    before: str = ""
    """What was there before, and after, as JSON without secrets; empty where that says nothing."""
    after: str = ""
    number: int = 0
