"""What ties tasks together in the store in memory: unique keys, order keys, parents and children. All by `seq`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Line:
    """The unended tasks of an order key."""

    holder: int | None = None
    behind: set[int] = field(default_factory=set)


class Ties:
    def __init__(self) -> None:
        self.unique: dict[str, int] = {}
        """Who holds a unique key."""
        self._lines: dict[str, _Line] = {}
        self._parents: defaultdict[int, set[int]] = defaultdict(set)
        """The unended tasks that a task waits for."""
        self._children: defaultdict[int, dict[int, bool]] = defaultdict(dict)
        """The tasks that wait for a task, and whether each runs anyway."""

    def free_unique(self, key: str, seq: int) -> None:
        if self.unique.get(key) == seq:
            del self.unique[key]

    # --- order keys

    def is_ordered(self, key: str) -> bool:
        return key in self._lines

    def line_up(self, key: str, seq: int) -> bool:
        """Whether it holds the key; else it waits behind another."""
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = _Line(seq)
            return True
        line.behind.add(seq)
        return False

    def leave_line(self, key: str, seq: int) -> None:
        line = self._lines[key]
        line.behind.discard(seq)
        if line.holder == seq:
            line.holder = None

    def advance(self, key: str) -> int | None:
        """The next in line holds the key, where nobody does any more."""
        line = self._lines.get(key)
        if line is None or line.holder is not None:
            return None
        if not line.behind:
            del self._lines[key]
            return None
        line.holder = min(line.behind)
        line.behind.remove(line.holder)
        return line.holder

    def is_behind(self, key: str, seq: int) -> bool:
        return seq in self._lines[key].behind

    def in_line(self, key: str) -> list[int]:
        line = self._lines.get(key, _Line())
        return [seq for seq in (line.holder, *sorted(line.behind)) if seq is not None]

    # --- parents and children

    def depend(self, child: int, parents: Iterable[int], run_anyway: bool) -> None:
        for parent in parents:
            self._parents[child].add(parent)
            self._children[parent][child] = run_anyway

    def stop_waiting(self, child: int) -> None:
        for parent in self._parents.pop(child, ()):
            del self._children[parent][child]

    def failing_with(self, lost: Iterable[int]) -> dict[int, int]:
        """Those that fail when these do, and when those do, each with the first parent that it fails with."""
        fails: dict[int, int] = {}
        fallen = list(lost)
        for parent in fallen:
            for child, run_anyway in self._children.get(parent, {}).items():
                if not run_anyway:
                    fallen += [child] * (child not in fails)
                    fails[child] = min(parent, fails.get(child, parent))
        return fails

    def release(self, gone: Iterable[int]) -> set[int]:
        """These are waited for no more; those that now wait for nobody."""
        free: set[int] = set()
        for parent in gone:
            for child in self._children.pop(parent, {}):
                self._parents[child].discard(parent)
                if not self._parents[child]:
                    del self._parents[child]
                    free.add(child)
        return free

    def parents(self, child: int) -> list[int]:
        return sorted(self._parents.get(child, ()))

    def children(self, parent: int) -> list[int]:
        return sorted(self._children.get(parent, ()))
