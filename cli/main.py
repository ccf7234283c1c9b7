"""`slipway COMMAND`: what the Makefile calls. Every command has --help."""

import os
import sys
import tomllib
from typing import Annotated

import typer
from dotenv import dotenv_values

from cli.commands import Commands
from cli.screen import fail
from host.errors import SlipwayError
from host.home import CHECKOUT, Home

app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)


def _print_version(wanted: bool) -> None:
    if wanted:
        project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        typer.echo(f"slipway {project['version']}")
        raise typer.Exit


@app.callback()
def slipway(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    """Take the options that belong to no command."""


def load_overrides() -> None:
    """Take SLIPWAY_* settings from the home's .env, then from the checkout's. The environment has precedence."""
    ours = dotenv_values(CHECKOUT / ".env")
    if not os.environ.get("SLIPWAY_HOME") and ours.get("SLIPWAY_HOME"):
        os.environ["SLIPWAY_HOME"] = str(ours["SLIPWAY_HOME"])
    for name, value in {**ours, **dotenv_values(Home.find().env_file)}.items():
        if name.startswith("SLIPWAY_") and value is not None:
            os.environ.setdefault(name, value)


def main() -> None:
    """Run the command. An expected error is one line and exit code 1, never a traceback."""
    load_overrides()
    try:
        app()
    except SlipwayError as error:
        fail(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        fail("interrupted")
        sys.exit(130)


if __name__ == "__main__":
    main()
