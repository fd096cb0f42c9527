"""What Prometheus is told about builds, beside what every service tells."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from feature_service.store import Store


class Gauges(Collector):
    """Asks when it is asked, so nothing is kept in memory and all workers count. No label grows with the data."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterable[Metric]:
        counts = self._store.build_counts(None)
        yield _outcomes("blocks", "Months of a symbol's set that builds asked for.", counts.misses, counts.hits)
        yield _outcomes("fits", "Estimations that blocks in the making needed.", counts.fits_made, counts.fits_reused)
        for name, told, value in (
            ("builds", "Builds that ended.", counts.builds),
            ("rows_made", "Rows of blocks that were made.", counts.rows_made),
            ("build_seconds", "Time of all builds, from a worker's claim to the end.", counts.seconds),
            ("blocks_made_twice", "Blocks that were made again from the same bars.", counts.blocks_made_twice),
        ):
            counter = CounterMetricFamily(f"barsmith_features_{name}", told)
            counter.add_metric([], value)
            yield counter


def _outcomes(name: str, told: str, made: int, reused: int) -> Metric:
    counter = CounterMetricFamily(f"barsmith_features_{name}", told, labels=["outcome"])
    counter.add_metric(["made"], made)
    counter.add_metric(["reused"], reused)
    return counter
