"""A small app in a real git repository, its suites run in the real sandbox."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evidence.commits import read_history
from gates.check import Check
from host.git import git
from host.home import CHECKOUT
from host.virtual_environments import interpreter, make_venv
from settings.pipeline import Pipeline, Suite
from tasks.checks.suites import look_at_suite
from tasks.source.git import Source, compared_with, tracked
from tasks.source.workspace import Looked, Workspace

AUTHOR = ("-c", "user.name=Tess Tester", "-c", "user.email=tess@example.org")
# The example's plugins take half a second to load.
FEWER_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PYTEST = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with environments of tools, which are made once for all tests."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def app_environment(shared_home: Path) -> Path:
    """The example's environment for checks: pytest and coverage, as its lock pins them."""
    directory = shared_home / "cache" / "environments" / "app"
    lock = CHECKOUT / "examples" / "assistant" / "requirements-dev.lock"
    make_venv(directory, interpreter("3.11"), lock, None, shared_home / "cache" / "uv")
    return directory


@pytest.fixture
def home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_HOME", str(shared_home))
    return shared_home


@dataclass
class App:
    """A repository that can be committed to, and the directory in which its checks run."""

    repository: Path
    root: Path
    environment: Path
    branch: str = "main"

    def commit(self, files: Mapping[str, str | bytes | None]) -> str:
        """Write files (None deletes one), commit them, return the commit."""
        for name, content in files.items():
            file = self.repository / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                file.unlink()
            else:
                file.write_bytes(content.encode() if isinstance(content, str) else content)
        git("add", "-A", at=self.repository)
        git(*AUTHOR, "commit", "-q", "-m", "a change", at=self.repository)
        return git("rev-parse", "HEAD", at=self.repository)

    def workspace(self) -> Workspace:
        """Return a fresh workspace of the newest commit."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        commit = git("rev-parse", "HEAD", at=self.repository)
        archive = self.root / "source.tar"
        git("archive", "--format=tar", f"--output={archive}", commit, at=self.repository)
        at = self.repository
        parent = compared_with(at, commit, self.branch)
        source = Source(commit, "v1", "main", read_history(at, commit)[0], archive, tracked(at, commit), at, parent)
        return Workspace(self.root, source, self.environment)

    def look(self, name: str = "unit", **options: Any) -> Looked:
        """Run a suite on the newest commit, without coverage."""
        environment = {**FEWER_PLUGINS, **options.pop("environment", {})}
        given = {"command": PYTEST, "timeout_seconds": 60, "environment": environment, **options}
        suite = Suite.model_validate(given)
        return look_at_suite(name, suite, self.workspace())

    def check(self, name: str = "unit", **options: Any) -> Check:
        return self.look(name, **options).check


@pytest.fixture
def app(home: Path, app_environment: Path, tmp_path: Path) -> Iterator[App]:
    made = App(tmp_path / "repository", tmp_path / "run", app_environment)
    made.repository.mkdir()
    git("init", "-q", "-b", "main", str(made.repository))
    yield made


def pipeline(suites: Mapping[str, Mapping[str, Any]], **coverage: Any) -> Pipeline:
    """Return a pipeline whose suites are pytest commands, each on the folder tests/<name> unless it says otherwise."""
    return Pipeline.model_validate(
        {
            "app": {"name": "shop", "repository": "unused"},
            "locks": {"runtime": "unused", "ci": "unused"},
            "run": {"command": ["python", "-m", "shop"]},
            "suites": {
                name: {
                    "command": [*PYTEST[:-1], f"tests/{name}"],
                    "timeout_seconds": 60,
                    "environment": FEWER_PLUGINS,
                    **suite,
                }
                for name, suite in suites.items()
            },
            "coverage": {"covers": ["shop/**"], **coverage},
        }
    )


def processes_with(token: str) -> list[int]:
    """Return the processes on the host that have `token` among their arguments, ours left out."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if token.encode() in Path(f"/proc/{name}/cmdline").read_bytes() and int(name) != os.getpid():
                found.append(int(name))
        except OSError:
            continue
    return found
