from itertools import permutations
from typing import Any

import pytest

from gates.findings import Finding, Severity
from gates.scans.merge import advisories, group, merge, package_name
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


def test_where_the_first_knows_no_mended_version_the_others_first_one_is_told() -> None:
    worst = vulnerability("CVE-2024-1", CRITICAL, tool="a")
    others = [vulnerability("CVE-2024-1", HIGH, tool=tool, fixed=fixed) for tool, fixed in (("b", ""), ("c", "2.11"))]
    assert [one.fixed for one in merge([worst, *others, vulnerability("CVE-2024-1", LOW, tool="d", fixed="3.0")])] == [
        "2.11"
    ]
    assert [one.fixed for one in merge([worst, others[0]])] == [""]


def test_the_mended_version_of_the_first_is_kept() -> None:
    first = vulnerability("CVE-2024-1", CRITICAL, tool="a", fixed="2.12")
    assert [one.fixed for one in merge([first, vulnerability("CVE-2024-1", tool="b", fixed="2.11")])] == ["2.12"]


def test_a_finding_that_nobody_shares_is_left_as_it_is() -> None:
    finding = vulnerability("own-rule", aliases=("a name", "CVE-2024-1", "a name"), also_by=("x:y", "x:y"))
    assert merge([finding]) == [finding]


def test_the_advisories_of_all_are_told_once_each_and_other_names_are_not() -> None:
    first = vulnerability("CVE-2024-1", CRITICAL, tool="a", aliases=("CVE-2024-1", "GHSA-a"), also_by=("z:own",))
    second = vulnerability("GHSA-a", HIGH, tool="b", aliases=("CVE-2024-1", "a-name", "PYSEC-2024-1"))
    (merged,) = merge([first, second])
    assert merged.aliases == ("CVE-2024-1", "GHSA-a", "PYSEC-2024-1")
    assert merged.also_by == ("z:own", "b:GHSA-a")


def test_the_first_does_not_go_by_its_own_name() -> None:
    pair = [vulnerability("CVE-2024-1", CRITICAL, tool="a"), vulnerability("CVE-2024-1", HIGH, tool="b")]
    assert [(one.aliases, one.also_by) for one in merge(pair)] == [((), ("b:CVE-2024-1",))]


@pytest.mark.parametrize(
    "place",
    [{"line": 0}, {"file": ""}, {"file": "", "line": 0}],
)
def test_without_a_file_and_a_line_one_kind_of_weakness_joins_nothing(place: dict[str, Any]) -> None:
    pair = [issue("B602", **place), issue("subprocess-shell-true", tool="semgrep", **place)]
    assert len(merge(pair)) == 2


def test_unknown_weaknesses_at_one_line_are_not_taken_for_one() -> None:
    assert len(merge([issue("X1"), issue("Y1", tool="semgrep")])) == 2


def test_a_common_name_that_is_no_advisory_joins_nothing() -> None:
    pair = [vulnerability("own-1", aliases=("unsafe",)), vulnerability("own-2", tool="trivy", aliases=("unsafe",))]
    assert len(merge(pair)) == 2
    assert advisories(pair[0]) == set()


def test_of_equally_bad_ones_the_first_given_leads() -> None:
    trio = [vulnerability("CVE-2024-1", tool=tool) for tool in ("c", "a", "b")]
    assert [[one.tool for one in members] for members in group(trio)] == [["c", "a", "b"]]


@pytest.mark.parametrize(
    ("kind", "rules"),
    [
        ("secret", ["B105", "B107", "hard-coded-PASSWORD", "api-key", "apikey", "private_credential", "privatekey"]),
        ("sql", ["B608", "formatted-SQL-query"]),
        ("command", ["B602", "B607", "B609", "dangerous-subprocess", "os-system", "command-injection", "commandinj"]),
        ("deserialisation", ["B301", "B302", "B506", "avoid-pickle", "marshal-load", "unsafe-yaml"]),
        ("code", ["B102", "B307", "eval-used", "no-exec", "code-injection"]),
        ("cryptography", ["B303", "B304", "B305", "B324", "md5-used", "SHA1", "weak-hash", "weakcipher"]),
        ("certificate", ["B501", "disabled-ssl-verification", "verify-tls-off", "verification-of-cert"]),
        ("request", ["B310", "ssrf-requests", "request-forgery", "requestforgery"]),
        ("path", ["B202", "path-traversal", "zip-slip", "zipslip", "tarfile-extract-all"]),
        ("template", ["B701", "B704", "xss", "autoescape-off", "template-unescaped"]),
        ("root", ["DL3002", "root-user", "container-as-root", "missing-user", "missinguser"]),
    ],
)
def test_a_weakness_is_known_by_each_tools_word_for_it(kind: str, rules: list[str]) -> None:
    findings = [issue(rule, tool=f"t{number}") for number, rule in enumerate(rules)]
    assert len(group(findings)) == 1, kind


@pytest.mark.parametrize(
    "rule", ["B104", "B108", "B601", "B608", "B610", "B300", "B303", "B306", "B325", "B700", "B705"]
)
def test_neighbouring_rule_numbers_are_other_weaknesses(rule: str) -> None:
    for other in ("B105", "B602", "B301", "B701"):
        assert len(merge([issue(rule), issue(other, tool="semgrep")])) == 2


@pytest.mark.parametrize(
    ("name", "advisory"),
    [
        ("cve-2024-1", True),
        ("GHSA-aaaa-bbbb-cccc", True),
        ("PYSEC-2024-1", True),
        ("DSA-5000-1", True),
        ("DLA-1", True),
        ("OSV-2024-1", True),
        ("MAL-2024-1", True),
        ("CVE-", False),
        ("XCVE-2024-1", False),
        ("CVE-2024-1 (disputed)", False),
        ("CWE-79", False),
    ],
)
def test_what_is_an_advisory(name: str, advisory: bool) -> None:
    assert advisories(vulnerability(name)) == ({name.upper()} if advisory else set())


def test_package_names_in_their_normal_form() -> None:
    assert [package_name(name) for name in ("Foo.Bar", "foo__-.bar", "foo-bar")] == ["foo-bar"] * 3


def test_many_findings_with_much_in_common_are_merged_in_reasonable_steps() -> None:
    many = [vulnerability("CVE-2024-1", tool=f"t{number}") for number in range(20_000)]
    assert len(merge(many)) == 1
