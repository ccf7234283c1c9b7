import pytest

from gates.check import Bound, Measure, Outcome
from gates.findings import Finding, Severity
from gates.scans.outcome import MOST_FINDINGS, ReportError, Sight, conclude, numbered, read_report


def finding(severity: Severity, **more: object) -> Finding:
    fields = {"tool": "t", "rule": "R1", "message": "m", "file": "a.py", "fingerprint": "f", **more}
    return Finding.model_validate({**fields, "severity": severity})


def figure(value: float | None) -> Measure:
    return Measure(name="comments", value=value, bound=Bound.AT_MOST, limit=2)


@pytest.mark.parametrize(
    ("severities", "reason"),
    [
        ([], "nothing found"),
        ([Severity.LOW], "1 low"),
        ([Severity.LOW, Severity.MEDIUM, Severity.MEDIUM], "2 medium, 1 low"),
        ([Severity.MEDIUM, Severity.CRITICAL], "1 critical, 1 medium"),
    ],
)
def test_a_scan_that_could_look_says_what_it_found_and_leaves_the_judgement_to_the_gate(
    severities: list[Severity], reason: str
) -> None:
    found = tuple(finding(one, fingerprint=str(number)) for number, one in enumerate(severities))
    check = conclude("code", "tool", Sight(found, measures=(figure(9),)))
    assert (check.outcome, check.reason, check.measures) == (Outcome.PASSED, reason, (figure(9),))
    assert [one.severity.rank for one in check.findings] == sorted(one.severity.rank for one in check.findings)


def test_what_could_not_be_looked_at_outranks_everything_and_keeps_what_was_found() -> None:
    check = conclude("code", "tool", Sight((finding(Severity.CRITICAL),), ("a.py: broken", "a.py: broken")))
    assert (check.outcome, check.reason) == (Outcome.NO_VERDICT, "a.py: broken; found so far: 1 critical")
    assert len(check.findings) == 1


def test_many_problems_findings_and_notes_are_shortened() -> None:
    problems = tuple(f"p{number}" for number in range(7))
    assert conclude("code", "tool", Sight(problems=problems)).reason == "p0; p1; p2; p3; p4 (and 2 more)"
    many = tuple(finding(Severity.LOW, fingerprint=str(number)) for number in range(MOST_FINDINGS))
    check = conclude("code", "tool", Sight((*many, finding(Severity.HIGH), many[0])))
    assert len(check.findings) == MOST_FINDINGS and check.findings[0].severity is Severity.HIGH
    assert check.notes == (f"{MOST_FINDINGS + 1} findings, of which the worst {MOST_FINDINGS} are kept",)


def test_an_empty_report_and_one_of_another_shape_are_told_without_their_content() -> None:
    for text in ("", " \n", "[]", '{"summary": "hunter2"}', '{"error": {"code": '):
        with pytest.raises(ReportError, match="tool left") as told:
            read_report(Measure, text, "tool")
        assert "hunter2" not in str(told.value)


def test_sights_add_up() -> None:
    both = Sight(problems=("p",), examined=("1 file",)) + Sight(notes=("n",), examined=("2 files",))
    assert (both.problems, both.examined, both.notes) == (("p",), ("1 file", "2 files"), ("n",))


def test_findings_of_one_fingerprint_are_told_apart_in_order() -> None:
    three = [finding(Severity.LOW, line=line) for line in (9, 3, 5)]
    first = numbered(three)
    assert first[0].fingerprint == "f"
    assert [one.line for one in first] == [3, 5, 9]
    assert len({one.fingerprint for one in first}) == 3
    assert [one.fingerprint for one in numbered(three[1:])] == [one.fingerprint for one in first[:2]]
