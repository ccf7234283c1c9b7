import pytest

from gates.check import Bound, Check, Measure, Outcome
from gates.findings import Finding, Severity, fingerprint
from gates.scans.outcome import (
    MOST_FINDINGS,
    MOST_NOTES,
    ReportError,
    ScanOutcome,
    conclude,
    counted,
    distinguish_repeats,
    merge_parts,
    read_report,
)


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
    check = conclude("code", "tool", ScanOutcome(found, measures=(figure(9),)))
    assert (check.outcome, check.reason, check.measures) == (Outcome.PASSED, reason, (figure(9),))
    assert [one.severity.rank for one in check.findings] == sorted(one.severity.rank for one in check.findings)


def test_what_could_not_be_looked_at_outranks_everything_and_keeps_what_was_found() -> None:
    check = conclude("code", "tool", ScanOutcome((finding(Severity.CRITICAL),), ("a.py: broken", "a.py: broken")))
    assert (check.outcome, check.reason) == (Outcome.NO_VERDICT, "a.py: broken; found so far: 1 critical")
    assert len(check.findings) == 1


def test_many_problems_findings_and_notes_are_shortened() -> None:
    problems = tuple(f"p{number}" for number in range(7))
    assert conclude("code", "tool", ScanOutcome(problems=problems)).reason == "p0; p1; p2; p3; p4 (and 2 more)"
    many = tuple(finding(Severity.LOW, fingerprint=str(number)) for number in range(MOST_FINDINGS))
    check = conclude("code", "tool", ScanOutcome((*many, finding(Severity.HIGH), many[0])))
    assert len(check.findings) == MOST_FINDINGS and check.findings[0].severity is Severity.HIGH
    assert check.notes == (f"{MOST_FINDINGS + 1} findings, of which the worst {MOST_FINDINGS} are kept",)


def test_an_empty_report_and_one_of_another_shape_are_told_without_their_content() -> None:
    for text in ("", " \n", "[]", '{"summary": "hunter2"}', '{"error": {"code": '):
        with pytest.raises(ReportError, match="tool left") as told:
            read_report(Measure, text, "tool")
        assert "hunter2" not in str(told.value)


def test_sights_add_up() -> None:
    both = ScanOutcome(problems=("p",), examined=("1 file",)) + ScanOutcome(notes=("n",), examined=("2 files",))
    assert (both.problems, both.examined, both.notes) == (("p",), ("1 file", "2 files"), ("n",))


def test_findings_of_one_fingerprint_are_told_apart_in_order() -> None:
    three = [finding(Severity.LOW, line=line) for line in (9, 3, 5)]
    first = distinguish_repeats(three)
    assert first[0].fingerprint == "f"
    assert [one.line for one in first] == [3, 5, 9]
    assert len({one.fingerprint for one in first}) == 3
    assert [one.fingerprint for one in distinguish_repeats(three[1:])] == [one.fingerprint for one in first[:2]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "tool left an empty report"),
        (" \n\t", "tool left an empty report"),
        (b" \n", "tool left an empty report"),
        ("[]", "tool left no report that can be trusted: Input should be an object"),
        ("hunter2", "tool left no report that can be trusted: Invalid JSON: expected value at line 1 column 1"),
        (
            '{"value": 1, "bound": "hunter2", "limit": 1}',
            "tool left no report that can be trusted: name: Field required",
        ),
        (
            '{"name": "n", "name": "hunter2", "value": 1, "bound": ">=", "limit": 1}',
            "tool left no report that can be trusted: the key name stands twice in one object",
        ),
        (
            '{"name": "n", "value": NaN, "bound": ">=", "limit": 1}',
            "tool left no report that can be trusted: Invalid JSON: NaN is no number of it",
        ),
        (
            '{"name": "a", "value": 1, "bound": "hunter2", "limit": 1}',
            "tool left no report that can be trusted: bound: Input should be '>=', '>', '<=' or '<'",
        ),
    ],
)
def test_the_place_that_is_wrong_in_a_report_is_told(text: str | bytes, why: str) -> None:
    with pytest.raises(ReportError) as told:
        read_report(Measure, text, "tool")
    assert str(told.value) == why
    assert told.value.__context__ is None or told.value.__suppress_context__


def test_a_place_within_a_list_is_told_with_its_number() -> None:
    with pytest.raises(ReportError) as told:
        read_report(Check, '{"name": "a", "outcome": "passed", "reason": "", "findings": [{"tool": 7}]}', "tool")
    assert str(told.value) == "tool left no report that can be trusted: findings.0.tool: Input should be a valid string"


@pytest.mark.parametrize("text", [figure(3).model_dump_json(), figure(3).model_dump_json().encode()])
def test_a_good_report_is_read(text: str | bytes) -> None:
    assert read_report(Measure, text, "tool") == figure(3)


def many_findings(count: int) -> tuple[Finding, ...]:
    return tuple(finding(Severity.LOW, fingerprint=str(number)) for number in range(count))


def test_what_is_kept_has_limits() -> None:
    assert (MOST_FINDINGS, MOST_NOTES) == (500, 100)
    full = conclude("code", "tool", ScanOutcome(many_findings(500)))
    assert (len(full.findings), full.notes, full.reason) == (500, (), "500 low")


@pytest.mark.parametrize(("count", "kept"), [(100, 100), (101, 100)])
def test_notes_are_told_once_each_and_the_first_hundred_are_kept(count: int, kept: int) -> None:
    notes = tuple(f"n{number}" for number in range(count))
    assert conclude("code", "tool", ScanOutcome(notes=("n0", *notes))).notes == notes[:kept]


def test_that_findings_are_left_out_is_the_first_note_and_displaces_the_last() -> None:
    notes = tuple(f"n{number}" for number in range(MOST_NOTES))
    check = conclude("code", "tool", ScanOutcome(many_findings(501), notes=notes))
    assert check.notes == ("501 findings, of which the worst 500 are kept", *notes[:99])


@pytest.mark.parametrize(("count", "reason"), [(5, "p0; p1; p2; p3; p4"), (6, "p0; p1; p2; p3; p4 (and 1 more)")])
def test_five_problems_are_named(count: int, reason: str) -> None:
    assert conclude("code", "tool", ScanOutcome(problems=tuple(f"p{n}" for n in range(count)))).reason == reason


@pytest.mark.parametrize(("length", "kept"), [(2000, 2000), (2001, 2000)])
def test_a_long_problem_is_cut(length: int, kept: int) -> None:
    check = conclude("code", "tool", ScanOutcome((finding(Severity.LOW),), ("p" * length,)))
    assert check.reason == "p" * kept + "; found so far: 1 low"


def test_findings_of_one_severity_stand_by_file_line_and_rule_and_of_one_fingerprint_the_last_is_kept() -> None:
    places = [("b.py", 1, "R1"), ("a.py", 9, "R1"), ("a.py", 2, "R2"), ("a.py", 2, "R1")]
    found = [finding(Severity.LOW, file=f, line=n, rule=r, fingerprint=f"{f}{n}{r}") for f, n, r in places]
    again = finding(Severity.LOW, file="z.py", fingerprint=found[0].fingerprint)
    check = conclude("code", "tool", ScanOutcome((*found, again)))
    assert [(one.file, one.line, one.rule) for one in check.findings] == [
        ("a.py", 2, "R1"),
        ("a.py", 2, "R2"),
        ("a.py", 9, "R1"),
        ("z.py", 0, "R1"),
    ]


def test_what_was_examined_and_how_long_it_took_are_told() -> None:
    check = conclude("code", "tool", ScanOutcome(examined=("1 file", "", "2 files")), seconds=1.23456)
    assert (check.examined, check.seconds, check.tool, check.name) == ("1 file, 2 files", 1.23, "tool", "code")
    assert conclude("code", "tool", ScanOutcome()).seconds == 0


def test_the_parts_of_a_scan_are_put_together_in_their_order() -> None:
    parts = [
        ScanOutcome((finding(severity),), (f"p{severity}",), ("x",), ("n",), (figure(2),))
        for severity in (Severity.LOW, Severity.HIGH)
    ]
    both = merge_parts(parts)
    assert [one.severity for one in both.findings] == [Severity.LOW, Severity.HIGH]
    assert (both.problems, both.examined, both.notes) == (("plow", "phigh"), ("x", "x"), ("n", "n"))
    assert both.measures == (figure(2), figure(2))
    assert merge_parts([]) == ScanOutcome()


def test_a_repeated_finding_is_known_by_its_number() -> None:
    three = distinguish_repeats([finding(Severity.LOW, line=line) for line in (9, 3, 5)])
    assert [one.fingerprint for one in three] == ["f", fingerprint("f", "1"), fingerprint("f", "2")]
    files = distinguish_repeats([finding(Severity.LOW, file=file) for file in ("b.py", "a.py")])
    assert [(one.file, one.fingerprint) for one in files] == [("a.py", "f"), ("b.py", fingerprint("f", "1"))]
    others = distinguish_repeats([finding(Severity.LOW, fingerprint=mark) for mark in "gf"])
    assert [one.fingerprint for one in others] == ["g", "f"]


def test_what_was_counted_is_told_from_the_worst_on() -> None:
    assert counted([finding(one) for one in (Severity.LOW, Severity.CRITICAL, Severity.LOW)]) == "1 critical, 2 low"
    assert counted([]) == "nothing found"


@pytest.mark.parametrize(
    ("problems", "away", "alone"),
    [((), ("OSV is away",), True), (("a.lock: line 1",), ("OSV is away",), False), (("a.lock: line 1",), (), False)],
)
def test_a_source_that_is_away_is_told_apart_from_what_the_commit_did(
    problems: tuple[str, ...], away: tuple[str, ...], alone: bool
) -> None:
    check = conclude("dependency", "tool", ScanOutcome(problems=problems) + ScanOutcome(away=away))
    assert (check.outcome, check.source_away) == (Outcome.NO_VERDICT, alone)
    assert check.reason == "; ".join((*problems, *away))
    assert "source_away" not in check.model_dump()
