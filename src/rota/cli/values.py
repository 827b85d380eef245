"""What the client is told, as JSON: the same names, instants in UTC as RFC 3339, params and results as they are, but for
what is sealed."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any

from rota.cli import human
from rota.cli.output import error_value
from rota.model.errors import RotaError
from rota.model.sealed import hidden

_RAW = {"raw_params": "params", "raw_result": "result", "raw": "result"}


def value_of(view: object) -> Any:
    """A view, or anything inside one, as plain JSON values."""
    if isinstance(view, datetime):
        return human.utc(view)
    if isinstance(view, RotaError):
        return error_value(view)
    if isinstance(view, bytes):
        return json_value(view)
    if isinstance(view, (list, tuple)):
        return [value_of(item) for item in view]
    if isinstance(view, dict):
        return {str(key): value_of(item) for key, item in view.items()}
    if dataclasses.is_dataclass(view):
        return {_RAW.get(f.name, f.name): value_of(getattr(view, f.name)) for f in dataclasses.fields(view)}
    return view


def json_value(data: bytes) -> Any:
    """The value of JSON bytes, without what is sealed; None for nothing, and text for bytes that are no JSON."""
    if not data:
        return None
    try:
        return json.loads(hidden(data))
    except (ValueError, RecursionError):
        return data.decode("utf-8", "backslashreplace")
