"""Prints the table of settings."""

from __future__ import annotations

import sys

from rota.config.table import settings_table

sys.stdout.write(settings_table("zh" if sys.argv[1:] == ["zh"] else "en"))
