"""What a figure is, before any exporter writes it down."""

from __future__ import annotations

from typing import NamedTuple

from rota.telemetry.histogram import Histogram

Labels = tuple[tuple[str, str], ...]


class Reading(NamedTuple):
    """One figure. A name that ends with `_total` counts up; a Histogram is one; every other goes up and down."""

    name: str
    about: str
    value: float | Histogram
    labels: Labels = ()
