"""What went wrong in a handler, as it travels from the worker to the caller and rests in the store."""

from __future__ import annotations

import json
from dataclasses import dataclass

MAX_MESSAGE, MAX_TRACEBACK = 4_096, 32_768


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception of a handler. `types` holds qualified class names, the raised class first, then its bases."""

    types: tuple[str, ...] = ()
    message: str = ""
    traceback: str = ""

    @property
    def error_type(self) -> str:
        return self.types[0] if self.types else ""

    def pack(self) -> bytes:
        """As bytes for the store: a JSON array of types, message and traceback, cut to their limits."""
        return json.dumps(
            [list(self.types[:16]), self.message[:MAX_MESSAGE], self.traceback[-MAX_TRACEBACK:]], ensure_ascii=False
        ).encode("utf-8", "replace")

    @staticmethod
    def unpack(packed: bytes | None) -> Failure:
        if not packed:
            return Failure()
        types, message, traceback = json.loads(packed)
        return Failure(tuple(types), message, traceback)
