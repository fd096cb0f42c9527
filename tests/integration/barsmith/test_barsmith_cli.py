"""Every command answers --help with an example, in under half a second."""

import subprocess
import sys
import time

import pytest

from barsmith.cli import COMMANDS, cli

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
