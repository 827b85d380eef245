"""Leased tasks that their worker has not, or no longer: back into the line, or ended where cancel was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from rota.contract.store import Store
from rota.engine.aftermath import Aftermath
from rota.engine.dispatch import Dispatch
from rota.engine.roster import Seat
from rota.engine.settings import EngineSettings
from rota.engine.store_watch import StoreWatch
from rota.model import lifecycle
from rota.model.change import Change
from rota.model.errors import RotaError
from rota.model.task import Reason, Task


class Returns:
    """Spends nothing of a task's budgets."""

    def __init__(
        self, store: Store, dispatch: Dispatch, aftermath: Aftermath, watch: StoreWatch, settings: EngineSettings
    ) -> None:
        self._store = store
        self._dispatch = dispatch
        self._aftermath = aftermath
        self._watch = watch
        self._settings = settings

    async def give_back(self, seat: Seat, tasks: Sequence[Task], reason: Reason) -> None:
        """Takes these from the seat. Where the store is away their leases lapse by themselves."""
        now = self._store.now()
        held = [task for task in tasks if seat.drop(task.id) is not None]
        changes: list[Change] = [lifecycle.release(task, now, reason, self._settings.retention) for task in held]
        if not changes:
            return
        self._dispatch.kick()  # there is room at the seat now, whatever becomes of these
        try:
            applied = await self._store.apply(changes)
        except RotaError as error:
            self._watch.failed(error)
            return
        self._aftermath.follow(held, changes, applied)
