"""Prometheus metrics of one service, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.jobs.model import Count

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
Counts = Callable[[], Iterable[Count]]


class _QueueDepth(Collector):
    """Asks the queue when Prometheus asks us."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily("barsmith_queue_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        for count in self._counts():
            gauge.add_metric([count.kind, count.state], count.jobs)
        yield gauge


class Metrics:
    """Counts requests by method, route template and status; the route, not the path, so labels stay few."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "barsmith_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "barsmith_http_request_seconds", "Time to answer.", ["method", "route"], registry=self._registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Record one request. `status` 0: the client left before an answer began; `seconds` None: a stream."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(known, route).observe(seconds)

    def watch_queue(self, counts: Counts) -> None:
        """Add the queue's depth, read at each scrape."""
        self._registry.register(_QueueDepth(counts))

    def watch_parts(self, parts: Iterable[object]) -> None:
        """Add those of a service's parts that are collectors themselves, asked at each scrape."""
        for part in parts:
            if callable(getattr(part, "collect", None)):
                self._registry.register(cast("Collector", part))

    def exposition(self) -> bytes:
        """Return the text Prometheus reads."""
        return generate_latest(self._registry)
