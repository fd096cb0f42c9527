"""Options that several commands share, spelled once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from barsmith.folder import DEFAULT_HOME

F = TypeVar("F", bound=Callable[..., Any])


def home_option(function: F) -> F:
    """Add --home: the data folder."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="BARSMITH_HOME",
        show_envvar=True,
        default=Path(DEFAULT_HOME),
        show_default=True,
        help="Data folder: database, lake, models, worker token.",
        callback=lambda _context, _parameter, value: value.expanduser().resolve(),
    )(function)


def port_offset_option(function: F) -> F:
    """Add --port-offset."""
    return click.option(
        "--port-offset",
        type=click.IntRange(-7000, 56000),
        default=0,
        show_default=True,
        metavar="K",
        help="Shift all ports by K, to run a second house beside the first.",
    )(function)


def json_option(function: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON on stdout.")(function)


def workers_option(function: F) -> F:
    """Add --workers."""
    return click.option(
        "--workers", type=click.IntRange(0, 256), default=2, show_default=True, help="Worker processes, one job each."
    )(function)


def window_options(function: F) -> F:
    """Add --start and --end: a half-open span [start, end) in UTC, handed on as ISO-8601 text."""
    end = instant_option("--end", "End of the span, not included.", required=True)
    start = instant_option("--start", "First instant of the span.", required=True)
    return start(end(function))


def instant_option(name: str, words: str, *, required: bool = False) -> Callable[[F], F]:
    """Return an option for a date or an instant in UTC, handed on as ISO-8601 text, or None when it is not given."""
    return click.option(
        name,
        type=click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
        metavar="DATE",
        required=required,
        callback=lambda _context, _parameter, value: value and f"{value:%Y-%m-%dT%H:%M:%SZ}",
        help=f"{words} In UTC: 2024-01-31 or 2024-01-31T14:30:00Z.",
    )
