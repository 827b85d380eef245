"""What a child process sees of the worker's environment: all but secrets."""

from __future__ import annotations

import os
import re

from rota.telemetry.redaction import redactor

_SECRET = re.compile(
    r"^(?:ROTA_.*(?:TOKEN|SECRET|PASSWORD|KEY|STORE|REDIS).*|OTEL_.*HEADERS|CREDENTIALS_DIRECTORY)$", re.IGNORECASE
)
"""Tokens and keys, files of them, addresses that may hold a password; what a trace collector is shown; where a service
manager has put the credentials."""


def child_environment() -> dict[str, str]:
    """Handlers run other people's input: they need not hold the keys of the house, whatever variable repeats them."""
    return {
        name: value for name, value in os.environ.items() if not _SECRET.match(name) and redactor.own(value) == value
    }
