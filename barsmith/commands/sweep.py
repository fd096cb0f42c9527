"""`barsmith sweep`: give back the disk that superseded files hold."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option


@click.command()
@click.option(
    "--grace-hours",
    type=click.FloatRange(min=1.0),
    default=24.0,
    show_default=True,
    help="Keep what was superseded less than so long ago: longer than any read takes, and time travel goes as far.",
)
@home_option
def sweep(grace_hours: float, home: Path) -> None:
    """Remove files of the lake that newer ones replaced, and ones that a killed writer left.

    Safe while everything runs. Looking back (`as of`) reaches only as far as what was kept.

    \b
    Example:
      barsmith sweep
      barsmith sweep --grace-hours 168
    """
    from datetime import timedelta

    from barsmith.database import reachable_lake

    with reachable_lake(home) as lake:
        report = lake.sweep(timedelta(hours=grace_hours))
    click.echo(
        f"removed {report.superseded} superseded and {report.orphans} unfinished files, {report.bytes / 1e6:,.1f} MB"
    )
