"""Where a node keeps its data if nothing is said."""

from __future__ import annotations

import os
from pathlib import Path


def default_data() -> Path:
    """`/var/lib/rota` as root, else the XDG data folder."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/rota")
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "rota"
