"""Which version a commit is compared with, by journals and signed evidence in a real store."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.environment import Environment
from evidence.commits import Commit
from evidence.statements import Checked, Kind, Promoted, state
from gates.check import Check, Outcome
from host.errors import ToolError
from host.home import Home
from host.resources.shares import Shares
from settings.locks import LockChoice
from settings.pipeline import Pipeline
from settings.targets import Target
from tasks.checks.base_version import Base, NoBase, find_base
from tasks.source.git import Source
from tasks.source.workspace import Workspace
from tests.evidence.artifacts import artifact

PIPELINE = Pipeline.model_validate(
    {
        "app": {"name": "shop", "repository": "unused", "protected": ["develop"]},
        "locks": {"runtime": "unused", "ci": "dev.lock"},
        "run": {"command": ["python", "-m", "shop"]},
    }
)
OLDEST, OLD, NEW = "1" * 40, "2" * 40, "3" * 40
PASSED = (Check(name="unit", outcome=Outcome.PASSED, reason="61 tests"),)
FAILED = (Check(name="unit", outcome=Outcome.FAILED, reason="1 failed"),)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Production, in which nothing is live."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    Home.find().create()
    made = Environment.open(Target("production"), "shop")
    made.keys.create()
    made.directory.mkdir(parents=True)
    return made


def candidate(*history: str) -> Source:
    """Return the newest of some commits."""
    told = tuple(Commit(hash=one, author="", email="", subject="") for one in history)
    return Source(history[0], "candidate", "", told, Path("unused"))


def built(
    place: Environment, commit: str, branch: str = "main", checks: tuple[Check, ...] = PASSED, app: str = "shop"
) -> str:
    """Put an artifact into the store, with what was signed about it; return its digest."""
    files = {"dev.lock": b"# nothing\n"}
    digest, bundle = artifact(place.store, commit, app, files, version=f"v{commit[0]}", wheels={})
    checked = Checked(
        commit=commit,
        version=bundle.version,
        branch=branch,
        clean=True,
        isolation="namespaces",
        at=datetime(2026, 3, 1, tzinfo=UTC),
        run="run",
        checks=checks,
    )
    state(place.store, place.keys, digest, app, Kind.CHECKS, checked)
    return digest


def make_live(place: Environment, digest: str, commit: str) -> None:
    version = {"digest": digest, "version": f"v{commit[0]}", "commit": commit}
    routing = {"version": "e1-r1", "ports": {"blue": 1}, "weights": {"blue": 100}, "preview_slot": None}
    place.journal.write("routed", {"routing": routing, "live": {**version, "slot": "blue"}}, 1)


def found(*history: str) -> str:
    """Return the version that the newest of some commits is compared with, or why there is none."""
    base = find_base(PIPELINE, candidate(*history))
    return base.version if isinstance(base, Base) else base.reason


def test_without_any_version_there_is_no_base(place: Environment) -> None:
    assert found(NEW, OLD) == "nothing is live yet, and no good version that it builds on is in the store"


def test_what_is_live_is_the_base_whatever_else_there_is(place: Environment) -> None:
    built(place, OLD)
    make_live(place, built(place, OLDEST, checks=FAILED), OLDEST)
    assert found(NEW, OLD, OLDEST) == "v1"


def test_what_another_host_promoted_is_live(place: Environment) -> None:
    digest = built(place, OLDEST)
    built(place, OLD)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    promoted = Promoted(environment="staging", version="v1", commit=OLDEST, at=at, release="r1")
    state(place.store, place.keys, digest, "shop", Kind.PROMOTION, promoted)
    assert found(NEW, OLD) == "v1"


def test_a_commit_is_never_compared_with_itself(place: Environment) -> None:
    make_live(place, built(place, NEW), NEW)
    assert found(NEW, OLD) == "this commit is live itself, and no good version that it builds on is in the store"
    built(place, OLD)
    assert found(NEW, OLD, OLDEST) == "v2"


def test_else_the_nearest_good_ancestor_is(place: Environment) -> None:
    built(place, OLD)
    built(place, OLDEST)  # built again later: that makes it no nearer
    assert found(NEW, OLD, OLDEST) == "v2"
    assert found(OLD, OLDEST) == "v1"
    assert found(OLDEST).startswith("nothing is live yet")


@pytest.mark.parametrize(
    "branch, checks, app, version",
    [
        ("main", PASSED, "shop", "v2"),
        ("develop", PASSED, "shop", "v2"),
        ("feature", PASSED, "shop", "v1"),
        ("main", FAILED, "shop", "v1"),
        ("main", PASSED + FAILED, "shop", "v1"),
        ("main", (), "shop", "v1"),
        ("main", PASSED, "other", "v1"),
    ],
)
def test_only_signed_passes_of_a_protected_branch_count(
    place: Environment, branch: str, checks: tuple[Check, ...], app: str, version: str
) -> None:
    built(place, OLDEST)
    built(place, OLD, branch, checks, app)
    assert found(NEW, OLD, OLDEST) == version


def test_what_cannot_be_read_or_trusted_is_none(place: Environment) -> None:
    built(place, OLDEST)
    forged = built(place, OLD)
    (statement,) = (place.store.root / "statements" / forged).glob("checks-*.json")
    statement.write_text(statement.read_text().replace('"payload": "', '"payload": "AA'))
    (place.store.root / "artifacts" / f"{'0' * 64}.json").write_text("{}")
    assert found(NEW, OLD, OLDEST) == "v1"


def test_a_live_artifact_that_is_gone_is_no_base(place: Environment) -> None:
    digest = built(place, OLD)
    make_live(place, digest, OLD)
    (place.store.root / "artifacts" / f"{digest}.json").unlink()
    assert found(NEW, OLD).startswith(f"the base cannot be used: no artifact {digest[:12]} in ")


def base_of(place: Environment) -> Base:
    make_live(place, built(place, OLD), OLD)
    base = find_base(PIPELINE, candidate(NEW, OLD))
    assert isinstance(base, Base)
    return base


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "run").mkdir()
    return Workspace(tmp_path / "run", candidate(NEW), tmp_path / "environment", shares=Shares(300, 64))


def test_the_base_has_its_own_files_and_the_environment_of_its_own_lock(
    place: Environment, workspace: Workspace
) -> None:
    base = base_of(place)
    checks, again = (base.for_checks(PIPELINE, workspace) for _ in range(2))
    assert isinstance(checks, Workspace) and checks == again
    assert (checks.check_directory("unit") / "commit.txt").read_text() == OLD
    assert (checks.environment / "bin" / "python").exists() and checks.cancelled is workspace.cancelled
    assert checks.shares == workspace.shares


def test_a_base_that_cannot_be_made_any_more_says_why(
    place: Environment, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = base_of(place)

    def gone(*_: object) -> Path:
        raise ToolError("shop 1.0 is not on the index any more")

    monkeypatch.setattr("tasks.checks.base_version.locked_environment", gone)
    nothing = base.for_checks(PIPELINE, workspace)
    assert isinstance(nothing, NoBase)
    assert nothing.reason == (
        f"v2 ({base.digest[:12]}), the base: its environment for checks cannot be made any more: "
        "shop 1.0 is not on the index any more"
    )
    monkeypatch.undo()
    monkeypatch.setenv("SLIPWAY_HOME", str(place.home.root))
    other = PIPELINE.model_copy(
        update={"locks": PIPELINE.locks.model_copy(update={"ci": LockChoice(file="later.lock")})}
    )
    without = base.for_checks(other, workspace)
    assert isinstance(without, NoBase) and "the commit has no file later.lock" in without.reason
    (place.store.root / "blobs" / "sha256" / base.bundle.source).unlink()
    found = base.for_checks(PIPELINE, workspace)
    assert isinstance(found, NoBase) and "missing" in found.reason
