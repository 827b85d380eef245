"""Tells which Python files below a folder have changed since the last look, by their times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_NOT_OURS = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "env", "build", "dist"})


class Watch:
    """One look a second is enough for a person who edits files; nothing of it runs in production."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = dict(self._times())

    def changed(self) -> str:
        """The name of one file that was changed, added or removed; empty for none."""
        now = dict(self._times())
        before, self._seen = self._seen, now
        if now == before:
            return ""
        path = next(iter(sorted(p for p in now.keys() | before.keys() if now.get(p) != before.get(p))))
        return os.path.relpath(path, self._folder)

    def _times(self) -> Iterator[tuple[str, int]]:
        for folder, folders, files in os.walk(self._folder):
            folders[:] = [f for f in folders if not f.startswith(".") and f not in _NOT_OURS]
            for name in files:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    try:
                        yield path, os.stat(path).st_mtime_ns
                    except FileNotFoundError:
                        continue
