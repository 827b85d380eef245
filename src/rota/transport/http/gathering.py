"""Single submits that come in one turn of the loop, as one batch: what a batch costs is then shared by callers that know
nothing of each other. Each gets its own receipt, and a refusal of one is no other's affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rota.contract.store import Receipt
from rota.engine.engine import Engine
from rota.model.errors import Overloaded
from rota.model.submission import Submission

MOST = 500
_Pair = tuple[Submission, asyncio.Future[Receipt]]


class Gathering:
    """For callers that may submit into any group."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[_Pair] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def submit(self, submission: Submission) -> Receipt:
        """As Engine.submit of one. A caller that goes takes nothing back."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Receipt] = loop.create_future()
        self._waiting.append((submission, told))
        if len(self._waiting) == 1:
            loop.call_soon(self._go)
        return await told

    def _go(self) -> None:
        waiting = self._waiting
        self._waiting = []
        for start in range(0, len(waiting), MOST):
            work = asyncio.get_running_loop().create_task(self._submit(waiting[start : start + MOST]))
            self._under_way.add(work)
            work.add_done_callback(self._under_way.discard)

    async def _submit(self, pairs: Sequence[_Pair]) -> None:
        try:
            receipts = await self._engine.submit([submission for submission, _ in pairs])
        except Overloaded as error:
            if len(pairs) == 1:
                _tell_all(pairs, error)
                return
            for pair in pairs:
                # There may be room for some of them.
                await self._submit([pair])
        except asyncio.CancelledError:
            for _, told in pairs:
                told.cancel()
            raise
        except Exception as error:
            _tell_all(pairs, error)
        else:
            for (_, told), receipt in zip(pairs, receipts, strict=True):
                if not told.done():
                    told.set_result(receipt)


def _tell_all(pairs: Sequence[_Pair], error: Exception) -> None:
    for _, told in pairs:
        if not told.done():
            told.set_exception(error)
