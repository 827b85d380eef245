"""What a child process sees of the worker's environment: all but secrets."""

from __future__ import annotations

import os
import re

_SECRET = re.compile(r"^ROTA_.*(TOKEN|SECRET|PASSWORD|KEY|STORE|REDIS)", re.IGNORECASE)
"""Tokens and keys, files of them, and addresses that may hold a password."""


def child_environment() -> dict[str, str]:
    """Handlers run other people's input: they need not hold the keys of the house."""
    return {name: value for name, value in os.environ.items() if not _SECRET.match(name)}
