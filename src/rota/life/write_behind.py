"""Writing behind: what is added is gathered in a buffer and written in one go a moment later, and flushed at the close.

The buffer is bounded and says what is left out. A write that fails because what it writes to is away (RotaError) leaves its
batch in the buffer, before what came since, and is tried again. Who is to be told of that is the writer's affair.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from rota.model.errors import RotaError

_logger = logging.getLogger("rota.life")
Item = TypeVar("Item")
Key = TypeVar("Key")
Batch = TypeVar("Batch")


class Buffer(Protocol[Batch]):
    """What waits to be written."""

    def __len__(self) -> int: ...

    def take(self) -> Batch:
        """All of it; it is empty afterwards."""
        ...

    def put_back(self, batch: Batch) -> None:
        """It was not written, and comes before what was added since."""
        ...


class Newest(Generic[Item]):
    """A buffer of items in their order. At most `most`: beyond it the oldest are dropped, and counted in `lost`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: list[Item] = []
        self.lost = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, items: Iterable[Item]) -> None:
        self._items.extend(items)
        self._drop_the_oldest()

    def take(self) -> list[Item]:
        taken = self._items
        self._items = []
        return taken

    def put_back(self, batch: list[Item]) -> None:
        self._items = batch + self._items
        self._drop_the_oldest()

    def _drop_the_oldest(self) -> None:
        if (beyond := len(self._items) - self._most) > 0:
            self.lost += beyond
            del self._items[:beyond]


class Latest(Generic[Key, Item]):
    """A buffer that keeps one item for each key, the last one: bounded by its keys."""

    def __init__(self) -> None:
        self._items: dict[Key, Item] = {}

    def __len__(self) -> int:
        return len(self._items)

    @property
    def items(self) -> Mapping[Key, Item]:
        return self._items

    def set(self, key: Key, item: Item) -> None:
        self._items[key] = item

    def take(self) -> dict[Key, Item]:
        taken = self._items
        self._items = {}
        return taken

    def put_back(self, batch: dict[Key, Item]) -> None:
        self._items = {**batch, **self._items}


class WriteBehind(Generic[Batch]):
    """Lives in the running loop. One write at a time; who waits for one may be cancelled, and the write goes on."""

    def __init__(
        self,
        buffer: Buffer[Batch],
        write: Callable[[Batch], Awaitable[None]],
        *,
        every: float,
        after_a_fault: float,
    ) -> None:
        """`every`: seconds that items are gathered for. `after_a_fault`: seconds until a write that failed is tried again."""
        self._buffer, self._write = buffer, write
        self._every, self._after_a_fault = every, after_a_fault
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[bool] | None = None

    def soon(self) -> None:
        """Something was added to the buffer."""
        if len(self._buffer):
            self._in(self._every)

    async def flush(self) -> bool:
        """What was added so far is written afterwards. False: it could not be, and waits."""
        if self._writing is not None:
            await asyncio.shield(self._writing)
        # Between the end of that write and this line the next one may have begun.
        if self._writing is not None or len(self._buffer):
            return await asyncio.shield(self._begin())
        return True

    async def close(self) -> None:
        """Writes what is left, and what is added meanwhile. What the buffer still holds could not be written, and is not tried
        again. May be called twice."""
        while (self._writing is not None or len(self._buffer)) and await self.flush():
            pass
        self._stop_the_timer()

    def _in(self, seconds: float) -> None:
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> asyncio.Task[bool]:
        self._stop_the_timer()
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_batch())
        return self._writing

    def _stop_the_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _write_batch(self) -> bool:
        """False: the batch is in the buffer again."""
        batch, done = self._buffer.take(), False
        try:
            await self._write(batch)
            done = True
        except RotaError:
            pass  # it is away, and whoever writes has told of it
        except Exception:
            # Tried again it would fail again, and hold up all that comes after it.
            _logger.exception("a batch could not be written and is left out")
            done = True
        finally:
            self._writing = None
            if not done:
                self._buffer.put_back(batch)
            if len(self._buffer):
                self._in(self._every if done else self._after_a_fault)
        return done
