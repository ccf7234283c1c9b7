import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tasks.checks.complexity import Complexity, complexity_limit

FLAKE8 = ("python", "-m", "flake8", ".")
OWN = Complexity(("--max-complexity=10",), "complexity limit 10, Slipway's")


def limit(files: Mapping[str, str], top: Path, *more: str, directory: str = ".") -> Complexity:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    (top / directory).mkdir(exist_ok=True)
    return complexity_limit("style", (*FLAKE8, *more), top / directory, top)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, OWN),
        ({".flake8": "[flake8]\nmax-line-length = 99\n"}, OWN),
        ({".flake8": "[flake8]\nmax-complexity = -1\n"}, OWN),
        ({".flake8": "[flake8]\nmax-complexity = x\n"}, OWN),
        ({".flake8": "[flake8]\nmax_complexity = 11\n"}, Complexity(note="complexity limit 11, the app's own")),
        ({"setup.cfg": "[flake8]\nmax-complexity = 0\n"}, Complexity(note="complexity limit 0, the app's own")),
        # setup.cfg comes before tox.ini and that before .flake8, but only if it has a section for flake8
        (
            {"tox.ini": "[flake8]\nmax-complexity = 11\n", ".flake8": "[flake8]\nignore = C\n"},
            Complexity(note="complexity limit 11, the app's own"),
        ),
        ({"setup.cfg": "[metadata]\nname = x\n", "tox.ini": "garbage", ".flake8": "[flake8]\n"}, OWN),
        ({"setup.cfg": "[flake8:local-plugins]\n", ".flake8": "[flake8]\nmax-complexity = 5\n"}, OWN),
        ({".flake8": "[flake8]\nselect = E,F,C9\n"}, OWN),
        ({".flake8": "[flake8]\nselect = E,F\nextend-select = C901\n"}, OWN),
        ({".flake8": "[flake8]\nignore = E203, C902\n"}, OWN),
    ],
)
def test_the_apps_complexity_limit_holds_and_without_one_slipways(
    files: Mapping[str, str], expected: Complexity, tmp_path: Path
) -> None:
    assert limit(files, tmp_path) == expected


@pytest.mark.parametrize(
    "setting",
    [
        "ignore = E203, C901",
        "ignore = E203 C9",
        "extend-ignore = C",
        "extend_ignore =\n  E203,\n  C901",
        "select = E,F",
    ],
)
def test_settings_that_turn_it_off_are_told(setting: str, tmp_path: Path) -> None:
    off = limit({".flake8": f"[flake8]\n{setting}\n"}, tmp_path).off
    assert off == (
        "the complexity limit is off: .flake8 ignores C901; take that out of it, "
        "or say which limit counts: --max-complexity=N in [quality.style] command"
    )


def test_settings_are_looked_for_as_flake8_does_and_never_outside(tmp_path: Path) -> None:
    settings = "[flake8]\nmax-complexity = 7\n"
    (tmp_path / ".flake8").write_text("[flake8]\nignore = C\n")  # above the source
    top = tmp_path / "source"
    top.mkdir()
    assert limit({}, top) == OWN
    assert limit({}, top, "--max-complexity", "5") == Complexity()
    assert "7" in limit({"tox.ini": settings}, top, directory="below").note
    assert "7" in limit({"conf/own.ini": settings}, top, "--config=conf/own.ini").note
    assert "7" in limit({}, top, "--config", "conf/own.ini").note
    (top / "tox.ini").unlink()
    (top / ".flake8").symlink_to(tmp_path / ".flake8")
    assert limit({}, top) == OWN
    assert limit({}, top, "--config=../.flake8") == OWN


IGNORED = "; that .flake8 ignores C901 does not count"


@pytest.mark.parametrize(
    ("setting", "more", "expected"),
    [
        (
            "ignore = E203, C901\nmax-complexity = 12",
            (),
            Complexity(("--extend-select=C901", "--ignore=E203"), f"complexity limit 12, the app's own{IGNORED}"),
        ),
        (
            "extend-ignore = C\nextend-select = B\nmax-complexity = 12",
            (),
            Complexity(("--extend-select=B,C901",), f"complexity limit 12, the app's own{IGNORED}"),
        ),
        (
            "select = E,F",
            ("--max-complexity=15",),
            Complexity(("--extend-select=C901",), f"complexity limit of the command{IGNORED}"),
        ),
        (
            "ignore = C901",
            ("--max-complexity", "15"),
            Complexity(("--extend-select=C901", "--ignore="), f"complexity limit of the command{IGNORED}"),
        ),
        ("ignore = C901", ("--ignore=E203",), OWN),
        ("ignore = E203", ("--max-complexity=15",), Complexity()),
    ],
)
def test_a_limit_that_somebody_names_holds_beside_settings_that_ignore_it(
    setting: str, more: tuple[str, ...], expected: Complexity, tmp_path: Path
) -> None:
    assert limit({".flake8": f"[flake8]\n{setting}\n"}, tmp_path, *more) == expected


def test_a_command_that_ignores_it_is_told(tmp_path: Path) -> None:
    assert limit({}, tmp_path, "--extend-ignore=C901").off.startswith(
        "the complexity limit is off: the command ignores"
    )


@pytest.mark.parametrize(
    "setting",
    ["", "ignore = E203,C901", "extend-ignore = C901", "extend-ignore = C", "select = E,F", "ignore = C9\nselect = C"],
)
def test_flake8_itself_keeps_the_limit(setting: str, tmp_path: Path) -> None:
    branches = "".join(f"    if x == {number}:\n        return {number}\n" for number in range(12))
    (tmp_path / "a.py").write_text(f"def f(x):\n{branches}    return 0\n")
    told = limit({".flake8": f"[flake8]\n{setting}\nmax-complexity = 12\n"}, tmp_path)
    command = [sys.executable, "-m", "flake8", "a.py", *told.options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "a.py:1:1: C901 'f' is too complex (13)\n", done.stderr


@pytest.mark.parametrize(
    ("files", "where", "most"),
    [
        pytest.param(
            {"pyproject.toml": "[tool.ruff.lint.mccabe]\nmax-complexity = 14\n"}, "pyproject.toml", 14, id="ruff"
        ),
        pytest.param({"ruff.toml": "[mccabe]\nmax-complexity = 13\n"}, "ruff.toml", 13, id="an older ruff"),
        pytest.param(
            {"pyproject.toml": "[tool.pylint.design]\nmax-complexity = 9\n"}, "pyproject.toml", 9, id="pylint"
        ),
        pytest.param({".pylintrc": "[DESIGN]\nmax-complexity=17\n"}, ".pylintrc", 17, id="pylintrc"),
    ],
)
def test_a_limit_that_the_app_gives_ruff_or_pylint_is_its_own(
    files: dict[str, str], where: str, most: int, tmp_path: Path
) -> None:
    told = f"complexity limit {most}, the app's own ({where})"
    assert limit(files, tmp_path) == Complexity((f"--max-complexity={most}",), told)
    ignoring = limit({**files, ".flake8": "[flake8]\nextend-ignore = C901\n"}, tmp_path)
    assert not ignoring.off and ignoring.options[:2] == (f"--max-complexity={most}", "--extend-select=C901")


@pytest.mark.parametrize("text", ["[tool.ruff", "[tool]\nruff = 1\npylint = 2\n", "tool = 3\n"])
def test_settings_that_name_no_limit_leave_it_to_slipway(text: str, tmp_path: Path) -> None:
    assert limit({"pyproject.toml": text, ".pylintrc": "garbage"}, tmp_path) == OWN
