"""The demo's four steps, each through a service's public API: ingest, features, evolve, optimize."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from barsmith.batches import run_batch
from barsmith.evolution import evolve
from barsmith.remote import House, Progress
from shared.errors import InvalidInput

#: three years: one to learn from, one to choose on, and a sealed one of 250 sessions to confirm
SIMULATED_SPAN = {"start": "2021-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"}
#: one symbol with a planted edge, one without; the others are the market they move in
SEARCHED, CONTEXT = ("EDGE", "FLAT"), ("QMKT", "VOLX")
#: what is searched in a folder of files, if it is there
FAVOURITE = "SPY"
FEATURE_SET = "core"
#: small enough for minutes on two cores, wide enough that both kinds of model breed
PLAN: dict[str, Any] = {"generations": 3, "survivors": 3, "horizons": [15], "feature_set": FEATURE_SET}
#: models that go into the batch, best first
TOP = 4


@dataclass
class Story:
    """What the run found; filled step by step."""

    symbols: tuple[str, ...] = ()
    window: dict[str, str] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    batch: dict[str, Any] = field(default_factory=dict)


def tell_story(house: House, data: Path | None) -> Story:
    """Take one search through everything and return what it found. Raises what a service answered."""
    story = Story()
    with _step(1, "ingest"):
        _ingest(house, story, data)
    with _step(2, "features"):
        body = {"symbols": list(story.symbols), "window": story.window, "feature_set": FEATURE_SET}
        house.run("features", "/features/build", body, Progress("  features"))
    with _step(3, "evolve"):
        story.runs = evolve(house, {**PLAN, "symbols": list(story.symbols)}, Progress("  evolve"))
    with _step(4, "optimize"):
        _optimize(house, story)
    return story


def _ingest(house: House, story: Story, data: Path | None) -> None:
    if data is None:
        body = {"symbols": [*SEARCHED, *CONTEXT], **SIMULATED_SPAN}
        for job in house.run("ingestion", "/ingest", body, Progress("  ingest")):
            _count(job["result"])
        story.symbols, story.window = SEARCHED, dict(SIMULATED_SPAN)
        return
    (job,) = house.run("ingestion", "/import", {"path": str(data.resolve())}, Progress("  import"))
    _count(job["result"])
    known = {row["symbol"]: row for row in house.get("ingestion", "/symbols")}
    if not known:
        raise InvalidInput(f"{data} held no bars that could be imported")
    chosen = known.get(FAVOURITE) or max(known.values(), key=lambda row: row["rows"])
    story.symbols = (chosen["symbol"],)
    # the last bar starts at `last`; the span ends after it
    story.window = {"start": chosen["first"], "end": _after(chosen["last"])}


def _optimize(house: House, story: Story) -> None:
    """Try the strongest models of all searches on every searched symbol, on the span they were chosen on."""
    tried = [model for run in story.runs for model in run["models"] if model["select_metrics"]]
    tried.sort(key=lambda model: -(model["select_metrics"]["sqn100"] or float("-inf")))
    names = list(dict.fromkeys(model["fingerprint"] for model in tried))[:TOP]
    if not names:
        click.echo("  no model could be trained and simulated: nothing to rank", err=True)
        return
    window = story.runs[0]["periods"]["select"]["window"]
    # `end` keeps the sealed part of history unseen here, too
    body = {"models": names, "symbols": list(story.symbols), "start": window["start"], "end": window["end"]}
    body["axes"] = {"hold_bars": [0, 15]}
    story.batch = run_batch(house, body, Progress("  optimize"))


def _count(result: dict[str, Any]) -> None:
    rows, stored = result.get("rows", 0), result.get("stored", 0)
    click.echo(f"  {result.get('symbol') or 'files'}: {stored:,} of {rows:,} bars stored", err=True)


def _after(last: str) -> str:
    from datetime import datetime, timedelta

    return (datetime.fromisoformat(last) + timedelta(minutes=1)).isoformat()


@contextmanager
def _step(number: int, name: str) -> Iterator[None]:
    click.echo(f"[{number}/4] {name}", err=True)
    started = time.monotonic()
    yield
    click.echo(f"  {time.monotonic() - started:.1f} s", err=True)
