"""The check of the micro-benchmarks, with programs in the real sandbox. Their timer counts: no machine is too busy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.environment import Environment
from evidence.bundle import Run
from gates.check import Check, Outcome, no_verdict
from host.git import git
from host.home import Home
from settings.pipeline import Pipeline
from settings.targets import Target
from tasks.checks.base_version import Base, NoBase
from tasks.checks.benchmarks import DECIDED, benchmarks_key, look_at_benchmarks
from tasks.source.workspace import Looked
from tests.evidence.artifacts import artifact
from tests.tasks.small_app import FEWER_PLUGINS, App

COMMAND = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_benchmark.plugin", "tests/speed"]
PIPELINE = Pipeline.model_validate(
    {
        "app": {"name": "shop", "repository": "unused"},
        "locks": {"runtime": "unused", "ci": "dev.lock"},
        "run": {"command": ["python", "-m", "shop"]},
        "suites": {
            "speed": {
                "command": COMMAND,
                "benchmarks": True,
                "alone": True,
                "inputs": ["tests/**"],
                "timeout_seconds": 60,
                "environment": FEWER_PLUGINS,
            }
        },
        "performance": {"locustfile": "unused", "compare_seconds": 100_000},
    }
)
BENCHMARKS = """\
import itertools
import pytest
ticks = itertools.count(1)
def timer(step):
    return lambda: next(ticks) * step
"""
PASSED = Check(name="speed", outcome=Outcome.PASSED, reason="2 tests")


def speed(**steps: float) -> str:
    """Return a test module whose benchmarks take exactly so many seconds."""
    tests = [
        f"@pytest.mark.benchmark(timer=timer({step}))\n"
        f"def test_{name}(benchmark): benchmark.pedantic(int, rounds=5, iterations=1)\n"
        for name, step in steps.items()
    ]
    return BENCHMARKS + "".join(tests)


@pytest.fixture
def of_commit(app: App, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Base]:
    """Make an artifact of the newest commit, with the example's environment for checks."""
    monkeypatch.setattr("tasks.checks.base_version.locked_environment", lambda *asked: app.environment)
    Home.find().create()
    place = Environment.open(Target("production"), "shop")

    def make() -> Base:
        commit = git("rev-parse", "HEAD", at=app.repository)
        archive = app.repository.parent / "base.tar"
        git("archive", "--format=tar", f"--output={archive}", commit, at=app.repository)
        run = Run(command=("python", "-m", "shop"))
        digest, bundle = artifact(place.store, commit, "shop", source=place.store.put_file(archive), run=run)
        return Base(place, digest, bundle)

    return make


def look(app: App, base: Base | NoBase, report: str = "1e-3", pipeline: Pipeline = PIPELINE) -> Looked:
    """Compare the newest commit, whose suite passed and left a report."""
    file = app.repository.parent / "report.json"
    entry = '{"fullname": "tests/speed/test_speed.py::test_a", "stats": {"median": %s}}' % report
    file.write_text('{"version": "5", "benchmarks": [%s]}' % (entry if report else ""))
    return look_at_benchmarks(pipeline, "speed", Looked(PASSED, {"benchmarks": file}), app.workspace(), base, print)


def test_each_benchmark_is_held_against_the_base_measured_in_turn(
    app: App, of_commit: Callable[[], Base], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gates.checks.pairs.SLOWER_P", 0.05)  # as good as sure after 5 pairs: each takes seconds
    app.commit({"tests/speed/test_speed.py": speed(a=1, b=1, old=1), "dev.lock": ""})
    base = of_commit()
    app.commit({"tests/speed/test_speed.py": speed(a=1.2, b=1.5, new=1)})
    looked = look(app, base)
    check = looked.check
    assert check.outcome is Outcome.FAILED, check
    assert check.reason == (
        "tests/speed/test_speed.py::test_b: 1.50 times as long as v1 [1.50, 1.50], 5 pairs; allowed are 25 % more"
    )
    assert check.notes == (
        "tests/speed/test_speed.py::test_a: 1.20 times as long as v1 [1.20, 1.20], 5 pairs",
        "tests/speed/test_speed.py::test_b: 1.50 times as long as v1 [1.50, 1.50], 5 pairs",
        "tests/speed/test_speed.py::test_new: v1 does not have it: nothing to compare with",
        "tests/speed/test_speed.py::test_old: v1 has it, this commit does not",
    )
    assert [measure.value for measure in check.measures] == pytest.approx([20, 50])
    assert DECIDED in looked.files
    assert "benchmarks: pair 5: 2 of 2 decided" in capsys.readouterr().out


def limited(compare_seconds: float) -> Pipeline:
    assert PIPELINE.performance
    limits = PIPELINE.performance.model_copy(update={"compare_seconds": compare_seconds})
    return PIPELINE.model_copy(update={"performance": limits})


def test_what_is_inconclusive_is_no_pass_and_leaves_nothing_to_remember(
    app: App, of_commit: Callable[[], Base], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.checks.benchmark_pairs.MOST_PAIRS", 1)
    app.commit({"tests/speed/test_speed.py": speed(a=1), "dev.lock": ""})
    base = of_commit()
    app.commit({"tests/speed/test_speed.py": speed(a=9)})
    looked = look(app, base)
    assert (looked.check.outcome, looked.files) == (Outcome.NOT_APPLICABLE, {})
    assert looked.check.reason == "0 of 1 compared with v1, 1 inconclusive"
    never = look(app, base, pipeline=limited(0))
    assert (never.check.outcome, never.files) == (Outcome.NOT_APPLICABLE, {})
    assert never.check.reason == "inconclusive: 0 s (compare_seconds) are spent"


CRASH = "import os\ndef pytest_configure(config):\n    if config.option.benchmark_only: os._exit(7)\n"


@pytest.mark.parametrize(
    "before, after, outcome, reason",
    [
        (CRASH, None, Outcome.NOT_APPLICABLE, "the benchmarks of v1 ended with 7"),
        ("", CRASH, Outcome.NO_VERDICT, "the benchmarks of this commit ended with 7"),
    ],
)
def test_a_base_that_crashes_is_no_verdict_on_the_commit_and_a_commit_that_crashes_is(
    app: App, of_commit: Callable[[], Base], before: str, after: str | None, outcome: Outcome, reason: str
) -> None:
    name = "tests/speed/conftest.py"
    app.commit({"tests/speed/test_speed.py": speed(a=1), name: before, "dev.lock": ""})
    base = of_commit()
    app.commit({name: after, "tests/speed/test_more.py": ""})
    check = look(app, base).check
    assert check.outcome is outcome and check.reason.startswith(reason), check


def test_a_base_without_the_suite_is_not_applicable(app: App, of_commit: Callable[[], Base]) -> None:
    app.commit({"dev.lock": ""})
    base = of_commit()
    app.commit({"tests/speed/test_speed.py": speed(a=1)})
    check = look(app, base).check
    assert check.outcome is Outcome.NOT_APPLICABLE and check.reason.startswith("the benchmarks of v1 ended with 4")


def test_nothing_is_measured_when_nothing_changed_or_there_is_no_base(app: App, of_commit: Callable[[], Base]) -> None:
    app.commit({"tests/speed/test_speed.py": speed(a=1), "dev.lock": ""})
    base = of_commit()
    app.commit({"README.md": "other words"})
    same = look(app, base).check
    assert (same.outcome, same.reason) == (
        Outcome.NOT_APPLICABLE,
        "nothing that the suite speed depends on differs from v1",
    )
    none = look(app, NoBase("nothing is live yet")).check
    assert (none.outcome, none.reason) == (Outcome.NOT_APPLICABLE, "nothing is live yet")
    (Home.find().store / "blobs" / "sha256" / base.bundle.source).unlink()
    app.commit({"dev.lock": "# another environment\n"})
    gone = look(app, base).check
    assert gone.outcome is Outcome.NOT_APPLICABLE and "environment for checks cannot be made any more" in gone.reason


def test_without_a_report_of_a_suite_that_passed_there_is_no_verdict(app: App, tmp_path: Path) -> None:
    app.commit({"dev.lock": ""})
    base = NoBase("nothing is live yet")
    failed = no_verdict("speed", "it ended with 3")
    for looked in (Looked(PASSED), Looked(failed, {"benchmarks": tmp_path}), Looked(PASSED, {"benchmarks": tmp_path})):
        found = look_at_benchmarks(PIPELINE, "speed", looked, app.workspace(), base, print)
        assert found.check.outcome is Outcome.NO_VERDICT
    assert look(app, base, report="").check.reason == "the report holds no benchmark"


def test_a_result_is_remembered_for_one_base_its_limits_and_the_files_only(
    app: App, of_commit: Callable[[], Base]
) -> None:
    app.commit({"tests/speed/test_speed.py": speed(a=1), "dev.lock": ""})
    first = of_commit()
    key = benchmarks_key(PIPELINE, "speed", app.workspace(), first)
    assert benchmarks_key(PIPELINE, "speed", app.workspace(), NoBase("none")) == ""
    assert benchmarks_key(limited(7), "speed", app.workspace(), first) != key
    app.commit({"README.md": "words"})
    assert benchmarks_key(PIPELINE, "speed", app.workspace(), first) == key
    assert benchmarks_key(PIPELINE, "speed", app.workspace(), of_commit()) != key
    app.commit({"tests/speed/test_speed.py": speed(a=2)})
    assert benchmarks_key(PIPELINE, "speed", app.workspace(), first) != key
