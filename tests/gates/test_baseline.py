from datetime import date, timedelta

import pytest

from gates.baseline import Baseline, DueDays, Entry, Known, known_of, marks, spoken, summed
from gates.findings import Finding, Severity
from tests.gates.findings import issue, vulnerability

TODAY = date(2026, 3, 1)


def entry(finding: Finding, check: str = "code", **more: object) -> Entry:
    known = {"check": check, "fingerprint": finding.fingerprint, "severity": finding.severity}
    return Entry.model_validate({**known, "first_seen": TODAY, "due": TODAY, **more})


def baseline(*entries: Entry, trouble: str = "") -> Baseline:
    return Baseline("Robin", TODAY, "a" * 40, DueDays(), entries, trouble)


def test_a_known_finding_is_held_back_to_the_end_of_its_last_day() -> None:
    found = issue()
    assert baseline(entry(found)).hold("code", [found], TODAY).known == (found,)
    held = baseline(entry(found)).hold("code", [found], TODAY + timedelta(days=1))
    assert (held.known, held.overdue, held.entries) == ((), (found,), ())


@pytest.mark.parametrize(
    ("check", "found", "why"),
    [
        ("dependency", issue(), "of another check"),
        ("code", issue(line=4), "another one"),
        ("code", issue(severity=Severity.CRITICAL), "it became worse"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_baseline_does_not_have_is_new(check: str, found: Finding, why: str) -> None:
    assert baseline(entry(issue())).hold(check, [found], TODAY).fresh == (found,), why


@pytest.mark.parametrize(
    "rule",
    "secret-in-image B105 S106 hardcoded-token private-key-in-file generic-api-key aws-access-token Secret-Key".split(),
)
def test_a_secret_is_never_known(rule: str) -> None:
    found = issue(rule)
    assert baseline(entry(found)).hold("code", [found], TODAY).fresh == (found,)


def test_a_baseline_that_does_not_count_holds_nothing_back_and_says_why_first() -> None:
    refused = baseline(entry(issue()), trouble="it is not committed")
    assert refused.hold("code", [issue()], TODAY).fresh
    assert refused.refused("1 high") == "config/baseline.toml does not count: it is not committed; 1 high"


def spoken_entry(found: Finding, count: int) -> Entry:
    return entry(found, "mypy", fingerprint=spoken(found), count=count)


def told(line: int, message: str = "defined on line 7") -> Finding:
    return issue("no-redef", Severity.MEDIUM, line, tool="mypy", message=message)


def test_findings_of_a_tool_are_known_by_their_words_and_number() -> None:
    held = baseline(spoken_entry(told(1), 2)).hold("mypy", [told(5), told(9, "defined on line 70")], TODAY)
    assert len(held.known) == 2 and not held.fresh and held.entries[0].count == 2
    grown = baseline(spoken_entry(told(1), 2)).hold("mypy", [told(1), told(2), told(3)], TODAY)
    assert len(grown.known) == 2 and grown.fresh == (told(3),)


def test_what_is_gone_is_told_and_what_is_waived_is_not_gone() -> None:
    two = baseline(entry(issue()), spoken_entry(told(1), 3))
    assert two.hold("mypy", [told(1)], TODAY).gone == 2
    assert "2 findings of the baseline gone" in two.hold("mypy", [told(1)], TODAY).notes[1]
    assert two.hold("code", [], TODAY, [issue()]).gone == 0


def test_it_is_found_again_and_summed() -> None:
    found = vulnerability()
    (known,) = baseline(entry(found, "dependency")).hold("dependency", [found], TODAY).entries
    assert known_of(found, marks([known])) == known and known_of(issue(), marks([known])) is None
    assert str(known) == "known since 2026-03-01, due 2026-03-01"
    more = Known(fingerprint="b" * 24, severity=Severity.LOW, count=7, since=TODAY, due=TODAY, approver="Robin")
    assert summed([known, more]) == "1 high, 7 low, the first due 2026-03-01" and summed([]) == "nothing"
