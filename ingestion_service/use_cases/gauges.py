"""What Prometheus is told about agents, errors, lag and the disk, beside what every service tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingestion_service.use_cases.monitoring import Monitoring

#: so many symbols have a gauge of their own: those that are watched, the most behind first
_MOST_SYMBOLS = 1_000


class Gauges(Collector):
    """Asks when it is asked, so nothing is kept in memory."""

    def __init__(self, monitoring: Monitoring) -> None:
        self._monitoring = monitoring

    def collect(self) -> Iterable[Metric]:
        yield from self._agents()
        errors = GaugeMetricFamily(
            "barsmith_ingestion_errors_last_hour", "Errors by agent and class.", labels=["agent", "kind"]
        )
        for error in self._monitoring.errors():
            errors.add_metric([error.agent, error.kind], error.last_hour)
        yield errors
        lag = GaugeMetricFamily(
            "barsmith_ingestion_minutes_behind", "Regular minutes since the newest bar.", labels=["symbol"]
        )
        for row in self._monitoring.staleness()[:_MOST_SYMBOLS]:
            if row.watched and row.minutes_behind is not None:
                lag.add_metric([row.symbol], row.minutes_behind)
        yield lag
        size = GaugeMetricFamily("barsmith_lake_bytes", "Bytes of the lake's files.", labels=["dataset", "files"])
        for one in self._monitoring.disk().datasets:
            size.add_metric([one.dataset, "live"], one.bytes)
            size.add_metric([one.dataset, "superseded"], one.superseded_bytes)
        yield size
        drifted = GaugeMetricFamily(
            "barsmith_ingestion_drifted_fields", "Fields not as documented in the last day.", labels=["provider"]
        )
        for provider, fields in Counter(one.provider for one in self._monitoring.drift()).items():
            drifted.add_metric([provider], fields)
        yield drifted

    def _agents(self) -> Iterable[Metric]:
        states = GaugeMetricFamily("barsmith_agent_state", "1 for the state an agent is in.", labels=["agent", "state"])
        alerts = GaugeMetricFamily("barsmith_agent_alert", "1 while something is wrong.", labels=["agent"])
        beats = GaugeMetricFamily(
            "barsmith_agent_heartbeat_age_seconds", "Since a run last said that it lives.", labels=["agent"]
        )
        for agent in self._monitoring.agents():
            states.add_metric([agent.name, agent.state], 1)
            alerts.add_metric([agent.name], agent.alert is not None)
            if agent.heartbeat_age_s is not None:
                beats.add_metric([agent.name], agent.heartbeat_age_s)
        yield from (states, alerts, beats)
