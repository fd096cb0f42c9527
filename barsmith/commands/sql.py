"""`barsmith sql`: questions to the lake."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option


@click.command()
@click.argument("query")
@click.option("--format", "style", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@home_option
def sql(query: str, style: str, home: Path) -> None:
    """Ask the lake in SQL (DuckDB): one view per dataset, over exactly the files that are valid now.

    Works while everything runs, and on a data folder that nothing runs on.

    \b
    Example:
      barsmith sql "select symbol, count(*), min(ts), max(ts) from bars_1m group by symbol"
    """
    import duckdb

    from barsmith.database import reachable_lake
    from shared.errors import InvalidInput
    from shared.storage.duck import connect

    with reachable_lake(home) as lake:
        try:
            result = connect(lake).sql(query)
            if result is not None:
                _show(result, style)
        except duckdb.Error as error:
            raise InvalidInput(str(error).strip()) from error


def _show(result: object, style: str) -> None:
    import duckdb

    assert isinstance(result, duckdb.DuckDBPyRelation)  # noqa: S101 - a narrowing, for the type checker
    if style == "table":
        result.show(max_rows=1000, max_width=200)  # type: ignore[call-arg]
        return
    frame = result.pl()
    click.echo((frame.write_csv() if style == "csv" else frame.write_json()).rstrip())
