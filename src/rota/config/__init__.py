"""Every setting of Rota, defined once: flag, `ROTA_*` variable, TOML key and docs come from the same line.

    settings = resolve(NodeSettings, flags, file=Path("rota.toml"))

`python -m rota.config [en|zh]` prints the table for the docs.
"""

from __future__ import annotations

from rota.config.client import ClientSettings
from rota.config.node import NodeSettings
from rota.config.resolve import resolve, unknown_variables
from rota.config.table import settings_table
from rota.config.worker import WorkerSettings

__all__ = [
    "ClientSettings",
    "NodeSettings",
    "WorkerSettings",
    "resolve",
    "settings_table",
    "unknown_variables",
]
