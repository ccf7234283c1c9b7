from dataclasses import replace
from datetime import date, timedelta

from gates.adoption import Asked, Made, make_baseline
from gates.baseline import NOTHING, Baseline, DueDays
from gates.check import Check, Outcome
from gates.findings import Finding, Severity
from tests.gates.findings import issue, vulnerability

CRITICAL, HIGH, MEDIUM, LOW = Severity
TODAY = date(2026, 3, 1)
BLOCKING = {"dependency": (CRITICAL, HIGH), "secrets": tuple(Severity), "code": (CRITICAL, HIGH)}
ASKED = Asked("Robin", "a" * 40, TODAY, ["mypy"], BLOCKING, {})


def check(name: str, *found: Finding, outcome: Outcome = Outcome.FAILED) -> Check:
    return Check(name=name, outcome=outcome, reason="looked", findings=found)


def made(*checks: Check, before: Baseline = NOTHING, **asked: object) -> Made:
    return make_baseline(before, checks, replace(ASKED, **asked))  # type: ignore[arg-type]


def typed(line: int) -> Finding:
    return issue("arg-type", MEDIUM, line, tool="mypy")


def test_what_blocks_goes_in_with_a_due_date_by_severity() -> None:
    bad, high, medium = vulnerability(severity=CRITICAL), issue(), issue(severity=MEDIUM, line=9)
    got = made(check("dependency", bad), check("code", high, medium), check("mypy", typed(1), typed(2)))
    rows = [(one.check, one.severity, (one.due - TODAY).days, one.count) for one in got.baseline.entries]
    assert rows == [("code", HIGH, 30, 1), ("dependency", CRITICAL, 7, 1), ("mypy", MEDIUM, 90, 2)]
    assert len(made(check("code", high, medium), everything=True).baseline.entries) == 2


def test_days_and_first_sightings_are_taken() -> None:
    seen = TODAY - timedelta(days=50)
    got = made(
        check("code", issue()), before=Baseline(due_days=DueDays(high=3)), first_seen={issue().fingerprint: seen}
    )
    (entry,) = got.baseline.entries
    assert (entry.first_seen, entry.due) == (seen, TODAY + timedelta(days=3))


def test_a_secret_never_goes_in() -> None:
    got = made(check("secrets", issue("rule", CRITICAL)), check("code", issue("B105", HIGH)))
    assert not got.baseline.entries and len(got.refused) == 2


def test_a_tools_warnings_that_it_passes_with_do_not_go_in() -> None:
    assert not made(check("mypy", typed(1), outcome=Outcome.PASSED)).baseline.entries


def test_later_the_dates_stay_what_is_gone_goes_and_what_is_new_stays_out() -> None:
    before = made(check("code", issue(), issue(line=4)), check("mypy", typed(1))).baseline
    later = {"before": before, "today": TODAY + timedelta(days=20)}
    checks = (check("code", issue(), issue(line=5)), check("mypy", typed(1), typed(2)))
    got = made(*checks, **later)  # type: ignore[arg-type]
    assert [entry for entry in before.entries if entry in got.baseline.entries] == list(got.baseline.entries)
    assert got.gone == 1 and got.new == (issue(line=5), typed(2)) and got.baseline.made == TODAY
    taken = made(*checks, **later, added=True)  # type: ignore[arg-type]
    assert not taken.new and {(one.check, one.count, one.due) for one in taken.baseline.entries} == {
        ("code", 1, TODAY + timedelta(days=30)),
        ("code", 1, TODAY + timedelta(days=50)),
        ("mypy", 2, TODAY + timedelta(days=90)),
    }


def test_one_that_became_worse_is_new() -> None:
    before = made(check("code", issue())).baseline
    got = made(check("code", issue(severity=CRITICAL)), before=before)
    assert not got.baseline.entries and got.new and got.gone == 1


def test_what_could_not_look_keeps_its_entries() -> None:
    before = made(check("code", issue())).baseline
    got = made(check("code", outcome=Outcome.NO_VERDICT), before=before)
    assert got.baseline.entries == before.entries and not got.gone


def test_an_emptied_baseline_is_still_one() -> None:
    emptied = made(check("code"), before=made(check("code", issue())).baseline).baseline
    assert not emptied.entries and made(check("code", issue()), before=emptied).new
