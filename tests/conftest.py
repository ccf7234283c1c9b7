"""One installation for the tests that need a whole one: the demo is run in it once, and they go on from there."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.demo import DEMO_SETTINGS
from deployments.ports import free_port
from tests.installation import CHECKOUT, Installation

# The order in which tests run: quick ones first, so that a broken build is told early; the ones that break things last.
LATE = ("stack", "browser", "chaos")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by how late a test must run; the order is kept otherwise."""

    def lateness(item: pytest.Item) -> int:
        return max((LATE.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in LATE), default=0)

    items.sort(key=lateness)


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """A home of its own on free ports, in which `slipway demo` was run once. Stopped and removed at the end.

    SLIPWAY_TEST_HOME names a home to use, and to leave running: for working on these tests.
    """
    kept = os.environ.get("SLIPWAY_TEST_HOME")
    home = Path(kept or tempfile.mkdtemp(prefix="slipway-test-"))
    names = ("PREFECT", "DEVELOPMENT", "STAGING", "PRODUCTION")
    ports = {f"SLIPWAY_{name}_PORT": str(free_port()) for name in names}
    if kept and (home / "ports").exists():
        ports = dict(line.split("=", 1) for line in (home / "ports").read_text().split())
    (home / "ports").write_text("\n".join(f"{name}={port}" for name, port in ports.items()))
    before = dict(os.environ)
    os.environ.update({**DEMO_SETTINGS, **ports, "SLIPWAY_HOME": str(home / "state")})
    os.environ["SLIPWAY_STAGING_APPROVAL_TIMEOUT_SECONDS"] = "30"
    made = Installation(home / "state")
    try:
        if not (kept and made.demo_report.exists()):
            made.demo_output, made.demo_exit = _demo(made)
        yield made
    finally:
        if not kept:
            subprocess.run([sys.executable, "-m", "cli.main", "down"], cwd=CHECKOUT, timeout=180, check=False)
            shutil.rmtree(home, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


def _demo(made: Installation) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    made.demo_report.parent.mkdir(parents=True, exist_ok=True)
    (made.home.root / "demo" / "output.txt").write_text(done.stdout)
    return done.stdout, done.returncode
