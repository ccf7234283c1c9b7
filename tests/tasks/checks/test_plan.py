"""What a change to the example makes ci look at again: decided by the keys of its jobs, before anything runs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from cli.demo.story import make_repository, read_story
from gates.check import no_verdict
from host.git import git
from host.home import CHECKOUT
from settings.pipeline import Pipeline, read_pipeline
from tasks.checks.base_version import NoBase
from tasks.checks.past_runs import Past
from tasks.checks.plan import benchmark_jobs, coverage_jobs, load_jobs, quality_jobs, suite_jobs
from tasks.scans import Subject, all_scans
from tasks.scans.jobs import scan_jobs
from tasks.source.git import Source
from tasks.source.working_tree import read_working_tree
from tasks.source.workspace import Looked, Workspace

CODE, COMMENT = "\nCHANGED = True\n", "\n# changed\n"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LINTERS = {"black", "isort", "flake8", "mypy"}
FRONTEND = {"eslint", "tsc", "vitest"}
SUITES = {"unit", "integration", "e2e", "regression", "performance"}
# Three scans read every file, tests too: comments that silence a tool, names and sizes, the history. Coverage is told
# for the lines that were changed, wherever they are.
ALWAYS = {"code", "policy", "secrets", "coverage"}


class Bench:
    """The example's repository, and the keys that its jobs have as it lies there."""

    def __init__(self, root: Path) -> None:
        self.root, self.repository, self.reads = root, root / "assistant", 0
        self.pipeline: Pipeline = read_pipeline()
        make_repository(read_story(CHECKOUT / "examples" / "story"), self.repository)

    def keys(self) -> dict[str, str]:
        self.reads += 1
        directory = self.root / str(self.reads)
        directory.mkdir()
        with disable_run_logger():
            source = read_working_tree.fn(self.repository, directory)
        tree = source.lay_out(directory / "tree", 0)
        workspace = Workspace(directory, source, Path("/environments/of-the-lock"))
        past = Past({}, [], [])
        subject = Subject(self.pipeline, workspace, tree, source.repository)
        suites = suite_jobs(self.pipeline, workspace, past)
        others = [*quality_jobs(self.pipeline, workspace), *load_jobs(self.pipeline, workspace, past)]
        left = {job.name: Looked(no_verdict(job.name, "not run")) for job in suites}
        jobs = [*suites, *others, *scan_jobs(subject, NOW), *coverage_jobs(self.pipeline, workspace, suites, left)]
        assert all(job.key for job in jobs)
        return {job.name: job.key for job in jobs}

    def append(self, name: str, text: str) -> None:
        file = self.repository / name
        file.write_text((file.read_text() if file.exists() else "") + text)

    def restore(self) -> None:
        git("reset", "-q", "--hard", at=self.repository)
        git("clean", "-q", "-f", "-d", at=self.repository)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("plan"))


@pytest.fixture
def bench(shared: Bench) -> Iterator[Bench]:
    yield shared
    shared.restore()


@pytest.mark.parametrize(
    ("changed", "text", "looked_at_again"),
    [
        ("tests/unit/test_parsing.py", CODE, {"unit"} | LINTERS | ALWAYS),
        ("tests/unit/test_parsing.py", COMMENT, LINTERS | ALWAYS),
        ("tests/unit/test_logs.py", CODE, {"unit", "performance"} | LINTERS | ALWAYS),  # imported by the benchmarks
        ("tests/e2e/test_running.py", CODE, {"e2e"} | LINTERS | ALWAYS),
        ("tests/regression/test_new.py", COMMENT, {"regression", "sast"} | LINTERS | ALWAYS),
        ("frontend/src/new.ts", CODE, FRONTEND | ALWAYS),
        ("README.md", CODE, ALWAYS),
        ("assistant/parsing.py", CODE, SUITES | {"load", "sast"} | LINTERS | ALWAYS),
        ("assistant/parsing.py", COMMENT, {"sast"} | LINTERS | ALWAYS),
        ("assistant/seed.py", CODE, {"integration", "e2e", "load", "sast"} | LINTERS | ALWAYS),
        ("pyproject.toml", COMMENT, SUITES | {"black", "isort", "mypy"} | ALWAYS),
        ("requirements-smoke.lock", COMMENT, {"dependency", "licence", "load"} | ALWAYS),
    ],
)
def test_only_what_depends_on_a_file_looks_again(
    bench: Bench, changed: str, text: str, looked_at_again: set[str]
) -> None:
    before = bench.keys()
    bench.append(changed, text)
    after = bench.keys()
    assert {name for name, key in after.items() if key != before[name]} == looked_at_again


def test_the_pipeline_names_the_checks_that_are_planned_and_no_scan(bench: Bench) -> None:
    planned = set(bench.keys()) - set(all_scans())
    assert planned | {"compatibility", "benchmarks"} == set(bench.pipeline.checks)
    assert not set(bench.pipeline.checks) & set(all_scans())


def test_nothing_looks_again_at_the_same_files(bench: Bench) -> None:
    assert bench.keys() == bench.keys()
    bench.append("README.md", "\nchanged\n")
    assert bench.keys() == bench.keys(), "uncommitted changes, looked at twice"


def test_benchmarks_are_compared_alone_and_remembered_only_when_each_was_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.checks.plan.find_base", lambda pipeline, source: NoBase("nothing is live yet"))
    pipeline = read_pipeline()
    workspace = Workspace(tmp_path, Source("c" * 40, "v1", "main", (), tmp_path), tmp_path)
    found = {name: Looked(no_verdict(name, "not run")) for name in SUITES}
    (job,) = benchmark_jobs(pipeline, workspace, found)
    assert (job.name, job.alone, job.must_leave, job.key) == ("benchmarks", True, ("decided",), "")
    assert benchmark_jobs(pipeline.model_copy(update={"performance": None}), workspace, found) == []
    assert benchmark_jobs(pipeline.model_copy(update={"suites": {}}), workspace, found) == []
