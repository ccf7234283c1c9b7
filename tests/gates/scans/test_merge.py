from itertools import permutations

import pytest

from gates.findings import Finding, Severity
from gates.scans.merge import group, merge
from tests.gates.findings import issue, vulnerability

CRITICAL, HIGH, MEDIUM, LOW = Severity


def test_one_vulnerability_found_by_two_tools_under_two_names_is_one_finding() -> None:
    one = vulnerability("GHSA-aaaa-bbbb-cccc", MEDIUM, aliases=("CVE-2024-1",))
    two = vulnerability("cve-2024-1", HIGH, tool="trivy", package="Jinja2", fixed="2.11", file="")
    (merged,) = merge([one, two])
    assert (merged.tool, merged.severity, merged.fixed) == ("trivy", HIGH, "2.11")
    assert merged.also_by == ("pip-audit:GHSA-aaaa-bbbb-cccc",)
    assert {"GHSA-aaaa-bbbb-cccc", "CVE-2024-1"} <= {merged.rule, *merged.aliases}


def test_aliases_join_across_a_third_in_whatever_order() -> None:
    three = [
        vulnerability("CVE-2024-1", tool="a"),
        vulnerability("GHSA-aaaa-bbbb-cccc", tool="b", aliases=("CVE-2024-1", "PYSEC-2024-1")),
        vulnerability("PYSEC-2024-1", tool="c"),
    ]
    for order in permutations(three):
        assert len(group(list(order))) == 1


@pytest.mark.parametrize(
    "other",
    [
        vulnerability("CVE-2024-2", tool="trivy"),
        vulnerability("CVE-2024-1", tool="trivy", package="markupsafe"),
        vulnerability("CVE-2024-1", tool="trivy", installed="2.11"),
    ],
)
def test_another_advisory_package_or_version_is_another_finding(other: Finding) -> None:
    assert len(merge([vulnerability("CVE-2024-1"), other])) == 2


def test_two_tools_at_one_line_about_one_weakness_are_one_finding() -> None:
    (merged,) = merge([issue("B602", HIGH), issue("subprocess-shell-true", CRITICAL, tool="semgrep")])
    assert (merged.tool, merged.severity, merged.also_by) == ("semgrep", CRITICAL, ("bandit:B602",))


@pytest.mark.parametrize(
    "other",
    [
        issue("subprocess-shell-true", tool="semgrep", line=4),
        issue("subprocess-shell-true", tool="semgrep", file="other.py"),
        issue("sql-string", tool="semgrep"),
        issue("something-else", tool="semgrep"),
        issue("subprocess-shell-true", tool="semgrep", line=0),
    ],
)
def test_another_line_file_or_weakness_is_another_finding(other: Finding) -> None:
    assert len(merge([issue("B602"), other])) == 2


def test_one_fingerprint_twice_is_one_finding_that_is_not_said_to_be_found_by_another() -> None:
    (merged,) = merge([issue(severity=LOW), issue(severity=HIGH)])
    assert merged.severity is HIGH and merged.also_by == ()


def test_the_worst_come_first_and_nothing_is_lost() -> None:
    found = [issue("X1", LOW, 1), issue("X2", CRITICAL, 2), issue("X3", MEDIUM, 3), issue("X4", HIGH, 4)]
    assert [one.severity for one in merge(found)] == [CRITICAL, HIGH, MEDIUM, LOW]
    assert merge([]) == []


def test_many_findings_with_much_in_common_are_merged_in_reasonable_steps() -> None:
    many = [vulnerability("CVE-2024-1", tool=f"t{number}") for number in range(20_000)]
    assert len(merge(many)) == 1
