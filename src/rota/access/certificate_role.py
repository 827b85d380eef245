"""Client certificates: the role stands in a URI among the certificate's subject alternative names.

    rota://CLUSTER/role/ROLE                  every group
    rota://CLUSTER/role/worker?group=mail     that group alone; several are joined by &

A certificate may have several such URIs, for the same groups; those of another cluster count for nothing. That the certificate is good has
been seen to by TLS before anything here is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, urlsplit

from rota.access.grant import Grant
from rota.access.roles import ALL_ROLES
from rota.model.errors import Forbidden

SCHEME = "rota"
_KID = "cert"


class Certificates:
    """What certificates give in one cluster."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster

    def grant(self, uris: Iterable[str]) -> Grant:
        """Raises Forbidden for a certificate that has no role in this cluster, or one that is not a role."""
        said = [found for uri in uris if (found := self._role_in(uri)) is not None]
        roles = frozenset(role for role, _ in said)
        if not roles:
            raise Forbidden(
                f"this certificate has no role here: it needs the name URI:{SCHEME}://{self._cluster}/role/ROLE with a "
                f"ROLE of {', '.join(sorted(ALL_ROLES))}"
            )
        bounds = {groups for _, groups in said}
        if len(bounds) > 1:
            raise Forbidden(
                "the roles in this certificate are for different groups: give each role a certificate of its own"
            )
        groups = bounds.pop()
        return Grant(roles, groups or None, _KID, f"certificate {'+'.join(sorted(roles))}")

    def gave(self, grant: Grant) -> bool:
        """Whether such a grant came from here."""
        return grant.kid == _KID

    def _role_in(self, uri: str) -> tuple[str, frozenset[str]] | None:
        try:
            parts = urlsplit(uri)
            asked = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            return None
        role = unquote(parts.path.removeprefix("/role/"))
        if parts.scheme != SCHEME or parts.netloc != self._cluster or role not in ALL_ROLES:
            return None
        if not parts.path.startswith("/role/") or parts.fragment or any(key != "group" or not v for key, v in asked):
            return None
        return role, frozenset(value for _, value in asked)
