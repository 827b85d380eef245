"""What whoever presented a token may do: roles, and the groups they hold for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rota.access.roles import ALL_ROLES
from rota.model import audit
from rota.model.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Grant:
    """Made by the policy for each call, or once for a link."""

    roles: frozenset[str]
    groups: frozenset[str] | None = None
    """None: every group, and tasks without one. Else these groups alone: what is in another is not there at all."""
    kid: str = ""
    name: str = ""
    """Of the token, for the audit log."""

    @property
    def everywhere(self) -> bool:
        return self.groups is None

    def sees(self, group: str | None) -> bool:
        """Whether what is in this group exists, as far as this grant is concerned."""
        return self.groups is None or (group is not None and group in self.groups)

    def check(self, needed: frozenset[str]) -> None:
        """Raises Forbidden, which names the roles that would do."""
        if self.roles.isdisjoint(needed):
            had = ", ".join(sorted(self.roles)) or "none"
            raise Forbidden(f"this needs one of the roles {', '.join(sorted(needed))}; this token has {had}")

    def check_group(self, group: str | None) -> None:
        """For what is written. Raises Forbidden, which names the groups that would do."""
        if not self.sees(group):
            said = f"the group {group!r}" if group is not None else "what has no group"
            raise Forbidden(f"{said} is outside this token's groups, which are {self._listed()}")

    def check_worker(self, groups: Iterable[str]) -> None:
        """A worker whose token has groups serves some of those, and nothing else. Raises Forbidden."""
        if self.groups is None:
            return
        said = frozenset(groups)
        if not said:
            raise Forbidden(f"a worker with this token has to name the groups it serves: of {self._listed()}")
        if foreign := sorted(said - self.groups):
            raise Forbidden(f"the group {foreign[0]!r} is outside this token's groups, which are {self._listed()}")

    def _listed(self) -> str:
        return ", ".join(sorted(self.groups or ()))


ANYBODY = Grant(ALL_ROLES, name=audit.ANYBODY)
"""In open mode."""
NOBODY = Grant(frozenset(), frozenset(), name="nobody")
"""Who has not been asked for a token, at what is open to everybody."""
