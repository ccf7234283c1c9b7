from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from gates.baseline import Baseline, DueDays, Entry
from gates.check import Bound, Check, Measure, Outcome
from gates.findings import Finding, Severity
from gates.scans.security import Context, Rule, covered
from gates.scans.security import judge_scan as judge_by_rule
from gates.scans.security import waivable
from gates.scans.waivers import Waiver, Waivers
from tasks.scans import all_scans
from tests.gates.findings import issue, vulnerability

CRITICAL, HIGH, MEDIUM, LOW = Severity
PASSED, FAILED, BLIND, UNRUN = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT, Outcome.ACCEPTED_UNRUN
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SCANS = all_scans()
RULES = {name: scan.rule for name, scan in SCANS.items()} | {"of-a-plugin": Rule()}
NONE = Context(waived={}, refused={}, accepted={}, first_seen={}, now=NOW)


def check(name: str, *findings: Finding, outcome: Outcome = PASSED, reason: str = "looked", **more: object) -> Check:
    return Check.model_validate({"name": name, "outcome": outcome, "reason": reason, "findings": findings, **more})


def waive(*findings: Finding) -> Context:
    waivers = {
        one.fingerprint: Waiver(
            fingerprint=one.fingerprint, approver="Robin", reason="never reached", expires=NOW.date()
        )
        for one in findings
    }
    return replace(NONE, waived=waivers)


def judge_scan(given: Check, context: Context) -> Check:
    return judge_by_rule(given, RULES[given.name], context)


@pytest.mark.parametrize(
    ("scan", "severity", "open_", "waived"),
    [
        *((scan, CRITICAL, FAILED, FAILED) for scan in SCANS),
        *((scan, HIGH, FAILED, PASSED) for scan in SCANS if scan != "secrets"),
        *((scan, MEDIUM, PASSED, PASSED) for scan in SCANS if scan not in ("secrets", "licence")),
        *((scan, LOW, PASSED, PASSED) for scan in SCANS if scan not in ("secrets", "licence")),
        *(("secrets", severity, FAILED, FAILED) for severity in Severity),
        *(("licence", severity, FAILED, PASSED) for severity in (HIGH, MEDIUM, LOW)),
        ("of-a-plugin", CRITICAL, FAILED, FAILED),
        ("of-a-plugin", HIGH, FAILED, PASSED),
        ("of-a-plugin", MEDIUM, PASSED, PASSED),
    ],
)
def test_each_gate_on_both_sides(scan: str, severity: Severity, open_: Outcome, waived: Outcome) -> None:
    found = issue(severity=severity)
    assert judge_scan(check(scan, found), NONE).outcome is open_
    assert judge_scan(check(scan, found), waive(found)).outcome is waived


@pytest.mark.parametrize("scan", SCANS)
def test_no_finding_is_a_pass_and_says_what_the_scan_said(scan: str) -> None:
    assert judge_scan(check(scan), NONE) == check(scan)


def test_the_reason_names_the_worst_the_unwaived_and_the_refused_waiver() -> None:
    bad, high = vulnerability("CVE-1-1", CRITICAL, fixed="3"), vulnerability("CVE-1-2", HIGH)
    rules = replace(NONE, refused={high.fingerprint: "it expired on 2026-01-01"})
    got = judge_scan(check("dependency", bad, high), rules)
    assert got.outcome is FAILED
    assert "1 critical: CVE-1-1 in jinja2 2.10, fixed in 3" in got.reason
    assert f"1 high without a waiver: CVE-1-2 in jinja2 2.10 [{high.fingerprint}]" in got.reason
    assert f"waiver {high.fingerprint} refused: it expired on 2026-01-01" in got.reason


def test_many_are_counted_and_three_are_named() -> None:
    reason = judge_scan(check("code", *(issue(line=line) for line in range(1, 9))), NONE).reason
    assert "8 high without a waiver" in reason and reason.endswith("and 5 more") and reason.count("app.py") == 3


def test_medium_ones_are_tracked_with_their_age() -> None:
    old, new = issue(severity=MEDIUM, line=1), issue(severity=MEDIUM, line=2)
    rules = replace(NONE, first_seen={old.fingerprint: NOW - timedelta(days=12), new.fingerprint: NOW})
    got = judge_scan(check("code", old, new, issue(severity=LOW)), rules)
    assert got.reason == "nothing that blocks: 2 medium (oldest 12 d), 1 low"
    assert got.notes == ("B602 in app.py:1: medium, known for 12 d", "B602 in app.py:2: medium, new today")


def test_who_waived_what_is_noted() -> None:
    got = judge_scan(check("code", issue()), waive(issue()))
    assert got.reason == "nothing that blocks: 1 waived"
    assert got.notes == ("B602 in app.py:3: waived by Robin until 2026-03-01: never reached",)


def test_only_a_scan_that_could_not_look_is_accepted_unrun_and_both_reasons_are_told() -> None:
    rules = replace(NONE, accepted={"dependency": "this machine has no internet"})
    got = judge_scan(check("dependency", outcome=BLIND, reason="OSV refused the connection", source_away=True), rules)
    assert got.outcome is UNRUN
    assert "this machine has no internet" in got.reason and "OSV refused the connection" in got.reason
    other = judge_scan(check("code", outcome=BLIND, reason="bandit is not there"), rules)
    assert (other.outcome, other.reason) == (BLIND, "bandit is not there")


def test_a_scan_that_could_not_read_the_commit_is_never_accepted_unrun() -> None:
    rules = replace(NONE, accepted={"dependency": "this machine has no internet"})
    blind = check("dependency", outcome=BLIND, reason="requirements.lock: line 1: an option, not a package")
    assert judge_scan(blind, rules) == blind


def test_a_scan_that_found_something_bad_is_never_accepted_unrun() -> None:
    rules = replace(NONE, accepted={"dependency": "this machine has no internet"})
    blind = check("dependency", vulnerability(severity=CRITICAL), outcome=BLIND, reason="npm did not answer")
    got = judge_scan(blind, rules)
    assert got.outcome is FAILED and "1 critical" in got.reason and "could not look: npm did not answer" in got.reason
    failed = check("dependency", outcome=FAILED, reason="too many suppressions")
    assert judge_scan(failed, rules) == failed
    assert judge_scan(check("dependency", vulnerability(), outcome=FAILED), rules).outcome is FAILED


def test_a_scan_that_passed_is_a_pass_also_where_it_would_be_accepted_unrun() -> None:
    assert judge_scan(check("code"), replace(NONE, accepted={"code": "no internet here"})).outcome is PASSED


def test_a_scan_without_an_object_stays_not_applicable() -> None:
    given = check("container", outcome=Outcome.NOT_APPLICABLE, reason="a bundle has no image")
    assert judge_scan(given, NONE) == given


@pytest.mark.parametrize(("value", "outcome"), [(20.0, PASSED), (21.0, FAILED), (None, BLIND)])
def test_a_figure_beyond_its_limit_fails_the_scan(value: float | None, outcome: Outcome) -> None:
    measure = Measure(name="suppressions", value=value, bound=Bound.AT_MOST, limit=20)
    got = judge_scan(check("code", measures=(measure,)), NONE)
    assert got.outcome is outcome
    waived = judge_scan(check("code", issue(), outcome=FAILED, measures=(measure,)), waive(issue()))
    assert waived.outcome is outcome
    accepting = replace(NONE, accepted={"code": "this machine has no internet"})
    blind = judge_scan(check("code", outcome=BLIND, measures=(measure,), source_away=True), accepting)
    assert blind.outcome is (FAILED if outcome is FAILED else UNRUN)


def test_a_failure_that_no_finding_explains_stays_one() -> None:
    given = check("policy", issue(severity=MEDIUM), outcome=FAILED, reason="why")
    assert judge_scan(given, NONE).outcome is FAILED


def test_a_waiver_for_the_worst_of_a_group_covers_what_other_tools_say_of_the_same() -> None:
    bandit, semgrep = issue("B602", MEDIUM), issue("subprocess-shell-true", HIGH, tool="semgrep")
    checks = [check("code", bandit), check("sast", semgrep)]
    good = waive(semgrep).waived
    assert set(covered(checks, Waivers(good))) == {bandit.fingerprint, semgrep.fingerprint}
    other = waive(bandit).waived
    assert set(covered(checks, Waivers(other))) == {bandit.fingerprint}


def test_what_can_never_be_waived_is_known_by_fingerprint() -> None:
    secret, bad, high = issue("aws", LOW, 1), issue("B1", CRITICAL, 2), issue("B2", HIGH, 3)
    found = waivable([check("secrets", secret), check("code", bad, high)], RULES)
    assert "secret" in found[secret.fingerprint] and "critical" in found[bad.fingerprint]
    assert found[high.fingerprint] == ""


LEAK = issue("slipway.line", CRITICAL, tool="kingfisher", past=True)
HERE = issue("slipway.line", CRITICAL, tool="kingfisher")


def revoke(found: Finding, words: str = "the vendor answered 401 to it on 2026-02-27") -> Waiver:
    mark = found.fingerprint
    return Waiver(fingerprint=mark, approver="Robin", reason="it was a test account", expires=NOW.date(), revoked=words)


def test_a_secret_of_the_history_waits_when_it_was_revoked() -> None:
    told = replace(NONE, waived={LEAK.fingerprint: revoke(LEAK)})
    got = judge_scan(check("secrets", LEAK), told)
    assert got.outcome is PASSED and "revoked: the vendor answered 401" in got.notes[0]
    for unproven in (check("secrets", HERE), check("secrets", LEAK)):
        words = "" if unproven.findings == (LEAK,) else "the vendor answered 401 to it"
        assert judge_scan(unproven, replace(NONE, waived={LEAK.fingerprint: revoke(LEAK, words)})).outcome is FAILED


@pytest.mark.parametrize(
    ("scan", "found", "words", "why"),
    [
        pytest.param("secrets", LEAK, "the vendor answered 401", "", id="revoked and in the history"),
        pytest.param("secrets", LEAK, "", "say in `revoked`", id="nobody says that it was revoked"),
        pytest.param("secrets", HERE, "the vendor answered 401", "in the files of the commit", id="in the files"),
        pytest.param("code", issue(), "the vendor answered 401", "for a secret in the history", id="no secret"),
        pytest.param("code", issue(), "", "", id="a high finding"),
    ],
)
def test_which_waivers_may_be(scan: str, found: Finding, words: str, why: str) -> None:
    got = waivable([check(scan, found)], RULES, [revoke(found, words)])[found.fingerprint]
    assert why in got if why else not got


def known(*found: Finding, due: date = NOW.date(), trouble: str = "", scan: str = "code") -> Context:
    entries = tuple(
        Entry(check=scan, fingerprint=one.fingerprint, severity=one.severity, first_seen=NOW.date(), due=due)
        for one in found
    )
    return replace(NONE, baseline=Baseline("Robin", NOW.date(), "a" * 40, DueDays(), entries, trouble))


@pytest.mark.parametrize("severity", list(Severity))
def test_a_finding_of_the_baseline_blocks_from_its_due_date_on(severity: Severity) -> None:
    found = issue(severity=severity)
    got = judge_scan(check("code", found), known(found))
    assert got.outcome is PASSED and got.reason == "nothing that blocks: 1 in the baseline, the first due 2026-03-01"
    assert got.notes == (f"in the baseline: 1 {severity}, the first due 2026-03-01",) and len(got.known) == 1
    late = judge_scan(check("code", found), known(found, due=date(2026, 2, 28)))
    assert late.outcome is FAILED and late.reason == "1 overdue by the baseline: B602 in app.py:3" and not late.known


def test_a_new_finding_blocks_beside_known_ones() -> None:
    got = judge_scan(check("code", issue(), issue(line=9)), known(issue()))
    assert got.outcome is FAILED and got.reason.startswith("1 high without a waiver: B602 in app.py:9")


def test_the_cause_comes_first_when_the_baseline_does_not_count() -> None:
    got = judge_scan(check("code", issue()), known(issue(), trouble="it is not committed"))
    assert got.outcome is FAILED
    assert got.reason.startswith("config/baseline.toml does not count: it is not committed; 1 high without a waiver")


def test_a_secret_is_in_no_baseline() -> None:
    assert judge_scan(check("secrets", HERE), known(HERE, scan="secrets")).outcome is FAILED
