"""Which tasks, as people say it, on its way to a node."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rota.client.said import Filter


def filter_fields(wanted: Filter) -> dict[str, Any]:
    """The fields that `List` and `Filter` have alike. Raises ValueError for an instant without a time zone."""
    states = wanted.get("states") or ()
    return {
        "states": [states] if isinstance(states, str) else list(states),
        "method": wanted.get("method") or "",
        "group": wanted.get("group") or "",
        "worker": wanted.get("worker") or "",
        "created_after": instant_sent("created_after", wanted.get("created_after")),
        "created_before": instant_sent("created_before", wanted.get("created_before")),
        "label": wanted.get("label") or "",
        "batch": wanted.get("batch") or "",
        "text": wanted.get("text") or "",
    }


def instant_sent(name: str, moment: datetime | None) -> int:
    """Microseconds since the epoch; 0 for none."""
    if moment is None:
        return 0
    if moment.tzinfo is None:
        raise ValueError(f"{name} needs a time zone: write datetime(…, tzinfo=…)")
    return round(moment.timestamp() * 1_000_000)
