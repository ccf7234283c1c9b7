"""One installation for the tests that need a whole one: the demo is run in it once, and they go on from there."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from cli.demo.main import DEMO_SETTINGS
from host.ports import free_port
from tests.corpus import Corpus
from tests.docker_engine import docker_client as docker_client  # noqa: F401  # a fixture
from tests.docker_engine import engine as engine  # noqa: F401  # a fixture
from tests.installation import BRANCHES, CHECKOUT, Installation
from tests.not_run import making
from tests.not_run import pytest_runtest_setup as pytest_runtest_setup  # noqa: F401  # a hook

# The order in which tests run: quick ones first, so that a broken build is told early; the ones that break things last.
LATE = ("stack", "browser", "chaos")

# How many documents a fuzz test draws. The same ones each time, but for `make fuzz`. A busy machine is no failure.
settings.register_profile(
    "ci",
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fuzz", settings.get_profile("ci"), max_examples=2000, derandomize=False, print_blob=True)
settings.load_profile("ci")


def pytest_configure() -> None:
    """Run as our programs do under the supervisor: what they write only they can read, unless they lend it."""
    os.umask(0o077)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out files, not single tests."""
    from tests.side_by_side import FilesSideBySide  # only there when pytest-xdist is

    return FilesSideBySide(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by how late a test must run; the order is kept otherwise."""

    def lateness(item: pytest.Item) -> int:
        return max((LATE.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in LATE), default=0)

    items.sort(key=lateness)


# What an operator's shell may hold while he types our commands: nothing of it may stand in what they leave behind.
OPERATORS_SECRETS = {
    "SLACK_BOT_TOKEN": "xoxb-canary-" + "4f1d9a7c03be",
    "GITHUB_TOKEN": "ghp_canary" + "Q7mZ2xW9kL4vB8nR3tY6",
    "AWS_SECRET_ACCESS_KEY": "canary/" + "wJalrXUtnFEMIbPxRfiCY",
}
CORPUS = pytest.StashKey[Corpus]()


@pytest.fixture(scope="session")
def corpus(pytestconfig: pytest.Config) -> Corpus:
    """Where a test of a planted corpus records what its scan caught; the summary prints it."""
    return pytestconfig.stash.setdefault(CORPUS, Corpus())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand this process's corpus figures to the one that prints the summary, when it is another."""
    given = getattr(session.config, "workeroutput", None)
    if given is not None:
        given["corpus"] = session.config.stash.get(CORPUS, Corpus()).as_rows()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up the corpus figures of a process that has ended."""
    total = node.config.stash.setdefault(CORPUS, Corpus())
    for row in getattr(node, "workeroutput", {}).get("corpus", ()):
        total.record(*row)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the corpus figures, when a corpus was scanned in this session."""
    lines = config.stash.get(CORPUS, Corpus()).lines()
    if lines:
        terminalreporter.section("planted corpus")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def installation(pytestconfig: pytest.Config) -> Iterator[Installation]:
    """A home of its own on free ports, in which `slipway demo` was run once. Stopped and removed at the end.

    SLIPWAY_TEST_HOME names a home to use, and to leave running: for working on these tests.
    """
    kept = os.environ.get("SLIPWAY_TEST_HOME")
    home = Path(kept or tempfile.mkdtemp(prefix="slipway-test-"))
    names = ("PREFECT", "RECEIVER", "EXPORTER", "DEVELOPMENT", "STAGING", "PRODUCTION")
    ports = {f"SLIPWAY_{name}_PORT": str(free_port()) for name in names}
    if kept and (home / "ports").exists():
        ports = dict(line.split("=", 1) for line in (home / "ports").read_text().split())
    (home / "ports").write_text("\n".join(f"{name}={port}" for name, port in ports.items()))
    before = dict(os.environ)
    allowed = {f"SLIPWAY_{name}_ALLOWED_BRANCHES": BRANCHES for name in ("STAGING", "PRODUCTION")}
    os.environ.update({**DEMO_SETTINGS, **allowed, **ports, **OPERATORS_SECRETS, "SLIPWAY_HOME": str(home / "state")})
    os.environ["SLIPWAY_STAGING_APPROVAL_TIMEOUT_SECONDS"] = "90"
    made = Installation(home / "state")
    try:
        if not (kept and made.demo_report.exists()):
            with making(pytestconfig):
                made.demo_output, made.demo_exit = _demo(made)
                if made.demo_exit:
                    pytest.fail(f"slipway demo ended with {made.demo_exit}:\n{made.demo_output}", pytrace=False)
        yield made
    finally:
        if not kept:
            subprocess.run([sys.executable, "-m", "cli.main", "down"], cwd=CHECKOUT, timeout=900, check=False)
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
        timeout=3600,
        check=False,
    )
    made.demo_report.parent.mkdir(parents=True, exist_ok=True)
    (made.home.root / "demo" / "output.txt").write_text(done.stdout)
    return done.stdout, done.returncode
