"""`barsmith features leak-check`, as a person calls it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from barsmith.cli import cli
from barsmith.environment import url_variable
from feature_service.app import create_app
from feature_service.settings import Settings
from feature_service.wiring import assemble
from shared.contracts.datasets import BARS_1M
from shared.testing.markets import reverting_bars
from shared.testing.servers import serving

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 20, tzinfo=UTC)


_REFUSED = {
    "2024-01-03T14:30:00Z,NaN": "value is empty in all 1 rows",
    "2024-01-03T14:30:00Z,inf": "value is inf at 2024-01-03 14:30:00",
    "2024-01-03T14:30:00Z,1\n2024-01-03T14:30:00Z,1": "ts holds 2024-01-03 14:30:00",
    "2024-01-03T14:30:00Z,1\n,2": "ts is empty in 1 rows",
}


def run(*args: str, **environment: str):
    return CliRunner().invoke(cli, ["features", "leak-check", *args], env=environment)


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("def feature(bars): return bars['close'].rolling_mean(20)", 0, "ok    prefix: 8 cuts"),
        (
            "def feature(bars): return bars['close'].rolling_mean(20)",
            0,
            "      no cut that was tried shows a difference",
        ),
        ("def feature(bars): return bars['close'].rolling_mean(21, center=True)", 1, "LEAK  prefix: at 2023-"),
        ("def feature(bars, context): return bars['close'] / context['market']['close'][-1]", 1, "LEAK  context"),
        ("import random\ndef feature(bars): return bars['close'] + random.random()", 1, "Error: the function gives"),
        ("def other(bars): return bars['close']", 1, "no function called feature"),
        ("def feature(bars): return bars['close'].head(5)", 1, "returned shape (5,)"),
        ("x = 1\ndef feature(bars) return 1", 1, "cannot be run: SyntaxError: expected ':' (mine.py, line 2)"),
        ("import nowhere_at_all", 1, "cannot be run: line 1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def feature(bars):\n    return bars['closing']", 1, "bars: line 2: ColumnNotFoundError"),
        ("def feature(bars): return bars.select('ts', 'close')", 1, "the columns ['ts', 'close']: it needs ts and"),
        ("def feature(bars): return ['up'] * bars.height", 1, "returned a list that holds no numbers"),
        ("import polars as pl\ndef feature(b): return b.select('ts', value=pl.lit('x'))", 1, "values of type String"),
    ],
)
def test_a_function_in_a_file(tmp_path, code, status, words):
    file = tmp_path / "mine.py"
    file.write_text(code)
    result = run(str(file))
    assert (result.exit_code, words in result.output) == (status, True), result.output


def test_what_a_function_does_not_take_is_refused(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def feature(bars): return bars['close']")
    assert "--symbol ZZZ belongs to a column or a --feature" in run(str(file), "--symbol", "ZZZ").output
    for other in ([str(file)], ["--feature", "rsi_14", "--symbol", "SPY"]):
        assert f"--earlier {file} belongs to a column" in run(*other, "--earlier", str(file)).output


def test_a_column_and_a_feature_against_a_running_service(tmp_path, database_url, data_dir):
    settings = Settings(database_url=SecretStr(database_url), home=data_dir)
    bars = reverting_bars("SPY", START, END, seed=1)
    with assemble(settings) as wired:
        wired.resources.lake.upsert(BARS_1M, bars)
    fine, leaky, before = (tmp_path / f"{name}.csv" for name in ("fine", "leaky", "before"))
    column = bars.select("ts", value=pl.col("close").log().diff(5))
    column.write_csv(fine)
    column.with_columns(pl.col("value").shift(-5)).write_csv(leaky)
    column.head(9_000).with_columns(pl.col("value") + 0.1).write_csv(before)
    with serving(create_app(settings)) as http:
        house = {url_variable("features"): str(http.base_url)}
        honest = run(str(fine), "--symbol", "SPY", "--json", **house)
        assert (honest.exit_code, json.loads(honest.stdout)["leak"]) == (0, False), honest.output
        assert run(str(leaky), "--symbol", "SPY", **house).exit_code == 1
        changed = run(str(fine), "--symbol", "SPY", "--earlier", str(before), **house)
        assert "LEAK  vintages: 8995 of 8995 values changed" in changed.output
        for content, words in _REFUSED.items():
            leaky.write_text(f"ts,value\n{content}\n")
            assert words in run(str(leaky), "--symbol", "SPY", **house).output
        then = column.with_row_index().filter(pl.col("index").is_between(400, 8_999)).drop("index")
        empty = pl.when(pl.int_range(pl.len()) != 5_000).then("value")
        for now, old, words in (
            (column, then, "ok    vintages: all 8600 values are what they were"),
            (column, then.with_columns(empty), "LEAK  vintages: 1 of 8600 values changed afterwards; nan became"),
            (column.with_columns(empty), then, "LEAK  vintages: 1 of 8600 values changed afterwards; "),
            (column.filter(pl.int_range(pl.len()) != 5_000), then, "LEAK  vintages: 1 of 8600 values changed"),
        ):
            now.write_csv(fine)
            old.write_csv(before)
            assert words in run(str(fine), "--symbol", "SPY", "--earlier", str(before), **house).output
        assert run("--feature", "rsi_14", "--symbol", "SPY", **house).exit_code == 0
        assert "no bars of NOPE" in run(str(fine), "--symbol", "NOPE", **house).output
        assert "--symbol is needed" in run(str(fine), **house).output
        assert "either a FILE or --feature" in run(**house).output
