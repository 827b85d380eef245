"""Notes when the store goes and comes back, as the engine's own writes meet it."""

from __future__ import annotations

from collections.abc import Callable

from rota.contract.herald import Herald
from rota.model.errors import RotaError

UNKNOWN = "outcome_unknown"


class StoreWatch:
    """Tells the herald once each way. `doubt` is called at every failed write, `unknown` where it may have landed all the
    same."""

    def __init__(self, herald: Herald) -> None:
        self._herald = herald
        self.away = ""
        """Why the last write failed; empty while writes go well."""
        self.doubt: Callable[[], None] = _nothing
        self.unknown: Callable[[], None] = _nothing

    def failed(self, error: BaseException) -> None:
        """A write did not come back with an answer."""
        self.doubt()
        if not isinstance(error, RotaError) or error.code == UNKNOWN:
            self.unknown()
        if isinstance(error, RotaError) and not self.away:
            self.away = error.code
            self._herald.node("store_away", error.detail)

    def worked(self) -> None:
        """A write came back. Cheap to call where nothing is wrong."""
        if self.away:
            self.away = ""
            self._herald.node("store_back")


def _nothing() -> None: ...
