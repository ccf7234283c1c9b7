import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gates.check import Check, Outcome
from host.sandbox.run import Completed
from host.virtual_environments import share_read_only
from settings.pipeline import Tool
from tasks.checks import quality
from tasks.checks.quality import read_text
from tasks.source.workspace import Workspace
from tests.tasks.checks.quality_commits import COMMANDS, PYTHON, checked, found, script, workspace_of

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT
EMPTY_SARIF = '{"version": "2.1.0", "runs": [{"results": []}]}'


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One home for all, so that what is installed is installed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def run(text: str, tmp_path: Path, *arguments: str, reads: str = "lines", **settings: object) -> Check:
    """Run a tool that is a program in the commit."""
    files = {**PYTHON, "tool.py": script(text)}
    tool = Tool.model_validate({"command": ("python", "tool.py", *arguments), "reads": reads, **settings})
    return checked("custom", tool, workspace_of(tmp_path / "run", files, Path(sys.prefix)))


def test_any_other_tool_is_read_by_its_lines(tmp_path: Path) -> None:
    bad = run('print("shop/price.py:1:7: W1 magic number"); sys.exit(1)', tmp_path / "bad")
    assert bad.outcome is FAILED and found(bad) == [("shop/price.py", 1, "W1")]
    good = run('print("fine")', tmp_path / "good")
    assert good.outcome is PASSED and good.examined.startswith("5 files given, ")
    assert good.notes == ("the tool does not say which files it looked at",)


def test_any_other_tool_is_read_by_its_sarif(tmp_path: Path) -> None:
    good = run("open(sys.argv[1], 'w').write(sys.argv[2])", tmp_path / "file", "{report}", EMPTY_SARIF, reads="sarif")
    assert good.outcome is PASSED, good
    printed = run("print('log', file=sys.stderr); print(sys.argv[1])", tmp_path / "out", EMPTY_SARIF, reads="sarif")
    assert printed.outcome is PASSED, printed
    none = run("print(sys.argv[2])", tmp_path / "none", "{report}", "not sarif", reads="sarif")
    assert none.outcome is BLIND and "not SARIF" in none.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time.sleep(300)", "did not end within 1 s"),
        ("os.kill(os.getpid(), 9)", "killed by signal 9"),
        ("os.abort()", "killed by signal 6"),
        ("os.write(1, os.urandom(100_000)); sys.exit(1)", "exit code 1 without a line"),
        ("sys.exit(3)", "exit code 3: it printed nothing"),
        ("1 / 0", "ZeroDivisionError"),
        ("os.fork() or time.sleep(300); print('x'); sys.exit(7)", "exit code 7"),
    ],
)
def test_a_tool_that_could_not_look_is_no_verdict(text: str, said: str, tmp_path: Path) -> None:
    seconds = 1 if "within 1 s" in said else 60
    check = run(text, tmp_path, timeout_seconds=seconds)
    assert check.outcome is BLIND and said in check.reason, check


@pytest.mark.parametrize("command", [("python", "-m", "no_such_tool", "."), ("no-such-tool", ".")])
def test_a_tool_that_nobody_has_is_no_verdict(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.checks.tool_commands.own_tools", lambda group: tmp_path)
    check = checked("lint", Tool(command=command), workspace_of(tmp_path / "run", PYTHON, Path(sys.prefix)))
    assert check.outcome is BLIND and f"{command[-2]} is not in the app's environment" in check.reason


@pytest.mark.parametrize("trap", ["os.symlink('/etc/passwd', r)", "os.mkfifo(r)", "os.mkdir(r)"])
def test_a_report_that_is_a_trap_is_not_read(trap: str, tmp_path: Path) -> None:
    check = run(f"r = sys.argv[1]; {trap}; print('x')", tmp_path, "{report}", reads="sarif")
    assert check.outcome is BLIND and "report is no file of up to 50 MB" in check.reason


def test_a_report_too_big_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = run("os.truncate(os.open(sys.argv[1], 65), 50_000_001)", tmp_path, "{report}", reads="sarif")
    assert check.outcome is BLIND and "report is no file of up to 50 MB" in check.reason
    file = tmp_path / "report"
    file.write_text(EMPTY_SARIF)
    monkeypatch.setattr(quality, "LARGEST_REPORT_BYTES", len(EMPTY_SARIF))
    assert read_text(file) == EMPTY_SARIF
    monkeypatch.setattr(quality, "LARGEST_REPORT_BYTES", len(EMPTY_SARIF) - 1)
    assert read_text(file) is None and read_text(tmp_path / "gone") is None


def test_a_tool_that_prints_without_end_does_not_fill_the_disk(tmp_path: Path) -> None:
    text = "import resource\nprint(resource.getrlimit(resource.RLIMIT_FSIZE)[0])\n"
    check = run(text, tmp_path, reads="sarif")
    assert check.outcome is BLIND
    assert (tmp_path / "run" / "run" / "custom" / "out" / "stdout").read_text() == f"{1 << 30}\n"


class Counting(Workspace):
    """Tells each program that it runs how often it was started: two attempts share nothing that could tell them."""

    started = 0

    def run(self, name: str, argv: list[str], env: Mapping[str, str], *rest: Any, **more: Any) -> Completed:
        Counting.started += 1
        return super().run(name, argv, {**env, "STARTED": str(Counting.started)}, *rest, **more)


@pytest.mark.parametrize(
    ("then", "retries", "outcome", "started"),
    [
        ("os.kill(os.getpid(), 9) if n == 1 else print('ok')", 1, PASSED, 2),
        ("os.kill(os.getpid(), 9)", 0, BLIND, 1),
        ("os.kill(os.getpid(), 9)", 2, BLIND, 3),
        ("print('shop/price.py:1: W1 x'); sys.exit(1)", 2, FAILED, 1),  # a finding is not repeated
        ("sys.exit(3)", 2, BLIND, 1),  # it came to an end of its own
        ("os.kill(os.getpid(), 9) if n == 1 else sys.exit(print('app.py:1: W1 x') or 1)", 2, FAILED, 2),
    ],
)
def test_a_crash_is_repeated_as_often_as_asked_and_told(
    then: str, retries: int, outcome: Outcome, started: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "started", 0)
    files = {**PYTHON, "tool.py": script(f"n = int(os.environ['STARTED'])\n{then}")}
    space = workspace_of(tmp_path / "run", files, Path(sys.prefix))
    counting = Counting(**{field.name: getattr(space, field.name) for field in fields(space) if field.init})
    tool = Tool(command=("python", "tool.py"), reads="lines", retries=retries)
    check = checked("custom", tool, counting)
    assert (check.outcome, Counting.started) == (outcome, started), check
    crashes = [note for note in check.notes if note.startswith("attempt ")]
    assert len(crashes) == started - 1 and all("killed by signal 9" in note for note in crashes)


def test_each_attempt_has_a_fresh_copy(tmp_path: Path) -> None:
    text = "exists = os.path.exists('left'); open('left', 'w'); os.kill(os.getpid(), 9) if not exists else None"
    assert run(text, tmp_path, retries=2).outcome is BLIND


def test_no_shell_reads_a_command(tmp_path: Path) -> None:
    check = run("print(sys.argv[1:]); sys.exit(3)", tmp_path, "$(touch x)", "; touch y", "`touch z`")
    assert "['$(touch x)', '; touch y', '`touch z`']" in check.reason
    assert not [file for file in tmp_path.rglob("[xyz]") if file.is_file()]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An app's environment with one typed package and no tools."""
    directory = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True, timeout=600)
    [packages] = directory.glob("lib/python3*/site-packages")
    (packages / "till").mkdir()
    (packages / "till" / "py.typed").touch()
    (packages / "till" / "__init__.py").write_text("def pay(amount: int) -> None: ...\n")
    share_read_only(directory)
    return directory


def test_without_a_tool_of_the_apps_slipways_own_looks(bare: Path, tmp_path: Path) -> None:
    """And its mypy sees the packages of the app's environment."""
    app = {**PYTHON, "shop/price.py": 'import till\n\ntill.pay("much")\n'}
    workspace = workspace_of(tmp_path / "run", app, bare)
    checks = {name: checked(name, Tool(command=command), workspace) for name, command in COMMANDS.items()}
    assert {name: check.outcome for name, check in checks.items()} == {
        "black": PASSED,
        "isort": PASSED,
        "flake8": PASSED,
        "mypy": FAILED,
    }
    assert found(checks["mypy"]) == [("shop/price.py", 3, "arg-type")]
    assert all(check.tool.endswith(" (Slipway's)") for check in checks.values())
