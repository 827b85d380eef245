"""Where an answer is put for the one who waits for it: an asyncio future, a thread, or another loop's future.

The core is woken once for many calls, and wakes a foreign loop once for many answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from typing import Any, Protocol


class Slot(Protocol):
    """Takes one answer. An `asyncio.Future` is one."""

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: Any, /) -> None: ...


class ThreadSlot:
    """For a thread that waits. A bare lock: cheaper than a condition, and a signal interrupts the wait."""

    __slots__ = ("_done", "_error", "_lock", "_result")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None

    def done(self) -> bool:
        return self._done

    def set_result(self, result: Any, /) -> None:
        self._result, self._done = result, True
        self._lock.release()

    def set_exception(self, exception: BaseException, /) -> None:
        self._error, self._done = exception, True
        self._lock.release()

    def wait(self, timeout: float | None = None) -> Any:
        """The result, or the exception raised. TimeoutError when it did not come in time."""
        if not self._lock.acquire(timeout=-1 if timeout is None else max(timeout, 0.0)):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._result


class LoopSlots:
    """Slots for the futures of one foreign loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._answers: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._woken = False

    def new(self) -> LoopSlot:
        """To be called in the loop itself."""
        return LoopSlot(self, self.loop.create_future())

    def put(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        """From any thread."""
        self._answers.append((future, result, error))
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there
                self.loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        self._woken = False
        while self._answers:
            future, result, error = self._answers.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class LoopSlot:
    """One future of a foreign loop."""

    __slots__ = ("_done", "_slots", "future")

    def __init__(self, slots: LoopSlots, future: asyncio.Future[Any]) -> None:
        self._slots, self.future = slots, future
        self._done = False

    def done(self) -> bool:
        return self._done

    def set_result(self, result: Any, /) -> None:
        self._done = True
        self._slots.put(self.future, result, None)

    def set_exception(self, exception: BaseException, /) -> None:
        self._done = True
        self._slots.put(self.future, None, exception)
