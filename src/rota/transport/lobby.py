"""Where every link comes in, by whatever carrier."""

from __future__ import annotations

from rota.link.carrier import Carrier
from rota.transport.hall import Hall, NodeFacts
from rota.transport.session import NodeSession

__all__ = ["Lobby", "NodeFacts"]


class Lobby(Hall):
    """Made by the house with the engine; given to the doors."""

    def open(
        self,
        carrier: Carrier,
        token: str | None = None,
        source: str = "",
        certificate: frozenset[str] | None = None,
    ) -> NodeSession:
        """The node's end of a new link. `token`: as it stood in the handshake; the Hello may bring one.

        `source`: whom a bad one counts for, as `access.source_of` has it. `certificate`: the URIs in the one that the other
        side has proved to have.
        """
        return NodeSession(self, carrier, token, source, certificate)
