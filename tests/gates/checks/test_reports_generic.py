import pytest

from gates.checks.reports import Report, ToolRun
from gates.checks.reports_generic import read_lines


def lines(text: str, returncode: int = 1) -> Report:
    return read_lines(ToolRun("x", returncode, "", text, tracked={"src/a.py": 9, "a b.sh": 2}))


@pytest.mark.parametrize(
    ("line", "file", "number", "rule"),
    [
        ("src/a.py:3:7: E501 line too long", "src/a.py", 3, "E501"),
        ("./src/a.py:3: [W0611] unused", "src/a.py", 3, "W0611"),
        ("/source/src/a.py:3:7: error[no-any]: bad", "src/a.py", 3, "no-any"),
        ("src/a.py:3: warning: bad [no-any]", "src/a.py", 3, "no-any"),
        ("src/a.py:3:1 - bad (no-any)", "src/a.py", 3, "no-any"),
        ("a b.sh:2:1: note: quote this", "a b.sh", 2, "finding"),
        ("src/a.py:3: just text", "src/a.py", 3, "finding"),
    ],
)
def test_a_line_that_names_a_file_is_a_finding(line: str, file: str, number: int, rule: str) -> None:
    [one] = lines(f"starting\n{line}\nFound 1 error.\n").found
    assert (one.file, one.line, one.rule) == (file, number, rule)


@pytest.mark.parametrize(
    "text", ["", "12:30:45: started", "gone.py:1: x", "https://x:80: y", "Traceback (most recent call last):", "a.py:1"]
)
def test_other_lines_say_nothing_and_exit_one_alone_is_no_verdict(text: str) -> None:
    assert not lines(text, 0).found and not lines(text, 0).unread
    assert "exit code 1 without a line that names a file" in lines(text, 1).unread


def test_lines_are_read_from_the_report_file_when_there_is_one() -> None:
    run = ToolRun(
        "x", 1, "src/a.py:1: printed", "src/a.py:2: told", "src/a.py:3: E501 reported", tracked={"src/a.py": 9}
    )
    assert [(one.line, one.rule, one.message) for one in read_lines(run).found] == [(3, "E501", "E501 reported")]
    assert not read_lines(ToolRun("x", 0, "src/a.py:1: printed", report="", tracked={"src/a.py": 9})).found
    both = ToolRun("x", 1, "src/a.py:1: printed", "src/a.py:2: told", tracked={"src/a.py": 9})
    assert [one.line for one in read_lines(both).found] == [1, 2]


@pytest.mark.parametrize(("code", "doubted"), [(0, False), (1, True), (2, False), (-9, False)])
def test_only_exit_code_1_promises_findings(code: int, doubted: bool) -> None:
    assert bool(lines("nothing to see", code).unread) is doubted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F401 [*] `os` imported but unused\n --> src/a.py:1:8\n  |\n1 | import os\n", ("src/a.py", 1, "F401")),
        ("error[no-any]: bad\n   --> src/a.py:3:1\n", ("src/a.py", 3, "no-any")),
        ("Would reformat: src/a.py\n1 file would be reformatted\n", ("src/a.py", 0, "changed")),
        ("would reformat /source/src/a.py\n", ("src/a.py", 0, "changed")),
        ("Rewriting src/a.py\n", ("src/a.py", 0, "changed")),
        ("Fixing a b.sh\n", ("a b.sh", 0, "changed")),
        ("\nsrc/a.py\n──────\nH014 3:0 Found extra blank lines.\n", ("src/a.py", 3, "H014")),
        ("src/a.py:\n  4:8 F401 unused\n", ("src/a.py", 4, "F401")),
        ("/source/src/a.py\n  4:8  error  bad  [no-any]\n", ("src/a.py", 4, "no-any")),
        ("\x1b[1msrc/a.py\x1b[0m\x1b[36m:\x1b[0m1\x1b[36m:\x1b[0m8: \x1b[31mF401\x1b[0m no\n", ("src/a.py", 1, "F401")),
    ],
)
def test_other_forms_in_which_a_finding_names_its_file(text: str, expected: tuple[str, int, str]) -> None:
    [one] = lines(text).found
    assert (one.file, one.line, one.rule) == expected


def test_a_tool_that_found_no_file_has_not_looked() -> None:
    report = lines("warning: No Python files found under the given path(s)\nAll checks passed!\n", 0)
    assert report.files == frozenset() and report.none == (
        'it says "warning: No Python files found under the given path(s)"; '
        "if it looked all the same, let it write its lines into {report}"
    )
    assert lines("Success: no issues found in 3 source files", 0).files is None
    assert lines("No files found\nsrc/a.py:3: E501 long\n", 1).files is None
    own = ToolRun("x", 0, "No files found", report="checked\n", tracked={"src/a.py": 9})
    assert read_lines(own).files is None


WARNED = "/source/src/a.py:3: DeprecationWarning: datetime.utcnow() is deprecated\n  x = datetime.utcnow()\n"
LEFT_OUT = (
    "Python's own warnings are none of the tool's (1 left out): "
    "src/a.py:3: DeprecationWarning: datetime.utcnow() is deprecated"
)


@pytest.mark.parametrize(
    ("text", "found", "notes"),
    [
        (WARNED, 0, (LEFT_OUT,)),
        (f"{WARNED}src/a.py:4: E501 long\n", 1, (LEFT_OUT,)),
        (
            WARNED.replace("Deprecation", "RemovedInDjango60"),
            0,
            (LEFT_OUT.replace("Deprecation", "RemovedInDjango60"),),
        ),
        ("/env/lib/x.py:3: UserWarning: old\n", 0, ()),
        ("src/a.py:3: Warning: bad\n", 1, ()),
        ("src/a.py:3: warning: bad\n", 1, ()),
        ("src/a.py:3: W605 SyntaxWarning: bad\n", 1, ()),
    ],
)
def test_what_python_itself_warns_of_is_no_finding(text: str, found: int, notes: tuple[str, ...]) -> None:
    report = lines(text, 0)
    assert (len(report.found), report.notes) == (found, notes)


def test_a_warning_before_a_crash_is_no_finding_either() -> None:
    crash = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'y'\n"
    assert "without a line that names a file: ModuleNotFoundError" in lines(WARNED + crash, 1).unread


@pytest.mark.parametrize(
    ("tool", "cure"),
    [
        ("yamllint 1.3 (the app's)", "--format parsable"),
        ("shellcheck (the host's)", "--format gcc"),
        ("oddlint 1 (the app's)", 'one line `path:line: message` a finding, or SARIF in {report} with reads = "sarif"'),
    ],
)
def test_a_tool_whose_lines_cannot_be_read_is_told_which_option_it_needs(tool: str, cure: str) -> None:
    told = read_lines(ToolRun("x", 1, "", "all is bad", tool=tool)).unread
    assert (
        told.startswith("exit code 1 without a line that names a file: all is bad; give its command") and cure in told
    )
