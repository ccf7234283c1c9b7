"""`slipway COMMAND`: what the Makefile calls. Every command has --help."""

import os
import sys

import typer
from dotenv import dotenv_values

from cli.demo import demo
from cli.doctor import doctor
from cli.down import down
from cli.rollback import rollback
from cli.screen import fail
from cli.setup import setup
from cli.status import status
from cli.up import up
from cli.upgrade import upgrade
from deployments.home import CHECKOUT
from evidence.errors import SlipwayError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
for command in (setup, doctor, demo, up, status, rollback, upgrade, down):
    app.command()(command)


def load_overrides() -> None:
    """Take SLIPWAY_* settings from the checkout's .env, unless the environment says otherwise."""
    for name, value in dotenv_values(CHECKOUT / ".env").items():
        if name.startswith("SLIPWAY_") and value is not None:
            os.environ.setdefault(name, value)


def main() -> None:
    """Run the command; what we know to go wrong is one line and exit code 1, never a traceback."""
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
