"""The tables of docs/adopt.md agree with what the code allows."""

import re
from pathlib import Path

from deployments.runtimes.compose.allowed import SERVICE, TOP
from deployments.runtimes.compose.files import DROPPED
from deployments.runtimes.compose.judge import APP_CAPABILITIES, SHARED_CAPABILITIES, TOLD

PAGE = (Path(__file__).parents[2] / "docs" / "adopt.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in PAGE.split("| Keys of a service |")[1].splitlines() if line.startswith("| `")]


def words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_allowed_key_stands_in_the_table_once() -> None:
    assert sorted(word for row in ROWS for word in words(row[0])) == sorted(SERVICE)


def test_what_is_dropped_is_told() -> None:
    (row,) = [words(row[0]) for row in ROWS if row[1].startswith(" dropped; `build`")]
    assert set(row) <= set(DROPPED)


def test_the_capabilities_are_those_of_the_code() -> None:
    (row,) = [row for row in ROWS if "`cap_add`" in row[0]]
    assert words(row[1]) == list(APP_CAPABILITIES)
    assert words(row[2]) == [*SHARED_CAPABILITIES, "ALL"]


def test_the_other_parts_of_a_file_are_named() -> None:
    sentence = PAGE.split("Beside services, the file may have ")[1].split(".")[0]
    assert {*words(sentence), "services"} == set(TOP)
    sentence = PAGE.split("what a program is told (")[1].split(")")[0]
    assert set(words(sentence)) == set(TOLD)
