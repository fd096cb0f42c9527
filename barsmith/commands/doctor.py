"""`barsmith doctor`: what is wrong with this set-up."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option, json_option, port_offset_option


@click.command()
@home_option
@port_offset_option
@json_option
def doctor(home: Path, port_offset: int, as_json: bool) -> None:
    """Look at the machine, the data folder, the database, the services and the workers; change nothing.

    Exit code 1 when something fails; warnings alone give 0.

    \b
    Example:
      barsmith doctor --home /data/barsmith
    """
    import json
    from dataclasses import asdict

    from barsmith.doctor import house, machine
    from barsmith.doctor.finding import Verdict
    from barsmith.doctor.market_data import check_market_data

    findings = [
        machine.check_python(),
        machine.check_dependencies(),
        machine.check_folder(home),
        machine.check_folder_reach(home),
        machine.check_disk(home),
        *machine.check_ports(home, port_offset),
        machine.check_browser(),
        *check_market_data(port_offset),
        *house.check_house(home, port_offset),
    ]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        width = max(len(finding.check) for finding in findings)
        colours = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
        for finding in findings:
            verdict = click.style(f"{finding.verdict:<4}", fg=colours[finding.verdict])
            click.echo(f"{verdict}  {finding.check:<{width}}  {finding.seen}")
            if finding.remedy:
                click.echo(f"      {'':<{width}}  -> {finding.remedy}")
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise SystemExit(1)
