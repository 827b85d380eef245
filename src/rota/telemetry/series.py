"""Names as labels of a metric, as many as there is room for: whoever makes up names cannot fill the memory with series."""

from __future__ import annotations

from rota.telemetry.safe import one_line

MOST = 200
OTHER = "other"
LONGEST = 128


class Names:
    """The first `most` names stand for themselves, all later ones for `other`."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def label(self, name: str) -> str:
        """What a series of this name is labelled with."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= self._most:
                return OTHER
            known = self._known[name] = one_line(name)[:LONGEST]
        return known
