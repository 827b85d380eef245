"""Figures written down for Prometheus, read when it asks: nothing is done while nobody looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from rota.telemetry.histogram import Histogram
from rota.telemetry.reading import Reading

__all__ = ["CONTENT_TYPE", "Exporter", "Reading"]
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Exporter(Collector):
    """One registry of its own per exporter, with what every process tells beside its readings."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        families: dict[str, list[Reading]] = {}
        for reading in self._readings:
            families.setdefault(reading.name, []).append(reading)
        yield from map(_family, families.values())

    def text(self, readings: Iterable[Reading]) -> bytes:
        """The exposition of these. Series of one name have the same labels."""
        self._readings = list(readings)
        try:
            return generate_latest(self._registry)
        finally:
            self._readings = []


def _family(readings: list[Reading]) -> Metric:
    name, about, value, labels = readings[0]
    names = [label for label, _ in labels]
    if isinstance(value, Histogram):
        histograms = HistogramMetricFamily(name, about, labels=names)
        for reading in readings:
            if isinstance(reading.value, Histogram):
                histograms.add_metric(_values(reading), list(reading.value.buckets()), reading.value.total)
        return histograms
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(name, about, labels=names)
    for reading in readings:
        if not isinstance(reading.value, Histogram):
            family.add_metric(_values(reading), reading.value)
    return family


def _values(reading: Reading) -> list[str]:
    return [value for _, value in reading.labels]
