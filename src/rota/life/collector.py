"""How often a process of ours looks for garbage in cycles.

Python's default looks after every 700 new containers, which at ten thousand tasks a second is a fifth of a node's work, and
finds next to nothing: what a task leaves behind is freed by reference counts.
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 20_000, 20, 50


def collect_seldom() -> None:
    """For a process that is all ours: a node without handlers. What exists now is taken to stay and not looked at again."""
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
