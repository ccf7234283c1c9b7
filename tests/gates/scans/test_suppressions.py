import pytest

from gates.scans.suppressions import LONGEST_LINE, count_suppressions, in_words


def line(written: str) -> str:
    """Return a line of code: `~` stands for `no`, `%` for `:`. Written out, each would silence a tool in here."""
    return written.replace("~", "no").replace("%", ":")


@pytest.mark.parametrize(
    ("written", "kinds"),
    [
        ("x = 1  # ~sec", ["nosec"]),
        ("x = 1  #~sec B101", ["nosec"]),
        ("x = 1  # why  # ~SEC", ["nosec"]),
        ("x = 1  # ~qa", ["noqa"]),
        ("x = 1  # ~qa: E501", ["noqa"]),
        ("# flake8: ~qa", ["noqa"]),
        ("# ruff: ~qa", ["noqa"]),
        ("x = 1  # ~semgrep", ["nosemgrep"]),
        ("x = 1  # ~sem: rule", ["nosemgrep"]),
        ("x = 1; // ~semgrep: rule", ["nosemgrep"]),
        ("<!-- ~semgrep -->", ["nosemgrep"]),
        ("{# ~semgrep #}", ["nosemgrep"]),
        ("key = 'x'  # kingfisher%ignore", ["kingfisher:ignore"]),
        ("/* kingfisher%allow */", ["kingfisher:ignore"]),
        ("x = 1  # ~sec # ~qa", ["nosec", "noqa"]),
        ("x = 1", []),
        ("~sec = ~qa = ~semgrep = 1", []),
        ("a commit that adds ~sec or ~qa", []),
        ("x = 1  # ~second", []),
        ("x" * LONGEST_LINE + "  # ~sec", []),
    ],
)
def test_comments_that_silence_are_told_from_words_that_do_not(written: str, kinds: list[str]) -> None:
    assert [kind for kind, count in count_suppressions([line(written)]).items() if count] == kinds


def test_lines_add_up_and_are_told() -> None:
    found = count_suppressions(map(line, ["x  # ~sec", "y  # ~sec", "z  # ~qa"]))
    assert in_words(found) == "3 comments silence a tool: 2 nosec, 1 noqa"
    assert in_words(count_suppressions([])) == "0 comments silence a tool"


@pytest.mark.parametrize(
    ("written", "kinds"),
    [
        ("x = 1  # ~sem", ["nosemgrep"]),
        ("# ~semgrepping", []),
        ("~sem grep", []),
        ("/* ~semgrep */", ["nosemgrep"]),
        ("# flake8=~qa", ["noqa"]),
        ("# ~qaX", []),
        ("# not ~qa", []),
        ("X = 1  # ~QA", ["noqa"]),
        ("X = 1  # KINGFISHER%IGNORE", ["kingfisher:ignore"]),
        ("kingfisher%ignored", []),
        ("kingfisher ignore", []),
    ],
)
def test_more_comments_and_words(written: str, kinds: list[str]) -> None:
    assert [kind for kind, count in count_suppressions([line(written)]).items() if count] == kinds


@pytest.mark.parametrize(("before", "count"), [(19_993, 1), (19_994, 0)])
def test_a_line_is_looked_at_for_20000_characters(before: int, count: int) -> None:
    assert LONGEST_LINE == 20_000
    assert sum(count_suppressions([line("x" * before + "# ~sec")]).values()) == count


def test_every_kind_is_told_and_a_line_counts_once_for_each() -> None:
    lines = [line(written) for written in ("a  # ~sec # ~sec # ~qa", "b", "c  # kingfisher%ignore", "d  # ~semgrep")]
    assert count_suppressions(lines) == {"nosec": 1, "nosemgrep": 1, "noqa": 1, "kingfisher:ignore": 1}
    assert in_words(count_suppressions(lines)) == (
        "4 comments silence a tool: 1 nosec, 1 nosemgrep, 1 noqa, 1 kingfisher:ignore"
    )


def test_a_line_of_comment_signs_is_looked_at_in_one_pass() -> None:
    """Looked for from each sign anew, ten such lines took 85 s."""
    for signs in ("/" * 19_990 + "nos", "/*" * 9_990 + " nos", "# " * 9_990 + "nos", "<!--" * 4_900 + " nosem"):
        assert count_suppressions([signs] * 10)["nosemgrep"] == 10 * signs.endswith(" nosem")
