"""Our own scans on our own repository: nothing blocks, nothing is waived, and nothing is accepted un-run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.scan_report import read_scans_of
from evidence.scopes import OURS
from evidence.signing import Keys
from flows.security import security
from gates.check import Outcome
from host.home import CHECKOUT, Home
from host.virtual_environments import COMPLETE
from services.osv import load, make_app
from settings.pipeline import read_pipeline
from tasks.scans import all_scans
from tasks.source.dependencies import own_tools
from tasks.source.locked_environments import lock_digest
from tests.serving import serving
from tests.tasks.scans.packages.advisories import write_records
from tests.tasks.scans.packages.test_npm import npm_url as npm_url  # noqa: F401  # a fixture

PIPELINE = CHECKOUT / "config" / "slipway.toml"
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".slipway", ".env", "__pycache__", "node_modules")

pytestmark = pytest.mark.usefixtures("prefect_server")


def copy_environment(directory: Path) -> None:
    """Lay the environment of these tests, by hard links, where one of that lock is kept."""
    if not (directory / COMPLETE).exists():
        shutil.copytree(sys.prefix, directory, symlinks=True, copy_function=link, dirs_exist_ok=True)
        (directory / COMPLETE).touch()


def link(source: str, target: str) -> None:
    """Link a file, or copy it to another file system."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home that has the scanners, and for our own locks the environment that was made of them to run these tests."""
    own_tools("scanners")
    home = Home(tmp_path / "home")
    home.create()
    Keys(home.keys).create()
    # Kingfisher's rules, compiled, too: that takes it longer than the scan.
    for name in ("environments", "kingfisher"):
        there = Home.find().cache / name
        there.mkdir(parents=True, exist_ok=True)
        (home.cache / name).symlink_to(there)
    pipeline = read_pipeline(PIPELINE)
    for lock in (pipeline.locks.runtime, pipeline.locks.ci):
        copy_environment(
            home.cache / "environments" / OURS.writes / lock_digest(CHECKOUT / lock.file, pipeline.app.python)
        )
    monkeypatch.setenv("SLIPWAY_HOME", str(home.root))
    return home


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """This checkout; where its history was cut off, or left out, its files as one commit."""
    asked = ["git", "-C", str(CHECKOUT), "rev-parse", "--is-shallow-repository"]
    if subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == "false":
        return CHECKOUT
    copy = tmp_path / "slipway"
    shutil.copytree(CHECKOUT, copy, ignore=NOT_COPIED)
    subprocess.run(["git", "init", "-q", str(copy)], check=True)
    return copy


def test_our_own_repository_passes_its_own_scans(
    own_home: Home, repository: Path, tmp_path: Path, npm_url: str, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    records = tmp_path / "records"
    records.mkdir()
    write_records(records)
    with serving(make_app(load(records))) as osv_url:
        monkeypatch.setenv("SLIPWAY_OSV_URL", osv_url)
        monkeypatch.setenv("SLIPWAY_PRODUCTION_RUNTIME", "compose")  # else nothing is built of Dockerfiles
        monkeypatch.setenv("SLIPWAY_NPM_AUDIT_URL", npm_url)
        state = security(working_tree=str(repository), pipeline=str(PIPELINE), return_state=True)
    (report,) = read_scans_of(own_home, str(state.state_details.flow_run_id))
    checks = {one.name: one for one in report.scanned.checks if one.name in all_scans()}
    assert {name: (one.outcome, one.reason) for name, one in checks.items() if one.outcome is not Outcome.PASSED} == {}
    assert state.is_completed() and list(checks) == list(all_scans())
    assert not report.scanned.waived and not report.scanned.accepted
    for lock in (*CHECKOUT.glob("requirements/*.lock"), *CHECKOUT.glob("examples/*/*.lock")):
        assert f"{lock.relative_to(CHECKOUT)}: " in checks["dependency"].examined
