"""The demo from start to end, and how it tells what was found."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click

from barsmith.batches import show_leaderboard
from barsmith.demo.background import background, free_offset, fresh_folder
from barsmith.demo.memory import PeakMemory
from barsmith.demo.story import Story, tell_story
from barsmith.environment import addresses
from barsmith.folder import DEFAULT_HOME
from barsmith.remote import House

_ROWS = 10


def run(*, data: Path | None, home: Path | None, keep: bool, workers: int) -> None:
    """Run the demo; the stack is stopped at the end unless `keep`, and in any case when this process ends."""
    signal.signal(signal.SIGTERM, _interrupt)
    folder = (home or Path(DEFAULT_HOME) / "demo").expanduser().resolve()
    if home is None:
        fresh_folder(folder)
    started = time.monotonic()
    click.echo(f"starting everything on {folder} (log: {folder / 'up.log'})", err=True)
    try:
        with background(folder, workers=workers, port_offset=free_offset()), PeakMemory() as memory:
            click.echo(f"  {time.monotonic() - started:.1f} s", err=True)
            house = House(folder)
            story = tell_story(house, data)
            _show(house, story)
            _show_dashboards(house.urls if keep else addresses())
            seconds = time.monotonic() - started
            click.echo(f"\n{seconds:.0f} s in all, at most {memory.peak_bytes / 2**20:,.0f} MiB of memory")
            if keep:
                _stay()
    except KeyboardInterrupt:
        click.echo("\nstopped", err=True)
        raise SystemExit(0 if keep else 130) from None
    if not keep:
        # the command of this very installation: nobody need have activated it
        command = shutil.which("barsmith") or Path(sys.executable).with_name("barsmith")
        click.echo(f"stopped; the dashboards come back with: {shlex.join([str(command), 'up', '--home', str(folder)])}")


def _interrupt(signum: int, frame: object) -> None:
    del signum, frame
    raise KeyboardInterrupt


def _stay() -> None:
    click.echo("still up; Ctrl-C stops everything")
    while True:
        signal.pause()


def _show(house: House, story: Story) -> None:
    _show_leaderboard(house, story)
    _show_lineage(house, story)
    _show_promotions(house, story)


def _show_dashboards(urls: dict[str, str]) -> None:
    click.echo("\nDashboards")
    for name, url in urls.items():
        click.echo(f"  {name:<12} {url}")


def _show_leaderboard(house: House, story: Story) -> None:
    click.echo("\nLeaderboard")
    if not story.batch:
        click.echo("(none)")
        return
    show_leaderboard(house.get("optimization", "/leaderboard", batch=story.batch["fingerprint"], per_page=_ROWS))
    luck = story.batch["luck"]
    if luck["sharpe_by_luck"] is not None:
        best, by_luck = luck["best_sharpe"], luck["sharpe_by_luck"]
        click.echo(f"best Sharpe {best:.2f}; the best of {luck['trials']} worthless trials would show {by_luck:.2f}")


def _show_lineage(house: House, story: Story) -> None:
    """For the strongest model of each search: what it was bred from, oldest first."""
    click.echo("\nLineage of each search's strongest model")
    for run in story.runs:
        tried = [model for model in run["models"] if model["select_metrics"]]
        if not tried:
            click.echo(f"  {run['symbol']}: no model was tried")
            continue
        best = max(tried, key=lambda model: model["select_metrics"]["sqn100"] or float("-inf"))
        found = house.get("orchestrator", f"/lineage/{best['fingerprint']}")
        known = {model["fingerprint"]: model for model in found["models"]}
        chain = [known[name] for name in [*reversed(found["ancestors"]), best["fingerprint"]]]
        click.echo(f"  {run['symbol']}: " + " -> ".join(_link(model) for model in chain))


def _link(model: dict[str, Any]) -> str:
    metrics = model["select_metrics"] or {}
    sqn = metrics.get("sqn100")
    strength = "-" if sqn is None else f"{sqn:.2f}"
    features = len(model["features"] or [])
    return f"{model['fingerprint'][:12]} ({model['estimator']}, {features} features, SQN100 {strength})"


def _show_promotions(house: House, story: Story) -> None:
    promoted = house.get("orchestrator", "/promoted")["items"]
    ours = {run["id"] for run in story.runs}
    promoted = [one for one in promoted if one["run"] in ours]
    click.echo(f"\n{len(promoted)} promoted")
    for one in promoted:
        name = (one["model"] or one["kind"])[:12]
        loosened = f", under loosened rules: {', '.join(one['loosened'])}" if one["loosened"] else ""
        click.echo(f"  {one['symbol']} place {one['place']}: {name} ({one['kind']}){loosened}")
    for run in story.runs:
        click.echo(f"  {run['symbol']}: {run['sentence']}")
