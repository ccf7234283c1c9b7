"""Adding a scan is adding its module: what lists scans takes them from there."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gates.check import Check, Outcome
from gates.checks.summary import in_a_line
from gates.findings import Severity
from gates.scans.security import Context, covered, judge_scan, waivable
from gates.scans.security_score import security_score
from gates.scans.waivers import Waiver, Waivers
from host.errors import ConfigError
from host.home import CHECKOUT
from settings.environment import read_settings
from settings.targets import Target
from tasks.scans import Scan, Subject, all_scans
from tasks.scans.jobs import scan_jobs
from tasks.scans.keys import scan_key
from tests.tasks.scans.novel import MODULE, NAME, added
from tests.tasks.scans.subjects import make_subject

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = Context(waived={}, refused={}, accepted={}, first_seen={}, now=NOW)


@pytest.fixture
def novel(tmp_path: Path) -> Iterator[Scan]:
    with added(tmp_path / "scans"):
        yield all_scans()[NAME]


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return make_subject(tmp_path, {"main.tf": "open\n"})


def commit(subject: Subject, **files: str) -> Subject:
    """The subject with git's hashes of its files, by their names without the ending .tf."""
    source = replace(subject.workspace.source, files={f"{name}.tf": mark for name, mark in files.items()})
    return replace(subject, workspace=replace(subject.workspace, source=source))


def test_the_scans_are_the_modules_that_have_one() -> None:
    scans = all_scans()
    assert list(scans) == ["code", "container", "dependency", "licence", "policy", "sast", "secrets"]
    assert {name: scan.name for name, scan in scans.items()} == {name: name for name in scans}


def test_an_added_module_is_run_among_the_others_and_remembered_by_what_it_reads(novel: Scan, subject: Subject) -> None:
    jobs = {job.name: job for job in scan_jobs(subject, NOW)}
    assert list(jobs) == list(all_scans()) and NAME in jobs and len(jobs) == 8
    assert jobs[NAME].key == scan_key(novel, subject, NOW.date())
    one, same, other = commit(subject, main="1"), commit(subject, main="1"), commit(subject, main="2")
    keys = [scan_key(novel, each, date(2026, 3, 1)) for each in (one, same, other)]
    assert keys[0] == keys[1] != keys[2] and scan_key(novel, one, date(2026, 3, 2)) != keys[0]


def test_an_added_module_is_judged_waived_and_counted_by_its_own_rule(novel: Scan, subject: Subject) -> None:
    check = novel.run(subject)
    assert (check.outcome, check.reason, check.examined) == (Outcome.PASSED, "1 low", "Terraform")
    blocked = judge_scan(check, novel.rule, NOTHING)
    assert blocked.outcome is Outcome.FAILED and "1 low without a waiver: a-line in main.tf:1" in blocked.reason
    (finding,) = check.findings
    assert waivable([check], {NAME: novel.rule}) == {finding.fingerprint: ""}
    waiver = Waiver(fingerprint=finding.fingerprint, approver="Robin", reason="it is a test", expires=NOW.date())
    waived = covered([check], Waivers({finding.fingerprint: waiver}))
    assert judge_scan(check, novel.rule, replace(NOTHING, waived=waived)).outcome is Outcome.PASSED
    worse = check.model_copy(update={"findings": (finding.model_copy(update={"severity": Severity.CRITICAL}),)})
    assert judge_scan(worse, novel.rule, replace(NOTHING, waived=waived)).outcome is Outcome.FAILED
    others = [Check(name=name, outcome=Outcome.PASSED, reason="looked") for name in all_scans() if name != NAME]
    assert security_score(list(all_scans()), [*others, blocked]).value == pytest.approx(99.9)
    assert security_score(list(all_scans()), others).reason == "no verdict of novel"


def test_no_scan_tells_an_outcome_before_it_is_judged_and_then_it_tells_that_of_the_table(
    novel: Scan, subject: Subject
) -> None:
    check = novel.run(subject)
    [job] = [job for job in scan_jobs(subject, NOW) if job.name == NAME]
    assert job.told(check) == f"{NAME}: looked, to be judged: 1 low"
    assert in_a_line(judge_scan(check, novel.rule, NOTHING)).startswith(f"{NAME}: failed: 1 low without a waiver")


def test_two_scans_of_one_name_are_refused(tmp_path: Path) -> None:
    with added(tmp_path, MODULE.replace('Scan("novel"', 'Scan("sast"')), pytest.raises(ConfigError, match="same name"):
        all_scans()


def test_a_module_that_cannot_be_loaded_is_not_passed_over(tmp_path: Path) -> None:
    with added(tmp_path, "import no_such_package\n"), pytest.raises(ImportError):
        all_scans()


@pytest.mark.parametrize("target", [Target("staging"), Target("production")])
def test_staging_and_production_require_every_scan(target: Target) -> None:
    assert set(all_scans()) <= set(read_settings(target, CHECKOUT / "config").gates)


def test_the_documents_name_every_scan() -> None:
    text = (CHECKOUT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert [name for name in all_scans() if f"| `{name}` |" not in text] == []
