"""The `barsmith` command. Nothing heavy is imported here or in a command's module: every --help answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

#: command -> "module:attribute", imported when the command is named
COMMANDS = {
    "up": "barsmith.commands.up:up",
    "demo": "barsmith.commands.demo:demo",
    "worker": "barsmith.commands.worker:worker",
    "ingest": "barsmith.commands.ingest:ingest",
    "bars": "barsmith.commands.bars:bars",
    "quality": "barsmith.commands.bars:quality",
    "replay": "barsmith.commands.replay:replay",
    "features": "barsmith.commands.features:features",
    "train": "barsmith.commands.train:train",
    "simulate": "barsmith.commands.simulate:simulate",
    "evolve": "barsmith.commands.evolve:evolve",
    "optimize": "barsmith.commands.optimize:optimize",
    "sql": "barsmith.commands.sql:sql",
    "sweep": "barsmith.commands.sweep:sweep",
    "doctor": "barsmith.commands.doctor:doctor",
}
#: the shell's code for a command that Ctrl-C ended
_INTERRUPTED = 130


class House(click.Group):
    """A group that imports a command only when it is named, and says errors without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        return getattr(import_module(module), attribute)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            click.echo(f"\n{stop}".rstrip(), err=True)
            raise SystemExit(_INTERRUPTED) from None
        except Exception as error:
            # imported only here: this class is the base of every error that is meant to be read
            from shared.errors import BarsmithError

            if isinstance(error, BarsmithError):
                raise click.ClickException(error.detail) from error
            raise


@click.group(cls=House, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="barsmith", message="%(prog)s %(version)s")
def cli() -> None:
    """Barsmith, a strategy foundry: 1-minute bars in, trading models that earned their promotion out.

    \b
    Start here:
      barsmith demo        one complete run on a simulated market, in minutes
      barsmith up          everything on this machine; dashboards on http://127.0.0.1:8000 and up
      barsmith doctor      what is wrong with this set-up
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit code 0 is success, 1 an error that was explained, 2 a wrong use, 130 Ctrl-C."""
    cli.main(args=list(arguments) if arguments is not None else None, prog_name="barsmith")
