"""Real suites under coverage in the real sandbox, judged on real data: each gate failing, and its twin passing."""

import json
import shutil
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gates.check import Check, Outcome
from gates.checks.coverage import CHANGED, TOTAL, suite_measure
from host.git import git
from host.virtual_environments import share_read_only
from settings.pipeline import Pipeline
from tasks.checks.coverage import figures, look_at_coverage, read_json, read_seen, zipped
from tasks.checks.coverage_config import app_settings, carry_out, denominator
from tasks.checks.coverage_page import coverage_page
from tasks.checks.suites import look_at_suite
from tasks.source.workspace import Looked, Workspace
from tests.tasks.small_app import App, pipeline

UNIT = suite_measure("unit")


def functions(*names: str) -> str:
    """A module of two statements for each name: one that its import runs, one that a call does."""
    return "\n\n".join(f"def {name}():\n    return {name!r}\n" for name in names)


def calls(module: str, *names: str) -> str:
    lines = "".join(f"    {name}()\n" for name in names)
    return f"from shop.{module} import {', '.join(names)}\n\n\ndef test_{module}():\n{lines}"


TEN = tuple(f"f{number}" for number in range(10))
SHOP = {"shop/__init__.py": "", "shop/a.py": functions(*TEN)}


def run_suites(app: App, plan: Pipeline) -> tuple[Workspace, dict[str, Looked]]:
    workspace = app.workspace()
    return workspace, {name: look_at_suite(name, one, workspace, plan.coverage) for name, one in plan.suites.items()}


def data_of(found: dict[str, Looked]) -> dict[str, Path]:
    return {name: one.files["coverage"] for name, one in found.items() if "coverage" in one.files}


def judge(app: App, plan: Pipeline) -> Looked:
    workspace, found = run_suites(app, plan)
    assert {one.check.outcome for one in found.values()} == {Outcome.PASSED}, [
        one.check.reason for one in found.values()
    ]
    return look_at_coverage(plan, workspace, data_of(found))


def value(check: Check, name: str) -> float | None:
    return next(one.value for one in check.measures if one.name == name)


def test_each_limit_is_held_against_the_unrounded_figure_on_both_sides(app: App) -> None:
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN[:8])})  # 18 of 20 statements: 90.0
    workspace, found = run_suites(app, pipeline({"unit": {}}))
    data = data_of(found)
    for limits, suite_limit, outcome in (
        ({"min_total": 90}, None, Outcome.PASSED),
        ({"min_total": 90.0001}, None, Outcome.FAILED),
        ({"min_total": 0}, 90, Outcome.FAILED),
        ({"min_total": 0}, 89.9999, Outcome.PASSED),
        ({"min_total": 0, "min_changed": 90}, None, Outcome.PASSED),
        ({"min_total": 0, "min_changed": 90.0001}, None, Outcome.FAILED),
    ):
        plan = pipeline({"unit": {"min_coverage": suite_limit}}, **limits)
        check = look_at_coverage(plan, workspace, data).check
        assert check.outcome is outcome, check.reason
        assert [one.value for one in check.measures] == [90.0] * len(check.measures)


def test_a_suite_is_judged_on_its_own_files_and_by_its_own_tests(app: App) -> None:
    files = {**SHOP, "shop/b.py": functions("g0", "g1"), "tests/unit/test_a.py": calls("a", *TEN[:9])}
    app.commit({**files, "tests/integration/test_b.py": calls("b", "g0", "g1") + "\n\n" + calls("a", *TEN)})
    suites = {
        "unit": {"covers": ["shop/a.py"], "min_coverage": 94},
        "integration": {"covers": ["shop/b.py"], "min_coverage": 99},
    }
    looked = judge(app, pipeline(suites, min_total=100))
    assert looked.check.outcome is Outcome.PASSED, looked.check.reason
    assert figures(looked) == {TOTAL: 100.0, UNIT: 95.0, suite_measure("integration"): 100.0}
    # The twin: the same lines are run, but by the other suite's tests.
    app.commit({"tests/unit/test_a.py": calls("a", *TEN[:8])})
    check = judge(app, pipeline(suites, min_total=100)).check
    assert (check.outcome, value(check, TOTAL), value(check, UNIT)) == (Outcome.FAILED, 100.0, 90.0)
    assert check.reason == "coverage by unit 90%, wanted > 94%"


def test_files_that_nothing_imports_count(app: App) -> None:
    app.commit({**SHOP, "shop/deep/never.py": functions(*TEN), "tests/unit/test_a.py": calls("a", *TEN)})
    looked = judge(app, pipeline({"unit": {}}, min_total=85))
    assert (looked.check.outcome, value(looked.check, TOTAL)) == (Outcome.FAILED, 50.0)
    seen = read_seen(looked)
    assert seen and isinstance(seen.total, tuple)
    page = coverage_page(looked)
    assert "never" in page and page.index("never") < page.index("shop/a")
    app.commit({"shop/deep/never.py": None})
    assert judge(app, pipeline({"unit": {}}, min_total=85)).check.outcome is Outcome.PASSED


def test_changed_lines_are_told_from_the_others(app: App) -> None:
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", "f0")})
    app.commit({"shop/new file é.py": functions("g0"), "shop/a.py": functions(*TEN, "h0", "h1")})
    plan = pipeline({"unit": {}}, min_total=0, min_changed=50)
    looked = judge(app, plan)  # the new def lines of a.py are run by its import, nothing else is
    assert (looked.check.outcome, value(looked.check, CHANGED)) == (Outcome.FAILED, pytest.approx(100 / 3))
    assert "new file" in coverage_page(looked)
    new = "import importlib\nimportlib.import_module('shop.new file é').g0()\n\n\n"
    app.commit({"tests/unit/test_b.py": new + "def test_b(): pass\n"})
    app.branch = "elsewhere"
    git("branch", "elsewhere", "HEAD~2", at=app.repository)  # as if all that came since were a branch of its own
    looked = judge(app, plan)
    assert (looked.check.outcome, value(looked.check, CHANGED)) == (Outcome.PASSED, pytest.approx(200 / 3))


def test_a_commit_that_changes_no_statement_passes_and_says_so(app: App) -> None:
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN)})
    app.commit({"README": "words"})
    check = judge(app, pipeline({"unit": {}}, min_changed=100)).check
    assert (check.outcome, value(check, CHANGED)) == (Outcome.PASSED, 100.0)
    assert check.notes == ("no changed line holds a statement of the covered files",)


SERVER = """
import signal
import sys
import time


def wait():
    print("ready", flush=True), time.sleep(60)


def never():
    return 1


if __name__ == "__main__":
    wait()
"""
E2E = """
import pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).parents[2]

def test_server():
    program = [sys.executable, str(ROOT / "shop" / "server.py")]
    with subprocess.Popen(program, cwd=tempfile.mkdtemp(), stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\\n"
        server.terminate()
"""


def pytest_alone(directory: Path) -> Path:
    """Make a virtual environment with pytest and what it needs, and without coverage."""
    venv.create(directory, symlinks=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    for name in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        shutil.copytree(Path(sysconfig.get_path("purelib"), name), packages / name)
    shutil.copy(Path(sysconfig.get_path("purelib"), "py.py"), packages)
    share_read_only(directory)
    return directory


@pytest.mark.parametrize("own", [True, False], ids=["the app's coverage", "ours"])
def test_server_processes_are_measured(app: App, own: bool) -> None:
    if not own:
        app.environment = pytest_alone(app.root.parent / "alone")
    app.commit({"shop/__init__.py": "", "shop/server.py": SERVER, "tests/e2e/test_server.py": E2E})
    looked = judge(app, pipeline({"e2e": {"min_coverage": 80}}, min_total=80))
    seen = read_seen(looked)
    assert seen and isinstance(seen.total, tuple)
    (server,) = [one for one in seen.total if one.path == "shop/server.py"]
    assert (server.statements, server.covered, server.missing) == (7, 6, (12,))
    assert looked.check.outcome is Outcome.PASSED, looked.check.reason


def test_the_apps_own_settings_cannot_lower_the_bar(app: App) -> None:
    settings = """
[tool.coverage.run]
omit = ["*"]
source = ["nothing"]
concurrency = ["thread"]
[tool.coverage.report]
exclude_also = ["."]
[tool.pytest.ini_options]
addopts = "--cov=nothing"
"""
    app.commit({**SHOP, "pyproject.toml": settings, "tests/unit/test_a.py": calls("a", *TEN[:5])})
    plan = pipeline({"unit": {"min_coverage": 75, "environment": {}}}, min_total=75)
    check = judge(app, plan).check
    assert check.outcome is Outcome.FAILED
    assert (value(check, TOTAL), value(check, UNIT)) == (75.0, 75.0)


def test_lines_that_do_not_count_are_shown(app: App) -> None:
    code = functions(*TEN) + "\n\ndef g():  # pragma: no cover\n    return 1\n\n\nif __name__ == '__main__':\n    g()\n"
    app.commit({**SHOP, "shop/a.py": code, "tests/unit/test_a.py": calls("a", *TEN)})
    looked = judge(app, pipeline({"unit": {}}))
    assert value(looked.check, TOTAL) == 100.0
    seen = read_seen(looked)
    assert seen and isinstance(seen.total, tuple)
    assert [one.excluded for one in seen.total if one.path == "shop/a.py"] == [4]


SPOIL = """
import atexit, glob, os, pathlib

def spoil():
    for file in glob.glob(os.environ["COVERAGE_FILE"] + "*"):
        {}

atexit.register(spoil)
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("os.remove(file)", "it left no coverage data"),
        ("pathlib.Path(file).write_bytes(bytes(range(256)) * 99)", "cannot be combined"),
        ("pathlib.Path(file).write_bytes(pathlib.Path(file).read_bytes()[:5000])", "cannot be combined"),
        ("os.remove(file); os.symlink('/etc/passwd', file)", "not a file"),
        ("os.remove(file); os.mkdir(file)", "not a file"),
    ],
    ids=["deleted", "garbage", "truncated", "a link", "a folder"],
)
def test_spoilt_coverage_data_are_no_verdict(app: App, line: str, said: str) -> None:
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN), "conftest.py": SPOIL.format(line)})
    plan = pipeline({"unit": {"min_coverage": 90}})
    workspace, found = run_suites(app, plan)
    assert found["unit"].check.outcome is Outcome.PASSED
    assert any(said in note for note in found["unit"].check.notes), found["unit"].check.notes
    assert "coverage" not in found["unit"].files
    check = look_at_coverage(plan, workspace, data_of(found)).check
    assert check.outcome is Outcome.NO_VERDICT
    assert "coverage by unit could not be measured: suite unit left no coverage data" in check.reason


def test_data_that_went_bad_on_the_way_are_no_verdict(app: App, tmp_path: Path) -> None:
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN)})
    plan = pipeline({"unit": {"min_coverage": 90}}, min_changed=80)
    bad = tmp_path / "bad"
    bad.write_bytes(b"SQLite format 3\0" + bytes(9999))
    workspace = app.workspace()
    for data in ({"unit": bad}, {"unit": tmp_path}, {"unit": tmp_path / "gone"}, {}):
        check = look_at_coverage(plan, workspace, data).check
        assert check.outcome is Outcome.NO_VERDICT
        assert [one.value for one in check.measures] == [None, None, None]


def test_a_file_that_coverage_cannot_read_is_no_verdict(app: App) -> None:
    app.commit({**SHOP, "shop/two.py": "print 'two'\n", "tests/unit/test_a.py": calls("a", *TEN)})
    check = judge(app, pipeline({"unit": {"min_coverage": 10}}, min_total=10)).check
    assert check.outcome is Outcome.NO_VERDICT
    assert "two.py" in check.reason


def test_globs_that_match_nothing_are_no_verdict(app: App) -> None:
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN)})
    plan = pipeline({"unit": {"min_coverage": 90, "covers": ["shop/gone.py"]}})
    check = judge(app, plan).check
    assert (check.outcome, value(check, TOTAL), value(check, UNIT)) == (Outcome.NO_VERDICT, 100.0, None)


def test_a_suite_that_runs_alone_is_not_measured(app: App) -> None:
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN), "tests/performance/test_p.py": calls("a", "f0")})
    plan = pipeline({"unit": {}, "performance": {"alone": True}})
    workspace, found = run_suites(app, plan)
    assert set(data_of(found)) == {"unit"}
    assert look_at_coverage(plan, workspace, data_of(found)).check.outcome is Outcome.PASSED


def test_links_that_app_code_laid_are_followed_by_nobody(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a package's .pth could do: it runs in the check's sandbox, and Slipway goes on there as itself."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "evidence.key").write_text("canary")

    def lays(name: str, workspace: Workspace, *rest: Any) -> list[str]:
        told = carry_out(name, workspace, *rest)
        out = workspace.scratch(name)
        (out / "changes.diff").symlink_to(tmp_path / "zz.pth")
        (out / "html").rename(out / "was")
        (out / "html").symlink_to(tmp_path / "keys")
        (workspace.root / name / "source" / ".git").symlink_to(tmp_path / "made")
        return told

    monkeypatch.setattr("tasks.checks.coverage.carry_out", lays)
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN)})
    looked = judge(app, pipeline({"unit": {}}, min_total=1, min_changed=0))
    assert looked.check.outcome in (Outcome.PASSED, Outcome.NO_VERDICT), looked.check
    assert not (tmp_path / "zz.pth").exists() and not (tmp_path / "made").exists()
    assert "html" not in looked.files


def test_coverages_own_pages_are_kept_without_links(app: App, tmp_path: Path) -> None:
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN)})
    looked = judge(app, pipeline({"unit": {}}))
    with zipfile.ZipFile(looked.files["html"]) as archive:
        assert "index.html" in archive.namelist()
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "link").symlink_to("/etc/passwd")
    assert zipped(tmp_path / "html", tmp_path / "html.zip") is None
    (tmp_path / "html" / "page").write_text("page")
    assert zipped(tmp_path / "html", tmp_path / "html.zip")
    with zipfile.ZipFile(tmp_path / "html.zip") as archive:
        assert archive.namelist() == ["page"]


FILE: dict[str, Any] = {
    "summary": {"num_statements": 2, "covered_lines": 1, "num_branches": 0, "covered_branches": 0, "excluded_lines": 0},
    "missing_lines": [2],
}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "left no report"),
        (b"", "cannot be read"),
        (b"\0\1\2", "cannot be read"),
        (b"[]", "cannot be read"),
        ({"files": {}}, "not of the files asked for: a.py"),
        ({"files": {"a.py": FILE, "b.py": FILE}}, "not of the files asked for: b.py"),
        ({"files": {"a.py": {**FILE, "summary": {**FILE["summary"], "covered_lines": 3}}}}, "cannot be read"),
        ({"files": {"a.py": {**FILE, "summary": {**FILE["summary"], "covered_lines": -1}}}}, "cannot be read"),
    ],
)
def test_a_report_that_cannot_be_right_is_no_figure(tmp_path: Path, content: Any, said: str) -> None:
    file = tmp_path / "report.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    found = read_json(file, ["a.py"])
    assert said in getattr(found, "reason", "")


def test_a_sound_report_is_read(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"files": {"a.py": FILE}}))
    (one,) = tuple(read_json(tmp_path / "report.json", ["a.py"]))
    assert (one.path, one.statements, one.covered, one.missing) == ("a.py", 2, 1, (2,))  # type: ignore[union-attr]


def test_the_denominator_is_the_commits_python_files_that_match() -> None:
    names = ("a.py", "shop/a.py", "shop/api/b.py", "shop/page.html", "tests/shop/a.py")
    tracked = {name: "100644 0" for name in names} | {"shop/link.py": "120000 0"}
    assert denominator(tracked, ["shop/**"]) == ["shop/a.py", "shop/api/b.py"]
    assert denominator(tracked, ["/*.py", "shop/api/**"]) == ["a.py", "shop/api/b.py"]
    assert denominator(tracked, []) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[tool.coverage.run]\nconcurrency = ["greenlet", "thread"]\nomit = ["*"]\n'),
        (".coveragerc", "[run]\nconcurrency = greenlet,\n    thread\nomit = *\n"),
        ("setup.cfg", "[coverage:run]\nconcurrency = greenlet thread\nplugins = $(touch x)\n"),
        ("tox.ini", "[coverage:run]\nconcurrency = greenlet,thread\n"),
    ],
)
def test_of_the_apps_settings_only_what_shows_its_code_is_taken(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert app_settings(tmp_path) == {"concurrency": ["greenlet", "thread"]}


@pytest.mark.parametrize("text", ["[tool", "tool = 1", "[tool]\ncoverage = 1", "\0", ""])
def test_settings_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert app_settings(tmp_path) == {}


MOVED = '''"""Shop."""


def used(of):  # pragma: no cover once
    if of:
        return "yes"
    return "no"


class Till:
    def open(self):
        return [
            used(True),
        ]


def unused():
    return "unused"
'''


@pytest.mark.parametrize(
    ("changed", "like_measured"),
    [
        (MOVED.replace("def ", "# a comment\n\n\ndef ").replace("# a comment\n\n\ndef open", "def open"), True),
        (MOVED.replace("            used", "            # inside\n            used"), True),
        (MOVED.replace('    return "no"', '    other = 1\n    return "no"'), False),
    ],
)
def test_data_of_an_earlier_run_are_moved_to_where_the_lines_are(app: App, changed: str, like_measured: bool) -> None:
    """Of another run's data coverage says what it says when it measures anew; of other code it says nothing."""
    plan = pipeline({"unit": {}}, min_total=50)
    test = "from shop.a import Till\n\n\ndef test_a():\n    Till().open()\n"
    app.commit({"shop/__init__.py": "", "shop/a.py": MOVED, "tests/unit/test_a.py": test})
    _, found = run_suites(app, plan)
    kept = {name: Path(shutil.copy(found["unit"].files[name], app.root.parent)) for name in ("coverage", "lines")}

    app.commit({"shop/a.py": changed})
    workspace, anew = run_suites(app, plan)
    measured = read_seen(look_at_coverage(plan, workspace, data_of(anew)))
    looked = look_at_coverage(plan, workspace, {"unit": kept["coverage"]}, {"unit": kept["lines"]})
    recalled = read_seen(looked)
    assert measured and recalled
    assert (recalled.total == measured.total) == like_measured
    if not like_measured:
        assert looked.check.outcome is Outcome.FAILED
        assert value(looked.check, TOTAL) == 0


def test_lines_that_were_spoilt_on_the_way_are_no_verdict(app: App, tmp_path: Path) -> None:
    plan = pipeline({"unit": {}})
    app.commit({**SHOP, "tests/unit/test_a.py": calls("a", *TEN)})
    workspace, found = run_suites(app, plan)
    for text in ("", "[]", '{"shop/a.py": {"shape": 1}}'):
        lines = tmp_path / "lines.json"
        lines.write_text(text)
        check = look_at_coverage(plan, workspace, data_of(found), {"unit": lines}).check
        assert (check.outcome, "lines" in check.reason) == (Outcome.NO_VERDICT, True), text
