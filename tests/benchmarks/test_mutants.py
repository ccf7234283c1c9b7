"""`make mutants` on a tiny project: what it draws, tells and refuses."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks import trials
from benchmarks.copies import tracked
from benchmarks.mutants import TARGETS, Explained, choose, in_words, main, outdated, read_explained, score, table_of
from benchmarks.mutations import Mutant
from benchmarks.trials import Fate, Outcome
from cli.screen import console
from host.errors import ConfigError
from host.home import CHECKOUT
from tests.waiting import wait_for

FILES = {
    "app/__init__.py": "",
    "app/limits.py": "def within(value, most):\n    return value < most\n",
    "app/alone.py": "def both(a, b):\n    return a and b\n",
    "tests/__init__.py": "",
    "tests/app/__init__.py": "",
}
STRICT = """
from app.limits import within

def test_it():
    assert [within(number, 2) for number in (1, 2, 3)] == [True, False, False]
"""
LAX = """
from app.limits import within

def test_it():
    within(1, 2)
"""
RED = """
from app.limits import within

def test_it():
    assert within(2, 1), "red"
"""
HANGS = """
import os, pathlib, signal
from app.limits import within

def test_it():
    pathlib.Path({note!r}).write_text(str(os.getpid()))
    signal.pause()
"""
ENTRY = """
[[mutant]]
file = "app/limits.py"
line = "return value < most"
mutated = "return value {} most"
because = "a"
"""

Made = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading what the runs have no need of takes longer than they do."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Make a project whose tests are these."""

    def make(tests: str) -> Path:
        for file, text in {**FILES, "tests/app/test_limits.py": tests}.items():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
        return tmp_path

    return make


def _outcome(fate: Fate, file: str = "app/limits.py") -> Outcome:
    return Outcome(Mutant(file, 1, "a < b", "a <= b", ""), fate)


def test_a_mutant_that_the_tests_notice_is_killed_and_the_tree_is_left_alone(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    root = made(STRICT)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert main(["--only", "app/limits.py", "--jobs", "1"], root) == 0
    output = capsys.readouterr().out
    assert "1 mutants of 1 places in 1 files, seed 1" in output
    assert "1/1 killed app/limits.py:2\n    - return value < most\n    + return value " in output
    assert output.rstrip().endswith("100.0 % killed (1 killed)")
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("least", "code"), [("0.1", 1), ("0", 0)])
def test_survivors_fail_it_below_the_least_that_must_be_killed(
    made: Made, capsys: pytest.CaptureFixture[str], least: str, code: int
) -> None:
    root = made(LAX)
    assert main(["--only", "app/*.py", "--jobs", "2", "--least", least], root) == code
    output, errors = capsys.readouterr()
    assert "survived app/limits.py:2\n    - return value < most\n" in output
    assert "survived: no test imports it app/alone.py:2\n    - return a and b\n    + return a or b\n" in output
    assert output.rstrip().endswith("0.0 % killed (1 survived, 1 survived: no test imports it)")
    assert ("0.0 % killed, expected at least 0.1 %; see the survivors above" in errors) is bool(code)


def test_a_run_that_takes_too_long_is_killed_and_named_so(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "TIMES", 0)
    monkeypatch.setattr(trials, "SLACK_S", 0)
    assert main(["--only", "app/limits.py", "--jobs", "1"], made(STRICT)) == 0
    assert "1/1 killed: timeout app/limits.py:2\n" in capsys.readouterr().out


def test_red_tests_are_refused(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "app/limits.py", "--jobs", "1"], made(RED)) == 2
    output, errors = capsys.readouterr()
    assert "red without any mutant, mend these first: tests/app/test_limits.py" in errors
    assert "AssertionError: red" in errors and "return value" not in output


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("app/limit.py", "app/limit.py: matches no Python file of this tree; name where the files are now"),
        ("app/__init__.py", "app/__init__.py: nothing to mutate there"),
    ],
)
def test_files_without_anything_to_mutate_are_refused(
    made: Made, capsys: pytest.CaptureFixture[str], only: str, message: str
) -> None:
    assert main(["--only", only], made(STRICT)) == 2
    assert message in capsys.readouterr().err


def test_an_explained_mutant_is_not_tried(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    root = made(RED)
    (root / "benchmarks").mkdir()
    (root / "benchmarks" / "mutants_explained.toml").write_text(ENTRY.format("<="))
    assert main(["--only", "app/limits.py"], root) == 0
    output, errors = capsys.readouterr()
    assert "1/1 explained app/limits.py:2\n" in output and errors == ""
    assert output.rstrip().endswith("none judged (1 explained)")


def test_an_entry_that_matches_no_mutant_is_reported(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    root = made(STRICT)
    (root / "benchmarks").mkdir()
    (root / "benchmarks" / "mutants_explained.toml").write_text(ENTRY.format("<<"))
    assert main(["--only", "app/limits.py"], root) == 0
    assert (
        "benchmarks/mutants_explained.toml: no mutant any more of app/limits.py: 'return value < most' -> "
        "'return value << most'; take it out"
    ) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "line", "mutated", "stale"),
    [
        ("app/limits.py", "return value < most", "return value <= most", False),
        ("app/limits.py", "return value < more", "return value <= more", True),
        ("app/limits.py", "return value < most", "return value + most", True),
        ("app/moved.py", "return value < most", "return value <= most", True),
    ],
)
def test_an_entry_is_outdated_when_file_line_or_mutant_is_gone(file: str, line: str, mutated: str, stale: bool) -> None:
    entry = Explained(file=file, line=line, mutated=mutated, because="a")
    assert list(outdated([entry], FILES)) == ([entry] if stale else [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[mutant", "Expected ']]'"),
        (ENTRY.replace('because = "a"', ""), "because"),
        (ENTRY.replace('because = "a"', 'because = ""'), "at least 1 character"),
        (ENTRY.replace("mutated", "changed"), "changed"),
        ("[[mutants]]\n", "mutants"),
    ],
)
def test_a_malformed_entry_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "explained.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as refused:
        read_explained(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_the_files_of_this_repository_are_all_there() -> None:
    files = [file for file in tracked(CHECKOUT) if file.endswith(".py")]
    chosen = choose(files, TARGETS)
    assert "gates/release/approval.py" in chosen and not any(file.startswith("tests/") for file in chosen)
    sources = {file: (CHECKOUT / file).read_text() for file in chosen}
    assert list(outdated(read_explained(CHECKOUT / "benchmarks" / "mutants_explained.toml"), sources)) == []


def test_a_pattern_matches_folders_too() -> None:
    assert choose(["a/b.py", "a/c/d.py", "e/a/f.py"], ["a/*.py"]) == ["a/b.py", "a/c/d.py"]


@pytest.mark.parametrize(
    ("fates", "percent", "words"),
    [
        ([], None, "none judged (no mutants)"),
        ([Fate.EXPLAINED], None, "none judged (1 explained)"),
        (
            [Fate.KILLED, Fate.TIMEOUT, Fate.SURVIVED, Fate.UNSEEN, Fate.EXPLAINED],
            50.0,
            "50.0 % killed (1 killed, 1 killed: timeout, 1 survived, 1 survived: no test imports it, 1 explained)",
        ),
        ([Fate.KILLED, Fate.KILLED, Fate.SURVIVED], 200 / 3, "66.7 % killed (2 killed, 1 survived)"),
    ],
)
def test_the_score_is_what_was_killed_of_what_was_judged(fates: list[Fate], percent: float | None, words: str) -> None:
    outcomes = [_outcome(fate) for fate in fates]
    assert (score(outcomes), in_words(outcomes)) == (percent, words)


def test_the_table_has_a_row_for_each_module_the_least_killed_first() -> None:
    fates = {"a.py": (Fate.KILLED,), "b.py": (Fate.EXPLAINED,), "c.py": (Fate.TIMEOUT, Fate.UNSEEN, Fate.SURVIVED)}
    outcomes = [_outcome(fate, file) for file, here in fates.items() for fate in here]
    with console.capture() as captured:
        console.print(table_of(outcomes))
    rows = [line.replace("│", " ").split() for line in captured.get().splitlines() if ".py" in line]
    assert rows == [
        ["c.py", "3", "1", "1", "2", "0", "33"],
        ["a.py", "1", "1", "0", "0", "0", "100"],
        ["b.py", "1", "0", "0", "0", "1"],
    ]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_when_interrupted_it_stops_its_runs_and_removes_the_copies(made: Made, tmp_path: Path, sign: int) -> None:
    note, copies = tmp_path / "run", tmp_path / "copies"
    copies.mkdir()
    root = made(HANGS.format(note=str(note)))
    code = "from pathlib import Path\nimport sys\nfrom benchmarks.mutants import main\n"
    code += "sys.exit(main(sys.argv[2:], Path(sys.argv[1])))"
    argv = [sys.executable, "-c", code, str(root), "--only", "app/limits.py", "--jobs", "1"]
    env = {**os.environ, "TMPDIR": str(copies), "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as command:
        wait_for(lambda: note.exists() and note.read_text() != "", "the tests run")
        command.send_signal(sign)
        _, errors = command.communicate()
    assert command.returncode == 130 and "interrupted; what was started is stopped" in errors
    assert not psutil.pid_exists(int(note.read_text())) and list(copies.iterdir()) == []


@pytest.mark.parametrize("words", [["--sample", "0"], ["--jobs", "0"], ["--seed", "one"], ["--only"]])
def test_a_command_line_that_is_wrong_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
