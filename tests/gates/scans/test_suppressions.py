import pytest

from gates.scans.suppressions import LONGEST_LINE, count_suppressions, told


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("x = 1  # nosec", ["nosec"]),
        ("x = 1  #nosec B101", ["nosec"]),
        ("x = 1  # why  # NOSEC", ["nosec"]),
        ("x = 1  # noqa", ["noqa"]),
        ("x = 1  # noqa: E501", ["noqa"]),
        ("# flake8: noqa", ["noqa"]),
        ("# ruff: noqa", ["noqa"]),
        ("x = 1  # nosemgrep", ["nosemgrep"]),
        ("x = 1  # nosem: rule", ["nosemgrep"]),
        ("x = 1; // nosemgrep: rule", ["nosemgrep"]),
        ("<!-- nosemgrep -->", ["nosemgrep"]),
        ("{# nosemgrep #}", ["nosemgrep"]),
        ("key = 'x'  # kingfisher:ignore", ["kingfisher:ignore"]),
        ("/* kingfisher:allow */", ["kingfisher:ignore"]),
        ("x = 1  # nosec # noqa", ["nosec", "noqa"]),
        ("x = 1", []),
        ("nosec = noqa = nosemgrep = 1", []),
        ("a commit that adds nosec or noqa", []),
        ("x = 1  # nosecond", []),
        ("x" * LONGEST_LINE + "  # nosec", []),
    ],
)
def test_comments_that_silence_are_told_from_words_that_do_not(line: str, kinds: list[str]) -> None:
    assert [kind for kind, count in count_suppressions([line]).items() if count] == kinds


def test_lines_add_up_and_are_told() -> None:
    found = count_suppressions(["x  # nosec", "y  # nosec", "z  # noqa"])
    assert told(found) == "3 comments silence a tool: 2 nosec, 1 noqa"
    assert told(count_suppressions([])) == "0 comments silence a tool"


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("x = 1  # nosem", ["nosemgrep"]),
        ("# nosemgrepping", []),
        ("nosem grep", []),
        ("/* nosemgrep */", ["nosemgrep"]),
        ("# flake8=noqa", ["noqa"]),
        ("# noqaX", []),
        ("# not noqa", []),
        ("X = 1  # NOQA", ["noqa"]),
        ("X = 1  # KINGFISHER:IGNORE", ["kingfisher:ignore"]),
        ("kingfisher:ignored", []),
        ("kingfisher ignore", []),
    ],
)
def test_more_comments_and_words(line: str, kinds: list[str]) -> None:
    assert [kind for kind, count in count_suppressions([line]).items() if count] == kinds


@pytest.mark.parametrize(("before", "count"), [(19_993, 1), (19_994, 0)])
def test_a_line_is_looked_at_for_20000_characters(before: int, count: int) -> None:
    assert LONGEST_LINE == 20_000
    assert sum(count_suppressions(["x" * before + "# nosec"]).values()) == count


def test_every_kind_is_told_and_a_line_counts_once_for_each() -> None:
    lines = ["a  # nosec # nosec # noqa", "b", "c  # kingfisher:ignore", "d  # nosemgrep"]
    assert count_suppressions(lines) == {"nosec": 1, "nosemgrep": 1, "noqa": 1, "kingfisher:ignore": 1}
    assert told(count_suppressions(lines)) == (
        "4 comments silence a tool: 1 nosec, 1 nosemgrep, 1 noqa, 1 kingfisher:ignore"
    )
