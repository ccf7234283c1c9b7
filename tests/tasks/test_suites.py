import os
from pathlib import Path

import pytest

from gates.quality import SuiteRun, judge_suite
from gates.requirements import Outcome
from tasks import suites
from tasks.suites import read_report

RUN = SuiteRun("unit", 0, timed_out=False, seconds=2.0, last_line="the end")
GOOD = '<testsuites><testsuite tests="10" failures="1" errors="2" skipped="3"/></testsuites>'


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "junit.xml"


def test_the_counts_are_those_of_the_report(report: Path) -> None:
    report.write_text(GOOD)
    run = read_report(RUN, report)
    assert (run.tests, run.failed, run.skipped) == (10, 3, 3)
    assert (run.name, run.returncode, run.seconds, run.last_line) == ("unit", 0, 2.0, "the end")


def test_suites_are_added_up_and_one_alone_is_read_too(report: Path) -> None:
    report.write_text('<testsuites><testsuite tests="1" errors="1"/><testsuite tests="2" skipped="1"/></testsuites>')
    run = read_report(RUN, report)
    assert (run.tests, run.failed, run.skipped) == (3, 1, 1)
    report.write_text('<testsuite tests="4" failures="1"/>')
    assert (read_report(RUN, report).tests, read_report(RUN, report).failed) == (4, 1)


@pytest.mark.parametrize("kind", ["failure", "error"])
def test_the_first_failure_is_shown(report: Path, kind: str) -> None:
    case = f'<testcase classname="t.a" name="{{}}"><{kind} message="{{}}"/></testcase>'
    cases = '<testcase name="ok"/>' + case.format("one", "no &lt;b&gt;") + case.format("two", "later")
    report.write_text(f'<testsuites><testsuite tests="3" {kind}s="2">{cases}</testsuite></testsuites>')
    assert read_report(RUN, report).first_failure == "t.a.one: no <b>"
    report.write_text(
        f'<testsuite tests="1" {kind}s="1"><testcase><{kind} message="{"x" * 9999}"/></testcase></testsuite>'
    )
    assert len(read_report(RUN, report).first_failure) == 300


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
    ],
)
def test_what_cannot_be_read_is_no_verdict(report: Path, content: bytes) -> None:
    report.write_bytes(content)
    run = read_report(RUN, report)
    assert run == RUN
    assert judge_suite(run).outcome is Outcome.NO_VERDICT


@pytest.mark.parametrize(
    "content", ["<testsuites/>", '<testsuite tests="0"/>', "<html/>", '<testsuite tests="3" skipped="3"/>']
)
def test_a_report_of_no_test_is_no_verdict(report: Path, content: str) -> None:
    report.write_text(content)
    assert judge_suite(read_report(RUN, report)).outcome is Outcome.NO_VERDICT


def test_errors_fail_a_suite_whatever_its_exit_code(report: Path) -> None:
    report.write_text('<testsuite tests="3" errors="1"/>')
    assert judge_suite(read_report(RUN, report)).outcome is Outcome.FAILED


def test_deeply_nested_elements_do_no_harm(report: Path) -> None:
    depth = 100_000
    report.write_text('<testsuite tests="1">' + "<a>" * depth + "</a>" * depth + "</testsuite>")
    assert read_report(RUN, report).tests == 1


def test_a_missing_report_and_a_folder_are_no_verdict(report: Path) -> None:
    assert read_report(RUN, report) == RUN
    report.mkdir()
    assert read_report(RUN, report) == RUN


def test_a_link_is_not_followed(report: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.xml").write_text(GOOD)
    report.symlink_to(tmp_path / "elsewhere.xml")
    assert read_report(RUN, report) == RUN
    report.unlink()
    report.symlink_to(tmp_path / "nowhere")
    assert read_report(RUN, report) == RUN


def test_a_pipe_and_a_device_are_not_waited_for(report: Path) -> None:
    os.mkfifo(report)
    assert read_report(RUN, report) == RUN


def test_a_report_too_big_is_not_read(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report.write_text(GOOD)
    with open(report, "ab") as file:
        file.truncate(suites.LARGEST_REPORT_BYTES + 1)  # a hole: it takes no space
    assert read_report(RUN, report) == RUN
    report.write_text(GOOD)
    monkeypatch.setattr(suites, "LARGEST_REPORT_BYTES", len(GOOD))
    assert read_report(RUN, report).tests == 10
    monkeypatch.setattr(suites, "LARGEST_REPORT_BYTES", len(GOOD) - 1)
    assert read_report(RUN, report) == RUN
