"""What Rota asks of a tracing library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

Kind = Literal["producer", "consumer", "server"]
Attributes = Mapping[str, str | int]


class Tracer(Protocol):
    """Spans are named by traceparents, as texts, so that nobody else needs to know the library."""

    def inject(self) -> str:
        """The traceparent of the span under way; empty outside of one."""
        ...

    def span(
        self, name: str, kind: Kind, *, parent: str = "", links: Sequence[str] = (), attributes: Attributes
    ) -> AbstractContextManager[str]:
        """A span while the block runs, which gets its traceparent. `parent` and `links`: traceparents; without a parent
        it belongs to the span under way. What is raised in the block fails the span, and passes."""
        ...

    def record(
        self, name: str, kind: Kind, *, parent: str, began: int, ended: int, attributes: Attributes, error: str = ""
    ) -> None:
        """A span that is over already. Instants are microseconds since the epoch; an `error` fails it."""
        ...
