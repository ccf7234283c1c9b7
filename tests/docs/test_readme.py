"""README.md is a page, and repeats only what the pages that it links say."""

import re

from docs.reference import DOCS
from host.home import CHECKOUT

README = (CHECKOUT / "README.md").read_text()


def _section(heading: str) -> str:
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_it_is_a_page() -> None:
    assert README.count("\n") <= 170


def test_its_figures_and_its_output_are_those_that_were_measured() -> None:
    measured = (DOCS / "measured.md").read_text().splitlines()
    figures = [line for line in _section("Figures").splitlines() if line.startswith("| ") and line != "| | |"]
    assert figures and set(figures) <= set(measured)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", _section("Quick start"), re.DOTALL | re.MULTILINE)
    output = [line for language, block in blocks if not language for line in block.splitlines()]
    assert output and not [line for line in output if not _begins_one_of(line.removesuffix(" ..."), measured)]


def _begins_one_of(begin: str, lines: list[str]) -> bool:
    return any(line.startswith(begin) for line in lines)


def test_its_states_are_described() -> None:
    states = re.findall(r"^\| ([A-Z]\w+)", _section("How runs end"), re.MULTILINE)
    described = (DOCS / "states.md").read_text()
    assert states[1:] and all(f"| {state} |" in described for state in states[1:])
