"""Where a node keeps its data if nothing is said."""

from __future__ import annotations

import os
from pathlib import Path


def default_data() -> Path:
    """`/var/lib/rota` as root, else the XDG data folder; for a user without a home, as in a container, `.rota` here."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/rota")
    base = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "rota"
    try:
        return Path.home() / ".local" / "share" / "rota"
    except RuntimeError:
        return Path(".rota").absolute()
