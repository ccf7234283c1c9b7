"""What `slipway` does before and beside its commands, and what it imports for them."""

import json
import re
import subprocess
import sys
import tomllib

import pytest
import typer
from typer.testing import CliRunner

from cli.commands import MODULES, Commands, Named
from cli.main import app
from host.home import CHECKOUT

HEAVY = ("docker", "matplotlib", "opentelemetry", "prefect", "psycopg", "redis", "scipy", "sqlalchemy", "sqlglot")
OURS = ("control", "deployments", "evidence", "flows", "gates", "notify", "settings", "tasks", "traffic")
ALL_OF_IT = (*HEAVY, *OURS, "cryptography", "httpx", "pydantic", "yaml")
TYPED = """\
import json, sys
from cli.main import main
sys.argv = ["slipway", *{words!r}]
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, [name for name in {names!r} if name in sys.modules]]))
"""


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param(["--help"], ALL_OF_IT, id="the-list"),
        pytest.param(["--version"], ALL_OF_IT, id="version"),
        pytest.param(["release", "--help"], (*HEAVY, "control", "deployments", "tasks"), id="release"),
        pytest.param(["rollback", "--help"], (*HEAVY, "control.plane", "tasks"), id="rollback"),
        pytest.param(["osv", "--help"], (*HEAVY, *OURS), id="osv"),
    ],
)
def test_a_command_imports_what_it_needs_and_no_other_ones(words: list[str], names: tuple[str, ...]) -> None:
    code = TYPED.format(words=words, names=names)
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


@pytest.mark.parametrize("name", MODULES)
def test_what_the_list_says_of_a_command_is_what_its_own_help_says_first(name: str) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, Commands)
    named = group.commands[name]
    assert isinstance(named, Named)
    whole = named.load()
    assert whole.name == name and named.help
    assert whole.help.split("\n\n")[0] == named.help


def test_every_command_is_listed_and_a_slip_of_the_pen_is_understood() -> None:
    listed = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    assert re.findall(r"^│ ([a-z]+) ", listed.stdout, re.MULTILINE) == list(MODULES)
    slipped = CliRunner().invoke(app, ["rolback"])
    assert slipped.exit_code == 2 and "rollback" in slipped.output


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"slipway {project['version']}\n")
