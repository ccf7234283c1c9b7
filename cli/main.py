"""`slipway COMMAND`: what the Makefile calls. Every command has --help."""

import os
import sys

import typer
from dotenv import dotenv_values

from cli.adopt.baseline import baseline
from cli.adopt.command import adopt
from cli.ci import ci
from cli.compose import compose
from cli.demo.main import demo
from cli.deployments import deployments
from cli.doctor import doctor
from cli.down import down
from cli.lock.main import lock
from cli.osv import osv
from cli.prune import prune
from cli.releases.release import release
from cli.releases.restored import restored
from cli.releases.rollback import rollback
from cli.report import report
from cli.scan import scan
from cli.screen import fail
from cli.setup import env_file, setup
from cli.status import status
from cli.up import up
from cli.upgrade import upgrade
from cli.verify import verify
from host.errors import SlipwayError
from host.home import CHECKOUT, Home

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
for command in (
    setup,
    doctor,
    adopt,
    demo,
    ci,
    scan,
    baseline,
    verify,
    up,
    status,
    release,
    rollback,
    restored,
    upgrade,
    down,
    osv,
    compose,
    lock,
    deployments,
    prune,
    report,
):
    app.command()(command)


def load_overrides() -> None:
    """Take SLIPWAY_* settings from the home's .env, then from the checkout's. The environment has precedence."""
    ours = dotenv_values(CHECKOUT / ".env")
    if not os.environ.get("SLIPWAY_HOME") and ours.get("SLIPWAY_HOME"):
        os.environ["SLIPWAY_HOME"] = str(ours["SLIPWAY_HOME"])
    for name, value in {**ours, **dotenv_values(env_file(Home.find()))}.items():
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
