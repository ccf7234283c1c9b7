import pytest

from gates.checks.reports import Reader, Report, ToolRun
from gates.checks.reports_python import read_black, read_flake8, read_isort, read_mypy

GOOD = "a.py already well formatted, good job.\nb.py wasn't modified on disk since last run.\n"
WOULD = "would reformat /source/a b/c.py\n"


def black(stderr: str, stdout: str = "") -> Report:
    return read_black(ToolRun("black", 0, stdout, stderr))


def test_black_names_every_file_and_where_the_first_change_is() -> None:
    diff = "--- /source/a b/c.py\t1\n+++ /source/a b/c.py\t2\n@@ -1,9 +1,9 @@\n x\n-y\n+z\n"
    summary = "1 file would be reformatted, 2 files would be left unchanged.\n"
    report = black(GOOD + WOULD + "\nOh no!\n" + summary, diff)
    assert not report.unread and not report.blind
    assert report.files == {"a.py", "b.py", "a b/c.py"}
    assert [(one.file, one.line, one.rule) for one in report.found] == [("a b/c.py", 2, "reformat")]


@pytest.mark.parametrize(
    ("stderr", "unread"),
    [
        ("", "printed no summary"),
        (GOOD, "printed no summary"),
        (GOOD + "1 file would be left unchanged.\n", "do not agree"),
        (GOOD + "3 files would be left unchanged.\n", "do not agree"),
        (WOULD + "2 files would be reformatted.\n", "do not agree"),
        ("1 file would be reformatted.\n", "do not agree"),
    ],
)
def test_a_black_that_contradicts_itself_is_not_believed(stderr: str, unread: str) -> None:
    assert unread in black(stderr).unread


@pytest.mark.parametrize(
    ("line", "blind"),
    [
        ("error: cannot format s.py: Cannot parse: 1:6: def f(:", "s.py: Cannot parse: 1:6: def f(:"),
        ("error: cannot parse: /source/s.py:1:6", "s.py:1: bad input"),
        ("error: cannot format b.py: invalid or missing encoding declaration", "b.py: invalid or missing"),
    ],
)
def test_what_black_cannot_parse_it_has_not_seen(line: str, blind: str) -> None:
    summary = "2 files would be left unchanged, 1 file would fail to reformat.\n"
    assert black(f"{GOOD}{line}\n{summary}").blind.startswith(blind)
    assert black(f"{line}\n").blind.startswith(blind)


def test_black_without_files_looked_at_none() -> None:
    assert black("No Python files are present to be formatted. Nothing to do\n").files == frozenset()


def isort(stderr: str, stdout: str = "") -> Report:
    return read_isort(ToolRun("isort", 0, stdout, stderr))


def test_isort_names_every_file() -> None:
    good = "SUCCESS: /source/a.py Everything Looks Good!\nelse-type place_module for os returned STDLIB\n"
    diff = "--- /source/b.py:before\t1\n+++ /source/b.py:after\t2\n@@ -1,2 +1,2 @@\n+import a\n import b\n-import a\n"
    report = isort("ERROR: /source/b.py Imports are incorrectly sorted and/or formatted.\n", good + diff)
    assert report.files == {"a.py", "b.py"} and not report.blind
    assert [(one.file, one.line, one.rule) for one in report.found] == [("b.py", 1, "imports")]


@pytest.mark.parametrize(
    ("stderr", "blind"),
    [
        (
            "ERROR: isort was told to sort imports within code that contains syntax errors: /source/s.py.",
            "isort was told to sort imports within code that contains syntax errors: s.py.",
        ),
        ("<frozen runpy>:88: UserWarning: Encoding not supported for ./bin.py", "./bin.py"),
        ("x: UserWarning: Unable to parse file a.py due to boom", "a.py due to boom"),
        (
            "x: UserWarning: gone.py was broken path, make sure it exists correctly",
            "x: UserWarning: gone.py was broken",
        ),
        ("ERROR: Unrecoverable exception thrown when parsing a.py!", "Unrecoverable exception"),
    ],
)
def test_what_isort_cannot_parse_it_has_not_seen(stderr: str, blind: str) -> None:
    assert isort(stderr, "SUCCESS: a.py Everything Looks Good!\n").blind.startswith(blind)


FIGURES = (
    "0.04     seconds elapsed\n10       total logical lines processed\n216      logical lines processed per second\n"
)
COUNT = "3          total files processed\n130        files processed per second\n"


def flake8(report: str | None) -> Report:
    return read_flake8(ToolRun("flake8", 1, report=report, stderr="last words"))


def test_flake8_gives_rule_place_and_the_number_of_files() -> None:
    report = flake8(f"./a b/größe.py\x1f8\x1f2\x1fE225\x1fmissing whitespace: 'x'\n{FIGURES}{COUNT}")
    assert report.count == 3 and not report.unread and not report.blind
    [one] = report.found
    assert (one.file, one.line, one.rule, one.message) == ("a b/größe.py", 8, "E225", "missing whitespace: 'x'")


@pytest.mark.parametrize(
    ("report", "unread"),
    [
        (None, "left no report: last words"),
        ("", "cut short"),
        (FIGURES, "cut short"),
        ("./a.py\x1f1\x1f1\x1fE1\x1fx\n", "cut short"),
        ("./a.py\x1f1\x1f1\n" + COUNT, "has a line that is none"),
        ("./a.py\n" + COUNT, "has a line that is none"),
        ("\ufffd\x00\n" + COUNT, "has a line that is none"),
        ("a.py:1:1: E1 x\n" + COUNT, "has a line that is none"),
    ],
)
def test_a_flake8_report_that_is_none_is_not_believed(report: str | None, unread: str) -> None:
    assert unread in flake8(report).unread


@pytest.mark.parametrize("code", ["E902", "E999"])
def test_what_flake8_cannot_parse_it_has_not_seen(code: str) -> None:
    report = flake8(f"./s.py\x1f1\x1f8\x1f{code}\x1fSyntaxError: no\n{COUNT}")
    assert report.blind == "s.py:1: SyntaxError: no" and len(report.found) == 1


FOUND = "Found 2 errors in 1 file (checked 5 source files)\n"
ERRORS = "a b/c.py:3:7: error: Bad: thing  [assignment]\nd.py:9: error: Other\n"


def mypy(stdout: str, returncode: int = 1, stderr: str = "") -> Report:
    return read_mypy(ToolRun("mypy", returncode, stdout, stderr))


def test_mypy_gives_code_place_and_the_number_of_files() -> None:
    report = mypy(ERRORS + "d.py:9: note: hint\n" + FOUND)
    assert report.count == 5 and not report.unread and not report.blind
    told = [(one.file, one.line, one.rule, one.message) for one in report.found]
    assert told == [("a b/c.py", 3, "assignment", "Bad: thing"), ("d.py", 9, "error", "Other")]
    assert mypy("Success: no issues found in 1 source file\n", 0).count == 1


@pytest.mark.parametrize(
    ("stdout", "unread"),
    [
        ("", "printed no summary"),
        (ERRORS, "printed no summary"),
        (FOUND, "counts 2 errors, and 0 can be read"),
        (ERRORS + ERRORS + FOUND, "counts 2 errors, and 4 can be read"),
        ("Success: no issues found in many source files\n", "printed no summary"),
    ],
)
def test_a_mypy_that_contradicts_itself_is_not_believed(stdout: str, unread: str) -> None:
    assert unread in mypy(stdout).unread


@pytest.mark.parametrize(
    ("stdout", "stderr", "blind"),
    [
        (
            "s.py:1:8: error: Unexpected  [syntax]\nFound 1 error in 1 file (errors prevented further checking)\n",
            "",
            "s.py:1: Unexpected",
        ),
        ("Found 1 error in 1 file (errors prevented further checking)\n", "b.py: error: Cannot decode", "b.py: error"),
        ("", "usage: mypy [-h]\nmypy: error: unrecognized arguments: --x", "mypy: error: unrecognized"),
        ("", "There are no .py[i] files in directory 'e'", "There are no"),
    ],
)
def test_what_keeps_mypy_from_checking_is_told(stdout: str, stderr: str, blind: str) -> None:
    assert mypy(stdout, 2, stderr).blind.startswith(blind)


@pytest.mark.parametrize("reader", [read_black, read_isort, read_mypy])
def test_carriage_returns_do_not_hide_a_line(reader: Reader) -> None:
    text = "would reformat a.py\r\nERROR: a.py Imports are incorrectly sorted and/or formatted.\r\n"
    mypys = "a.py:1: error: x\r\nFound 1 error in 1 file (checked 1 source file)\r\n"
    assert len(reader(ToolRun("x", 1, mypys, text + "1 file would be reformatted.\r\n")).found) == 1


def test_a_black_that_could_not_parse_a_file_need_not_name_every_file_that_stays() -> None:
    error = "error: cannot format s.py: Cannot parse: 1:6: def f(:\nerror: cannot format t.py: second\n"
    report = black(f"{GOOD}{error}1 file would be left unchanged, 2 files would fail to reformat.\n")
    assert (report.unread, report.blind) == ("", "s.py: Cannot parse: 1:6: def f(:")
    told = black(f"{WOULD}{error}2 files would be reformatted, 2 files would fail to reformat.\n")
    assert told.unread == "black's summary and the files that it names do not agree"


def test_a_file_whose_change_is_not_shown_is_told_without_a_line() -> None:
    assert [one.line for one in black(WOULD + "1 file would be reformatted.\n").found] == [0]
    assert [one.line for one in isort("ERROR: b.py Imports are incorrectly sorted and/or formatted.\n").found] == [0]


def test_of_several_troubles_the_first_is_told() -> None:
    assert isort("Unable to parse file a.py\nUnable to parse file b.py\n").blind == "a.py"
    marks = "".join(f"./{name}.py\x1f1\x1f8\x1fE999\x1fno {name}\n" for name in "st")
    assert flake8(marks + COUNT).blind == "s.py:1: no s"


def test_a_flake8_line_that_is_none_is_told_in_short() -> None:
    for length, kept in ((100, 100), (101, 100)):
        told = flake8("x" * length + "\n" + COUNT).unread
        assert told == f"flake8's report has a line that is none: {'x' * kept}"


@pytest.mark.parametrize(("code", "blind"), [(0, ""), (1, ""), (2, "a b/c.py:3: Bad: thing")])
def test_a_mypy_that_was_prevented_is_told_by_its_exit_code(code: int, blind: str) -> None:
    report = mypy(ERRORS + FOUND, code)
    assert (report.blind, report.unread, report.count) == (blind, "", 5)


def test_a_mypy_that_was_prevented_is_told_by_its_summary_too() -> None:
    errors = "s.py: error: Cannot decode\nt.py:4: error: no\n"
    report = mypy(errors + "Found 2 errors in 2 files (errors prevented further checking)\n", 1)
    assert (report.blind, report.count, report.unread) == ("s.py:0: Cannot decode", 0, "")
    assert [(one.file, one.line) for one in report.found] == [("s.py", 0), ("t.py", 4)]
