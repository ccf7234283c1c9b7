"""What a person sees of the scans before deciding: loud about what nobody looked at, with ages and waivers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.candidate import Candidate, Evidence
from deployments.outgoing import Outgoing
from deployments.preflight import Preflight
from evidence.bundle import Bundle, Run
from evidence.statements import Scanned
from gates.check import Check, Outcome
from gates.findings import Finding, Severity
from gates.migrations.steps import Kind, Step
from gates.release.approval import Question
from gates.scans.waivers import Refused, Waiver
from gates.verdict import Action, Verdict
from tasks.release.pages import approval_page, preflight_page
from tasks.scans.findings_page import findings_table, scans_page, security_section, unlooked_note
from tests.gates.findings import issue, vulnerability

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUESTION = Question(
    id="0123456789ab", run="run", environment="production", digest="d" * 64, policy="p", expires=NOW, authors=()
)
HIGH, OLD = vulnerability(fixed="2.11"), issue("B1", Severity.MEDIUM)
UNRUN = Check(name="dependency", outcome=Outcome.ACCEPTED_UNRUN, reason="no internet; OSV refused the connection")
WAIVER = Waiver(fingerprint=HIGH.fingerprint, approver="Robin", reason="never reached", expires=NOW.date())


def scanned(*checks: Check, **more: Any) -> Scanned:
    return Scanned(commit="c" * 40, version="v1", branch="main", at=NOW, run="run-2", checks=checks, **more)


def code(*findings: Finding) -> Check:
    return Check(name="code", outcome=Outcome.PASSED, reason="looked", examined="25 files", findings=findings)


def preflight(said: Scanned | None) -> Preflight:
    bundle = Bundle(
        app="assistant",
        commit="c" * 40,
        version="v1",
        python="3.11",
        source="a" * 64,
        lock="b" * 64,
        wheels={},
        run=Run(command=("python",)),
    )
    return Preflight(
        candidate=Candidate("d" * 64, bundle, Evidence(checked=None, scanned=said, origin=(), ci=frozenset())),
        live=None,
        migrations=(),
        verdict=Verdict(Action.PROMOTE, "all passed"),
        outgoing=Outgoing(note="nothing is live"),
        approvers=(),
        policy="p",
        warnings=(),
    )


def test_what_nobody_looked_at_comes_first_and_in_the_first_lines_of_the_question() -> None:
    said = scanned(UNRUN, code())
    page = preflight_page(preflight(said))
    assert page.startswith("> **NOBODY LOOKED AT: dependency.**") and "OSV refused the connection" in page
    asked = approval_page(QUESTION, preflight(said))
    assert "**NOBODY LOOKED AT: dependency**" in asked.split("\n\n")[1]
    assert "clean" not in page


def test_giving_up_the_way_back_is_a_question_of_its_own() -> None:
    step = Step(revision="0007", kind=Kind.CONTRACT, reason="ALTER TABLE a DROP COLUMN b")
    seen = replace(preflight(scanned(code())), migrations=(step,))
    page = approval_page(QUESTION.model_copy(update={"contracts": ("0007",)}), seen)
    assert "May the way back be given up?".lower() in page.lower()
    assert "migration `0007`: ALTER TABLE a DROP COLUMN b" in page and "**no_way_back**: **0007**" in page
    assert "given up" not in approval_page(QUESTION, preflight(None))


def test_nothing_is_shouted_when_everything_was_looked_at() -> None:
    assert unlooked_note([code()]) == ""
    assert "NOBODY" not in preflight_page(preflight(scanned(code())))


def test_a_version_without_scans_says_so() -> None:
    assert "No security scan was signed for this artifact." in preflight_page(preflight(None))


def test_findings_are_shown_with_age_waiver_and_who_found_them() -> None:
    said = scanned(
        code(HIGH, OLD),
        first_seen={OLD.fingerprint: NOW - timedelta(days=12), HIGH.fingerprint: NOW},
        waived={HIGH.fingerprint: WAIVER},
        refused=(Refused(name="a" * 24, why="it expired on 2026-01-01"),),
        unneeded=("b" * 24,),
    )
    text = security_section(said, {HIGH.fingerprint})
    high, medium = [row for row in text.splitlines() if row.startswith(("| high", "| medium"))]
    assert "jinja2 2\\.10, fixed in 2\\.11" in high and "waived by Robin until 2026-03-01\\: never reached" in high
    assert "**new**" in high and "| 12 d |" in medium and OLD.fingerprint in medium
    assert "refused\\: it expired" in text and f"waiver {'b' * 24} is not needed any more" in text
    assert "Scanned 2026-03-01 12:00 UTC" in text


def test_outside_text_cannot_break_the_table() -> None:
    evil = issue(message="a | b\n| c <script>alert(1)</script> [x](javascript:y)", file="a|b.py")
    rows = findings_table(scanned(code(evil)), [evil]).splitlines()
    assert len(rows) == 3 and "<script>" not in rows[2].replace("\\<", "")
    assert rows[2].replace("\\|", "").count("|") == 7


@pytest.mark.parametrize(("count", "more"), [(50, False), (51, True)])
def test_at_most_fifty_are_shown_worst_first(count: int, more: bool) -> None:
    found = [issue(f"L{line}", Severity.LOW, line) for line in range(1, count)] + [issue("C", Severity.CRITICAL, 99)]
    text = findings_table(scanned(), found)
    assert text.splitlines()[2].startswith("| critical")
    assert ("and 1 more, less severe" in text) is more


def test_a_page_of_one_commit_says_whether_it_blocks() -> None:
    good = scans_page("v1", scanned(code()), Verdict(Action.PROMOTE, "fine"))
    bad = scans_page("v1", scanned(code()), Verdict(Action.STOP, "code: failed"))
    assert "v1: Nothing blocks" in good and "v1: Blocked: code\\: failed" in bad and "25 files" in good
