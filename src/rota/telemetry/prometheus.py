"""Figures for Prometheus, read when it asks: nothing is counted twice, and nothing is done while nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Reading(NamedTuple):
    """One figure. A name that ends with `_total` counts up; every other goes up and down."""

    name: str
    about: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


class Exporter(Collector):
    """One registry of its own per exporter. `read` gives the figures of now."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        for reading in self._read():
            kind = CounterMetricFamily if reading.name.endswith("_total") else GaugeMetricFamily
            family = kind(reading.name, reading.about, labels=[name for name, _ in reading.labels])
            family.add_metric([value for _, value in reading.labels], reading.value)
            yield family

    def text(self) -> bytes:
        return generate_latest(self._registry)
