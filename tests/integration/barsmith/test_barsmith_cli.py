"""Every command answers --help with an example, in under half a second."""

import subprocess
import sys
import time
from datetime import UTC, datetime

import polars as pl
import pytest

from barsmith.cli import COMMANDS, cli
from shared.clock import FixedClock
from shared.contracts.datasets import BARS_1M
from shared.storage.embedded import EmbeddedPostgres
from shared.storage.lake import Lake, migrate_lake
from shared.storage.postgres import Database
from shared.testing.markets import reverting_bars

HALF_A_SECOND = 0.5


def commands():
    import click

    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        yield [name]
        if isinstance(command, click.Group):
            yield from ([name, sub] for sub in command.commands)


def barsmith(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "barsmith", *arguments], capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_help_shows_an_example_at_once(command):
    def timed():
        started = time.perf_counter()
        run = barsmith(*command, "--help")
        return run, time.perf_counter() - started

    run, first = timed()
    assert run.returncode == 0, run.stderr
    example = f"barsmith {' '.join(command)}"
    assert "Example:" in run.stdout
    assert example in run.stdout.split("Example:")[1]
    # the best of a few: other tests share the machine
    assert first < HALF_A_SECOND or min(timed()[1] for _ in range(4)) < HALF_A_SECOND


def test_every_command_is_listed():
    run = barsmith("--help")
    assert run.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in run.stdout


def test_errors_are_sentences_without_a_traceback(tmp_path):
    run = barsmith("train", "models", "--home", str(tmp_path), env={"BARSMITH_TRAINING_URL": "http://127.0.0.1:9"})
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("Error: the training service at http://127.0.0.1:9 does not answer")
    assert "Traceback" not in run.stderr


def test_sql_without_a_database_says_so(tmp_path):
    run = barsmith("sql", "select 1", "--home", str(tmp_path), env={})
    assert run.returncode == 1
    assert f"there is no database in {tmp_path}" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kinds", "training.dance"], "unknown job kind 'training.dance': choose from "),
        (["--server", "http://127.0.0.1:9"], "--server needs the worker token"),
        ([], "DATABASE_URL is not set"),
    ],
)
def test_a_worker_that_cannot_work_says_why(arguments, said):
    run = barsmith("worker", *arguments, env={})
    assert run.returncode == 1
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_sweep_gives_back_what_was_replaced_and_keeps_what_is_read(tmp_path):
    day = [datetime(2024, 3, 4, tzinfo=UTC), datetime(2024, 3, 5, tzinfo=UTC)]
    with EmbeddedPostgres(tmp_path / "postgres") as url:
        database = Database(url, application_name="test")
        migrate_lake(database)
        long_ago = Lake(database, str(tmp_path / "lake"), FixedClock(datetime(2024, 6, 1, tzinfo=UTC)))
        for seed in (1, 2):
            long_ago.upsert(BARS_1M, reverting_bars("SPY", *day, seed=seed))
        wanted = long_ago.read(long_ago.snapshot(BARS_1M))
        database.close()
    assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 2
    run = barsmith("sweep", "--home", str(tmp_path), env={})
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("removed 1 superseded and 0 unfinished files, ")
    (kept,) = (tmp_path / "lake").rglob("*.parquet")
    assert pl.read_parquet(kept, columns=["close"]).equals(wanted.select("close"))
