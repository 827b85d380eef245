"""Which reader of protobuf this process has. The one in pure Python follows nested messages without a bound, and is slow."""

from __future__ import annotations

from google.protobuf.internal import api_implementation

from rota.model.errors import RefusesToStart

SAFE = "upb"


def check_backend() -> None:
    """Raises RefusesToStart (`slow_protobuf`) where a node would read what strangers send with another one than upb."""
    found = api_implementation.Type()
    if found != SAFE:
        raise RefusesToStart(
            f"protobuf reads messages with its {found!r} implementation, which hostile messages can crash; a node needs "
            f"{SAFE!r}. Unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION, or install protobuf from its wheel",
            code="slow_protobuf",
        )
