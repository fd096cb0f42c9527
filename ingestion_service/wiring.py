"""Puts ingestion together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ingestion_service.settings import IEX_CLOSED, Settings
from ingestion_service.store.agents import AgentStore
from ingestion_service.store.bars import BarStore
from ingestion_service.store.exchange_clock import MarketTime, provider_clock
from ingestion_service.store.offers import is_streamed, offers, open_feed
from ingestion_service.store.providers import Providers
from ingestion_service.use_cases import (
    ActionIntake,
    Actions,
    Agents,
    Bars,
    Comparing,
    Estimates,
    Filler,
    Intake,
    Monitoring,
    Quality,
    Releasing,
    Retention,
    Watchlist,
)
from ingestion_service.use_cases.agents import Work
from ingestion_service.use_cases.backfill import Backfill
from ingestion_service.use_cases.gap_agents import GapFiller, GapScanner
from ingestion_service.use_cases.gauges import Gauges
from ingestion_service.use_cases.live import LiveUpdater
from shared.contracts.kinds import JobKind
from shared.jobs.resources import Resources, open_resources

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wired:
    resources: Resources
    bars: Bars
    intake: Intake
    estimates: Estimates
    quality: Quality
    releasing: Releasing
    filler: Filler
    comparing: Comparing
    actions: Actions
    action_intake: ActionIntake
    agents: Agents
    watchlist: Watchlist
    retention: Retention
    monitoring: Monitoring
    gauges: Gauges
    #: what each agent does in a run
    works: Mapping[JobKind, Work]


@contextmanager
def assemble(settings: Settings) -> Iterator[Wired]:
    """Open what the service holds; the provider's client is made when a job first fetches."""
    with open_resources(settings, package="ingestion_service", schema="ingestion") as resources:
        market = MarketTime(partial(provider_clock, settings, resources.clock), resources.clock)
        store = BarStore(resources.database, resources.lake, market)
        providers = Providers(offers(settings, resources.clock), settings.chain, resources.clock, settings.own_chains)
        if settings.iex_token.get_secret_value():
            _log.warning("a setting that has no use any more", extra={"action": "iex_closed", "detail": IEX_CLOSED})
        queue, lake, clock = resources.queue, resources.lake, resources.clock
        intake = Intake(store, queue, clock, providers, market)
        bars, filler = Bars(store, clock), Filler(store, intake, queue)
        agent_store = AgentStore(resources.database)
        agents = Agents(agent_store, queue, clock)
        retention = Retention(agent_store, store.asks, lake, queue, clock)
        scanner = GapScanner(store)
        monitoring = Monitoring(agents, agent_store, store, lake, settings.lake_root, clock, market)
        live = LiveUpdater(
            store,
            queue,
            clock,
            providers,
            open_feed=partial(open_feed, settings),
            is_streamed=partial(is_streamed, settings),
            open_clock=partial(provider_clock, settings, clock),
        )
        yield Wired(
            resources=resources,
            bars=bars,
            intake=intake,
            estimates=Estimates(store, queue, market, providers),
            quality=Quality(store, bars),
            releasing=Releasing(store, clock),
            filler=filler,
            comparing=Comparing(store, providers, queue, clock),
            actions=Actions(store),
            action_intake=ActionIntake(store.actions, queue, providers),
            agents=agents,
            watchlist=Watchlist(agent_store, store, intake, market),
            retention=retention,
            monitoring=monitoring,
            gauges=Gauges(monitoring),
            works={
                JobKind.BACKFILL_AGENT: Backfill(store, intake, market).run,
                JobKind.LIVE_AGENT: live.run,
                JobKind.SCAN_AGENT: scanner.run,
                JobKind.FILL_AGENT: GapFiller(scanner, filler, clock).run,
                JobKind.RETENTION_AGENT: retention.run,
            },
        )
