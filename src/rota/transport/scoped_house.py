"""The house as a token sees it that is bound to groups: its groups, the workers that serve them, and their methods."""

from __future__ import annotations

from dataclasses import replace

from rota.access.grant import Grant
from rota.contract.store import ALL
from rota.engine.engine import Engine
from rota.engine.gauges import Figures
from rota.model.control import Control, Scope
from rota.model.group import GroupView
from rota.model.method import Method
from rota.model.task import State
from rota.model.worker import WorkerRecord


class ScopedHouse:
    """Over an engine, for a grant with groups. It has the engine's verbs that look at the house."""

    def __init__(self, engine: Engine, grant: Grant) -> None:
        self._engine, self._grant = engine, grant

    async def workers(self, gone: bool = False) -> list[WorkerRecord]:
        """Those that serve at least one of the groups."""
        groups = self._grant.groups or frozenset()
        return [worker for worker in await self._engine.workers(gone) if not groups.isdisjoint(worker.facts.groups)]

    async def methods(self) -> list[tuple[Method, int]]:
        """Those that such workers offer, or offered within the last day."""
        offered: dict[tuple[str, int], int] = {}
        for worker in await self.workers(gone=True):
            for method in worker.methods:
                offered[method.name, method.version] = offered.get((method.name, method.version), 0) + worker.online
        return [
            (method, offered[method.name, method.version])
            for method, _ in await self._engine.methods()
            if (method.name, method.version) in offered
        ]

    async def groups(self, after: str | None = None, limit: int = ALL) -> list[GroupView]:
        return await self._engine.groups(after, limit, self._grant.groups or frozenset())

    async def controls(self) -> list[Control]:
        """Those of the groups; what is set for the node or a method is not this token's affair."""
        return [c for c in await self._engine.controls() if c.scope is Scope.GROUP and self._grant.sees(c.name or None)]

    async def figures(self) -> Figures:
        """Unended tasks and workers of the groups. What is counted for the node as a whole is left out."""
        tasks: dict[State, int] = {}
        groups = await self.groups()
        for group in groups:
            for state, count in group.tasks.items():
                tasks[state] = tasks.get(state, 0) + count
        own = self._engine.live_counts()
        return replace(
            own,
            tasks=tasks,
            workers=len(await self.workers()),
            unended=sum(tasks.values()),
            submit_rate=sum(group.submit_rate for group in groups),
            finish_rate=sum(group.finish_rate for group in groups),
            submitted=0,
            finished=0,
            failed=0,
            rescued=0,
        )
