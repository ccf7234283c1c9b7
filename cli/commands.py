"""The commands of `slipway`. The module of one is imported when it is typed, or when its own help is asked for."""

import re
from collections.abc import Mapping
from importlib import import_module
from inspect import cleandoc
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from host.home import CHECKOUT

# Each is the function of its own name in its module: `release` is `cli.releases.release.release`.
MODULES: Mapping[str, str] = MappingProxyType(
    {
        "setup": "cli.setup",
        "doctor": "cli.doctor",
        "adopt": "cli.adopt.command",
        "demo": "cli.demo.main",
        "ci": "cli.ci",
        "scan": "cli.scan",
        "baseline": "cli.adopt.baseline",
        "verify": "cli.verify",
        "up": "cli.up",
        "status": "cli.status",
        "release": "cli.releases.release",
        "rollback": "cli.releases.rollback",
        "restored": "cli.releases.restored",
        "upgrade": "cli.upgrade",
        "down": "cli.down",
        "osv": "cli.osv",
        "compose": "cli.compose",
        "lock": "cli.lock.main",
        "deployments": "cli.deployments",
        "prune": "cli.prune",
        "report": "cli.report",
    }
)
# What a command says of itself first: the first paragraph of its function's docstring.
SUMMARY = r'^def {}\(.*?^    """(.*?)(?:"""|\n\n)'


class Named(TyperCommand):
    """A command of which nothing but its summary is known until it is used."""

    def __init__(self, name: str) -> None:
        super().__init__(name, help=_summary(name))

    def load(self) -> Any:
        """Import the command's module and return the whole command."""
        name = str(self.name)
        made = typer.Typer(add_completion=False)
        made.command(name)(getattr(import_module(MODULES[name]), name))
        return typer.main.get_command(made)

    def make_context(self, *given: Any, **named: Any) -> Any:
        """Return the context in which the whole command is run, or shows its help."""
        return self.load().make_context(*given, **named)


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{**given, "commands": [Named(name) for name in MODULES]})


def _summary(name: str) -> str:
    """Return a command's summary from its module's text: to import it would be the work that is put off."""
    file = CHECKOUT / f"{MODULES[name].replace('.', '/')}.py"
    found = re.search(SUMMARY.format(name), file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return cleandoc(found[1]) if found else ""
