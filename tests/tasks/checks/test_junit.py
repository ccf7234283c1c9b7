import os
from pathlib import Path

import pytest

from gates.checks.suites import Case, Ending
from tasks.checks import junit
from tasks.checks.junit import Report, read_report

GOOD = (
    '<testsuites><testsuite tests="4" failures="1" errors="1" skipped="1">'
    '<testcase classname="tests.unit.test_a.TestB" name="test_c[1]" file="tests/unit/test_a.py" line="6" time="0.25"/>'
    '<testcase classname="tests.unit.test_a" name="test_d" file="tests/unit/test_a.py" line="9" time="1">'
    '<failure message="no &lt;b&gt;">def test_d():\n&gt;   help()\n\ntests/unit/test_a.py:11: \n'
    "../../env/lib/python3/helper.py:70: in help\n/env/other.py:3: OSError\ntests/support.py:12: OSError</failure>"
    "</testcase>"
    '<testcase classname="" name="tests.test_e"><error message="collection failure">'
    "E   ImportError: no x\nE   why</error>"
    '</testcase><testcase classname="other.place" name="test_f" file="tests/test_f.py"><skipped message="not here"/>'
    "</testcase></testsuite></testsuites>"
)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "junit.xml"


def test_each_test_has_its_name_its_end_its_place_and_its_message(report: Path) -> None:
    report.write_text(GOOD)
    found = read_report(report)
    assert found == Report(
        (
            Case("tests/unit/test_a.py::TestB::test_c[1]", Ending.PASSED, 0.25, "", "tests/unit/test_a.py", 7),
            Case("tests/unit/test_a.py::test_d", Ending.FAILED, 1, "no <b>", "tests/support.py", 12),
            Case("tests.test_e", Ending.FAILED, 0, "collection failure; ImportError: no x; why"),
            Case("other.place.test_f", Ending.SKIPPED, 0, "not here", "tests/test_f.py"),
        ),
        counted=4,
        failures=2,
    )


def test_suites_are_added_up_and_one_alone_is_read_too(report: Path) -> None:
    report.write_text('<testsuites><testsuite tests="1" errors="1"/><testsuite tests="2" failures="1"/></testsuites>')
    assert read_report(report) == Report((), 3, 2)
    report.write_text('<testsuite tests="4" failures="1"/>')
    assert read_report(report) == Report((), 4, 1)


def test_long_and_secret_text_is_shortened_and_masked(report: Path) -> None:
    case = f'<testcase name="{"n" * 9999}"><failure message="the hunter22 is {"x" * 9999}"/></testcase>'
    report.write_text(f'<testsuite tests="1" failures="1">{case}</testsuite>')
    found = read_report(report, ["hunter22"])
    assert found is not None
    assert len(found.cases[0].name) == 500
    assert len(found.cases[0].message) == 1000
    assert found.cases[0].message.startswith("the *** is xx")


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><testsuite tests="1">&i;</testsuite>'
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite tests="1">&a;</testsuite>'
)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(GOOD.encode()[:-1], id="truncated"),
        pytest.param(GOOD.encode()[:20], id="truncated early"),
        pytest.param(bytes(range(256)) * 10, id="binary"),
        pytest.param(b"\0" * 1000, id="zeros"),
        pytest.param(b"10 passed", id="text"),
        pytest.param(b'{"tests": 10}', id="json"),
        pytest.param(BOMB.encode(), id="a billion laughs"),
        pytest.param(OUTSIDE.encode(), id="an external entity"),
        pytest.param(b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x"><testsuite tests="1">&x;</testsuite>', id="a DTD"),
        pytest.param(b'<testsuite tests="many"/>', id="a count that is none"),
        pytest.param(b'<testsuite tests=""/>', id="an empty count"),
        pytest.param(b'<testsuite tests="1.5"/>', id="a fraction"),
        pytest.param(b'<testsuite tests="10" failures="-3" errors="3"/>', id="a negative count"),
        pytest.param(f'<testsuite tests="{"9" * 5000}"/>'.encode(), id="a number without end"),
        pytest.param(b'<?xml version="1.0" encoding="hex"?><testsuite tests="1"/>', id="an encoding that is none"),
        pytest.param(b'<?xml version="1.0" encoding="undefined"?><testsuite tests="1"/>', id="an undefined encoding"),
        pytest.param(b'<?xml version="1.0" encoding="utf-7"?><testsuite tests="1"/>', id="a multi-byte encoding"),
        pytest.param(b'<?xml version="1.0" encoding="nonsense"?><testsuite tests="1"/>', id="an unknown encoding"),
        pytest.param(b'<testsuite tests="1"><testcase name="a" time="soon"/></testsuite>', id="a time that is none"),
        pytest.param(b'<testsuite tests="1"><testcase name="a" line="x"/></testsuite>', id="a line that is none"),
        pytest.param(b"<html/>", id="another kind of XML"),
        pytest.param(b"<testsuites/>", id="no suite"),
    ],
)
def test_what_cannot_be_read_is_no_report(report: Path, content: bytes) -> None:
    report.write_bytes(content)
    assert read_report(report) is None


def test_deeply_nested_elements_do_no_harm(report: Path) -> None:
    depth = 100_000
    report.write_text('<testsuite tests="1">' + "<a>" * depth + "</a>" * depth + "</testsuite>")
    assert read_report(report) == Report((), 1, 0, "<a> in <a>")


@pytest.mark.parametrize(
    ("inside", "unknown"),
    [
        ("<properties><property name='a' value='b'/></properties><system-out>x</system-out><system-err/>", ""),
        ("<testcase name='b'><skipped/><failure message='late'/></testcase>", ""),
        ("<testcase name='b'><failure message='x'/><error message='y'/><properties/></testcase>", ""),
        ("<testcase name='b'><rerunFailure/></testcase>", '<rerunFailure> in <testcase> "b"'),
        ("<testcase name='b'><flakyError/></testcase>", '<flakyError> in <testcase> "b"'),
        ("<testcase name='b'><Failure/></testcase>", '<Failure> in <testcase> "b"'),
        ("<testcase name='b'><testcase name='c'><failure/></testcase></testcase>", '<testcase> in <testcase> "b"'),
        ("<TestCase name='b'><failure/></TestCase>", "<failure> in <TestCase>"),
        ("<skipped/>", '<skipped> in <testsuite> "s"'),
        ("<properties><failure/></properties>", "<failure> in <properties>"),
        ("<testcase name='b'><system-out><error/></system-out></testcase>", "<error> in <system-out>"),
        (f"<{'x' * 99}/>", f'<{"x" * 60}> in <testsuite> "s"'),
        ("<testcase name='hunter22'><o/></testcase>", '<o> in <testcase> "***"'),
    ],
)
def test_what_stands_where_pytest_writes_nothing_is_named(report: Path, inside: str, unknown: str) -> None:
    report.write_text(
        f'<testsuites><testsuite name="s" tests="2"><testcase name="a"/>{inside}</testsuite></testsuites>'
    )
    found = read_report(report, ["hunter22"])
    assert found is not None and found.unknown.startswith(unknown) and bool(found.unknown) is bool(unknown)


@pytest.mark.parametrize(
    ("said", "ending", "message"),
    [
        ("", Ending.PASSED, ""),
        ("status='run' result='completed'", Ending.PASSED, ""),
        ("status='Passed'", Ending.PASSED, ""),
        ("status='notrun' result='suppressed'", Ending.SKIPPED, ""),
        ("result='skipped'", Ending.SKIPPED, ""),
        ("status='failed'", Ending.FAILED, 'it says status="failed"'),
        ("status='run' result='error'", Ending.FAILED, 'it says result="error"'),
        ("status='hunter22'", Ending.FAILED, 'it says status="***"'),
        ("state='failed' id='7'", Ending.PASSED, ""),  # an attribute of the test's own
    ],
)
def test_what_a_test_says_of_itself_counts(report: Path, said: str, ending: Ending, message: str) -> None:
    report.write_text(f'<testsuite tests="1"><testcase name="a" {said}/></testsuite>')
    assert read_report(report, ["hunter22"]) == Report((Case("a", ending, message=message),), 1, 0)


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ('<testsuite name="s" tests="1"><testcase name="a"/><error message="boom"/></testsuite>', {"s": "boom"}),
        ('<testsuite tests="1"><failure>E boom</failure><testcase name="a"/></testsuite>', {"testsuite": "boom"}),
        ('<testsuites><testsuite tests="1"/><failure message="x"/></testsuites>', {"testsuites": "x"}),
        ('<testsuites><testsuite tests="1"/></testsuites>', {}),
    ],
)
def test_a_suite_can_fail_beside_its_tests(report: Path, text: str, failed: dict[str, str]) -> None:
    report.write_text(text)
    found = read_report(report)
    assert found is not None
    assert {case.name: case.message for case in found.cases if case.ending is Ending.FAILED} == failed


def test_the_counters_of_all_suites_are_read_too(report: Path) -> None:
    inner = '<testsuite tests="2" failures="1"/><testsuite tests="1" failures="1"/>'
    for outer, failures in (("", 2), ('failures="1"', 2), ('failures="2" errors="1"', 3)):
        report.write_text(f"<testsuites {outer}>{inner}</testsuites>")
        assert read_report(report) == Report((), 3, failures)
    report.write_text(f'<testsuites failures="-3" errors="4">{inner}</testsuites>')
    assert read_report(report) is None


def test_a_report_is_read_in_parts(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report.write_text(GOOD)
    whole = read_report(report)
    for size in (1, 7, len(GOOD) - 1, len(GOOD)):
        monkeypatch.setattr(junit, "PART_BYTES", size)
        assert read_report(report) == whole is not None


def test_a_report_of_too_many_elements_is_not_read(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report.write_text('<testsuite tests="1">' + "<properties/>" * 3 + "</testsuite>")
    monkeypatch.setattr(junit, "MOST_ELEMENTS", 4)
    assert read_report(report) is not None
    monkeypatch.setattr(junit, "MOST_ELEMENTS", 3)
    assert read_report(report) is None


def test_a_report_of_too_many_tests_is_not_read(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report.write_text('<testsuite tests="3">' + '<testcase name="a"/>' * 3 + "</testsuite>")
    monkeypatch.setattr(junit, "MOST_CASES", 3)
    assert read_report(report) is not None
    monkeypatch.setattr(junit, "MOST_CASES", 2)
    assert read_report(report) is None


def test_a_missing_report_and_a_folder_are_no_report(report: Path) -> None:
    assert read_report(report) is None
    report.mkdir()
    assert read_report(report) is None


def test_a_link_is_not_followed(report: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.xml").write_text(GOOD)
    report.symlink_to(tmp_path / "elsewhere.xml")
    assert read_report(report) is None
    report.unlink()
    report.symlink_to(tmp_path / "nowhere")
    assert read_report(report) is None


def test_a_pipe_is_not_waited_for(report: Path) -> None:
    os.mkfifo(report)
    assert read_report(report) is None


def test_a_report_too_big_is_not_read(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report.write_text(GOOD)
    with open(report, "ab") as file:
        file.truncate(junit.LARGEST_REPORT_BYTES + 1)  # a hole: it takes no space
    assert read_report(report) is None
    report.write_text(GOOD)
    monkeypatch.setattr(junit, "LARGEST_REPORT_BYTES", len(GOOD))
    assert read_report(report) is not None
    monkeypatch.setattr(junit, "LARGEST_REPORT_BYTES", len(GOOD) - 1)
    assert read_report(report) is None
