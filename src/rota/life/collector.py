"""How often a process of ours looks for garbage in cycles.

Python's default looks after every 700 new containers, which at ten thousand tasks a second is a fifth of a node's work, and
finds next to nothing: what a task leaves behind is freed by reference counts. What a connection leaves behind is old by
then, and an old ring is only found by a look at everything, which counts of new containers may never bring about. So
everything is looked at once a minute.
"""

from __future__ import annotations

import asyncio
import gc

YOUNG, MIDDLE, OLD = 5_000, 50, 50
EVERY = 60.0
"""Seconds between two looks at everything; one takes some milliseconds, with a thousand links about a tenth of a second."""


def collect_seldom(loop: asyncio.AbstractEventLoop) -> None:
    """For a process that is all ours: a node without handlers. What exists now is taken to stay and not looked at again."""
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    loop.call_later(EVERY, _collect_all, loop)


def _collect_all(loop: asyncio.AbstractEventLoop) -> None:
    gc.collect()
    loop.call_later(EVERY, _collect_all, loop)
