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
