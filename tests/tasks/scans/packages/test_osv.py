from typing import Any

import pytest

from gates.findings import Severity
from tasks.scans.packages.osv import Record, affects, fixed_in, known_as, merged, severity_of
from tests.tasks.scans.packages.advisories import CRITICAL, HIGH_V4, LOW, MEDIUM, record, vector


def parsed(*events: dict[str, str], **more: Any) -> Record:
    return Record.model_validate(record(more.pop("id", "X-1"), "flask", *events, **more))


RANGE = ({"introduced": "1.0"}, {"fixed": "2.0"}, {"introduced": "3.0"}, {"last_affected": "3.5"})


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("0.9", False),
        ("1.0rc1", False),
        ("1.0", True),
        ("1.0.0", True),
        ("1.9.9", True),
        ("2.0", False),
        ("2.9", False),
        ("3.0", True),
        ("3.5", True),
        ("3.5.0", True),
        ("3.5.1", False),
        ("not a version", False),
    ],
)
def test_both_sides_of_every_event(version: str, affected: bool) -> None:
    assert affects(parsed(*RANGE), "Flask", version) is affected
    assert affects(parsed(*reversed(RANGE)), "flask", version) is affected


@pytest.mark.parametrize("version", ["0.0.1", "0.dev1", "99"])
def test_zero_is_before_everything_and_a_range_may_stay_open(version: str) -> None:
    assert affects(parsed({"introduced": "0"}), "flask", version)


def test_listed_versions_count_without_a_range() -> None:
    listed = parsed(versions=["1.0", "2.0b1"])
    assert affects(listed, "flask", "1.0.0")
    assert affects(listed, "flask", "2.0b1")
    assert not affects(listed, "flask", "2.0")


def test_other_packages_other_ecosystems_and_withdrawn_records_affect_nothing() -> None:
    everything = record("X-1", "flask", {"introduced": "0"})
    assert not affects(Record.model_validate(everything), "django", "1.0")
    assert not affects(parsed({"introduced": "0"}, withdrawn="2024-01-01T00:00:00Z"), "flask", "1.0")
    everything["affected"][0]["package"]["ecosystem"] = "npm"
    assert not affects(Record.model_validate(everything), "flask", "1.0")
    git = parsed({"introduced": "0"})
    git.affected[0].ranges[0].type = "GIT"
    assert not affects(git, "flask", "1.0")


def test_the_fix_is_the_next_version_that_no_record_calls_affected() -> None:
    assert fixed_in([parsed(*RANGE)], "flask", "1.5") == "2.0"
    assert fixed_in([parsed(*RANGE)], "flask", "3.1") == ""
    later = parsed({"introduced": "0"}, {"fixed": "4.0"}, id="X-2")
    assert fixed_in([parsed(*RANGE), later], "flask", "1.5") == "4.0"


@pytest.mark.parametrize(
    ("vectors", "word", "severity"),
    [
        ([CRITICAL], None, Severity.CRITICAL),
        ([HIGH_V4], None, Severity.HIGH),
        ([MEDIUM], None, Severity.MEDIUM),
        ([LOW], None, Severity.LOW),
        ([LOW, CRITICAL], None, Severity.CRITICAL),
        ([MEDIUM], "CRITICAL", Severity.MEDIUM),
        (["CVSS:3.1/nonsense"], "LOW", Severity.LOW),
        ([], "MODERATE", Severity.MEDIUM),
        ([], "moderate", Severity.MEDIUM),
        ([], "unknown", Severity.HIGH),
        ([], None, Severity.HIGH),
        (["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"], None, Severity.LOW),
    ],
)
def test_a_vector_counts_before_a_word_and_nothing_is_high(
    vectors: list[str], word: str | None, severity: Severity
) -> None:
    more = {"database_specific": {"severity": word}} if word else {}
    scored = parsed(severity=[one for text in vectors for one in vector(text)], **more)
    assert severity_of([scored], "flask")[0] is severity


def test_a_vector_of_the_affected_package_counts() -> None:
    scored = record("X-1", "flask", {"introduced": "0"})
    scored["affected"][0]["severity"] = vector(CRITICAL)
    assert severity_of([Record.model_validate(scored)], "flask")[0] is Severity.CRITICAL


def test_names_of_one_vulnerability_are_one_group_through_others() -> None:
    records = [
        parsed(id="PYSEC-1", aliases=["CVE-1"]),
        parsed(id="GHSA-1", aliases=["GHSA-2"]),
        parsed(id="OTHER-1", aliases=["CVE-1", "GHSA-2"]),
        parsed(id="PYSEC-2", aliases=["CVE-2"]),
    ]
    groups = merged(records)
    assert sorted(len(group) for group in groups) == [1, 3]
    (large,) = [group for group in groups if len(group) == 3]
    assert known_as(large) == ["CVE-1", "GHSA-1", "GHSA-2", "PYSEC-1", "OTHER-1"]
