from pathlib import Path

import pytest
from pydantic import ValidationError

from gates.checks.reports import Reads
from settings.pipeline import Tool
from tasks.checks.tool_commands import ADDED, PRINTED, Program, full_command, reads


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
