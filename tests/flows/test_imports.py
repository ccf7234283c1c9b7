"""What a process does not import before it needs it: each release, check and command is a process of its own."""

import json
import subprocess
import sys

import pytest

from cli import commands
from host.home import CHECKOUT

FORBIDDEN = ("matplotlib", "scipy", "numpy", "PIL", "docker", "prefect_docker", "prefect.server", "semgrep")
COMMANDS = ", ".join(sorted(commands.MODULES.values()))  # all at once
MODULES = (
    COMMANDS,
    *(f"flows.{name}" for name in ("ci", "monitor", "reconcile", "release", "report", "rollback", "security", "test")),
    *(f"services.{name}" for name in ("exporter.main", "receiver.main", "notify.main", "watch.main")),
)


def imported(module: str, *names: str) -> list[str]:
    """Return which of the names are in memory once a fresh interpreter has imported the module."""
    code = f"import json, sys, {module}; print(json.dumps([n for n in {names!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda name: "commands" if name == COMMANDS else name)
def test_nothing_heavy_comes_along(module: str) -> None:
    assert imported(module, *FORBIDDEN) == []


@pytest.mark.parametrize(
    "module",
    [name for name in MODULES if not name.startswith("flows.")],
    ids=lambda name: "commands" if name == COMMANDS else name,
)
def test_what_stays_up_or_is_typed_does_without_prefect(module: str) -> None:
    assert imported(module, "prefect") == []


def test_what_asks_for_a_flow_run_needs_the_standard_library_only() -> None:
    assert imported("control.start_flow", "prefect", "pydantic", "structlog", "deployments", "evidence") == []


def test_what_is_imported_is_seen() -> None:
    assert imported("tasks.load.page, numpy", "numpy", "scipy") == ["numpy"]
