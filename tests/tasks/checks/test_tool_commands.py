from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from gates.checks.reports import Reads
from settings.pipeline import Tool
from tasks.checks.tool_commands import ADDED, PRINTED, Complexity, Program, complexity_limit, full_command, reads

FLAKE8 = ("python", "-m", "flake8", ".")
OWN = Complexity(("--max-complexity=10",), "complexity limit 10, Slipway's")


@pytest.mark.parametrize(
    ("name", "command", "how"),
    [
        ("mypy", ("x",), Reads.MYPY),
        ("lint", ("ruff", "check", "."), Reads.RUFF),
        ("lint", ("ruff", "--quiet", "format", "--check", "."), Reads.RUFF_FORMAT),
        ("ruff", ("ruff", "format", "."), Reads.RUFF_FORMAT),
        ("ruff", ("x",), Reads.RUFF),
        ("ruff-format", ("x",), Reads.RUFF_FORMAT),
        ("style", ("python", "-m", "ruff", "check"), Reads.RUFF),
        ("lint", ("python", "-m", "pylint", "app"), Reads.PYLINT),
        ("types", ("pyright",), Reads.PYRIGHT),
        ("types", ("basedpyright", "--level", "error"), Reads.BASEDPYRIGHT),
        ("types", ("ty", "check"), Reads.TY),
        ("spelling", ("codespell",), Reads.CODESPELL),
        ("dead", ("vulture", "app"), Reads.VULTURE),
        ("mypy", ("ruff", "check"), Reads.RUFF),  # what runs is what reports
        ("frontend", ("eslint", "."), Reads.ESLINT),
        ("sarif", ("x",), Reads.SARIF),
        ("lines", ("x",), Reads.LINES),
        ("other", ("sarif",), Reads.LINES),
        ("shell", ("shellcheck", "ruff"), Reads.LINES),
    ],
)
def test_a_tool_is_read_by_the_program_that_it_calls_else_by_its_name_else_as_lines(
    name: str, command: tuple[str, ...], how: Reads
) -> None:
    assert reads(name, Tool(command=command)) is how


def test_a_tool_is_read_as_configured_before_all() -> None:
    assert reads("mypy", Tool(command=("mypy",), reads=Reads.SARIF)) is Reads.SARIF
    assert reads("x", Tool(command=("ruff", "check"), reads=Reads.LINES)) is Reads.LINES
    assert reads("x", Tool(command=("ruff", "format"), reads=Reads.RUFF)) is Reads.RUFF_FORMAT
    with pytest.raises(ValidationError, match="reads"):
        Tool.model_validate({"command": ("x",), "reads": "tea leaves"})


@pytest.mark.parametrize("how", [how for how in Reads if how not in (Reads.SARIF, Reads.LINES)])
def test_each_tool_that_is_read_by_its_own_report_is_told_how_to_write_it(how: Reads) -> None:
    assert ADDED[how] and (how in PRINTED or any("{report}" in word for word in ADDED[how]))


def test_what_slipway_adds_comes_last_but_before_a_double_dash() -> None:
    report = Path("/out/report")
    plain = full_command(Reads.ESLINT, Program(("eslint", "."), "", ""), report)
    assert plain == ["eslint", ".", "--format", "json", "--output-file", "/out/report"]
    ended = full_command(Reads.TSC, Program(("tsc", "--", "a.ts"), "", ""), report, ["-x"])
    assert ended == ["tsc", "--pretty", "false", "--listFiles", "-x", "--", "a.ts"]
    other = full_command(Reads.SARIF, Program(("lint", "-o", "{report}", "a={report}"), "", ""), report)
    assert other == ["lint", "-o", "/out/report", "a=/out/report"]


def test_what_keeps_a_tool_from_telling_what_it_looked_at_is_taken_out() -> None:
    report = Path("/out/report")
    words = full_command(Reads.RUFF, Program(("ruff", "check", "-q", "."), "", ""), report)
    assert words[:3] == ["ruff", "check", "."] and words[-1] == "-v"
    assert "-q" in full_command(Reads.CODESPELL, Program(("codespell", "-q"), "", ""), report)


def limit(files: Mapping[str, str], top: Path, *more: str, directory: str = ".") -> Complexity:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    (top / directory).mkdir(exist_ok=True)
    return complexity_limit((*FLAKE8, *more), top / directory, top)


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
    assert off == "the complexity limit is off: .flake8 ignores C901; take that out of it"


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
