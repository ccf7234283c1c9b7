import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gates.baseline import Known
from gates.findings import Finding, Severity
from gates.scans import sarif
from gates.scans.sarif import to_sarif
from gates.scans.waivers import Waiver
from tests.gates.findings import issue, vulnerability

CRITICAL, HIGH, MEDIUM, LOW = Severity
SCHEMA = json.loads((Path(__file__).parents[2] / "data" / "sarif-2.1.0.json").read_text())
ODD = issue("a rule/with ünusual\nname", MEDIUM, file="/folder with space/ü#?.py", message="")


def valid(log: dict[str, Any]) -> dict[str, Any]:
    jsonschema.Draft4Validator(SCHEMA).validate(json.loads(json.dumps(log)))
    run: dict[str, Any] = log["runs"][0]
    return run


def test_the_schema_refuses_what_is_wrong() -> None:
    log = to_sarif([issue()])
    log["runs"][0]["results"][0]["level"] = "bad"
    with pytest.raises(jsonschema.ValidationError):
        valid(log)


@pytest.mark.parametrize("findings", [[], [issue()], [vulnerability(file="")], [issue(line=0)], [ODD]])
def test_it_is_valid(findings: list[Finding]) -> None:
    run = valid(to_sarif(findings, commit="c" * 40, remarks=["dependency: no verdict"]))
    assert len(run["results"]) == len(findings)
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"] == "dependency: no verdict"


@pytest.mark.parametrize(
    ("severity", "level", "lowest", "highest"),
    [(CRITICAL, "error", 9.0, 10), (HIGH, "error", 6.99, 8.99), (MEDIUM, "warning", 3.99, 6.9), (LOW, "note", 0, 3.9)],
)
def test_the_severity_is_in_the_band_that_code_hosts_show(
    severity: Severity, level: str, lowest: float, highest: float
) -> None:
    run = valid(to_sarif([issue(severity=severity)]))
    (rule,), (result,) = run["tool"]["driver"]["rules"], run["results"]
    assert result["level"] == level == rule["defaultConfiguration"]["level"]
    assert lowest < float(rule["properties"]["security-severity"]) <= highest


def test_results_point_at_their_rule_and_carry_the_fingerprint() -> None:
    run = valid(to_sarif([issue("A1", LOW), issue("A2", HIGH), issue("A1", LOW, line=9)]))
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["bandit/A2", "bandit/A1"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    assert run["results"][0]["partialFingerprints"] == {"slipway/v1": issue("A2", HIGH).fingerprint}


def test_paths_are_relative_addresses() -> None:
    (result,) = valid(to_sarif([ODD]))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "folder%20with%20space/%C3%BC%23%3F.py"
    assert place["region"] == {"startLine": 3}


def test_waived_ones_are_suppressed_with_who_and_why() -> None:
    one = issue()
    waiver = Waiver(fingerprint=one.fingerprint, approver="Robin", reason="never reached", expires=date(2026, 4, 1))
    (result,) = valid(to_sarif([one], {one.fingerprint: waiver}))["results"]
    assert "Robin" in result["suppressions"][0]["justification"]


def held(finding: Finding, count: int = 1) -> Known:
    return Known(
        fingerprint=finding.fingerprint,
        severity=finding.severity,
        count=count,
        since=date(2026, 3, 1),
        due=date(2026, 4, 1),
        approver="Robin",
    )


SECRET, EXEC, SUBPROCESS = issue("A1"), issue("B602", HIGH), issue("B603", MEDIUM)


@pytest.mark.parametrize(
    ("findings", "known", "suppressed"),
    [
        ([SECRET, issue("A2", line=9)], [held(SECRET)], ["bandit/A1"]),
        ([SECRET], [], []),
        ([SECRET], [held(issue("A2", line=9))], []),
        ([EXEC, SUBPROCESS], [held(EXEC), held(SUBPROCESS)], ["bandit/B602"]),
        ([EXEC, SUBPROCESS], [held(EXEC)], []),
        ([SECRET, SECRET], [held(SECRET)], []),
        ([SECRET, SECRET], [held(SECRET, 2)], ["bandit/A1"]),
    ],
    ids=["one", "none", "another", "all-merged", "one-of-the-merged", "more-than-counted", "as-counted"],
)
def test_known_ones_are_suppressed_with_who_and_until_when(
    findings: list[Finding], known: list[Known], suppressed: list[str]
) -> None:
    results = valid(to_sarif(findings, known=known))["results"]
    held_back = {one["ruleId"]: one["suppressions"] for one in results if "suppressions" in one}
    assert list(held_back) == suppressed
    said = "in the baseline: known since 2026-03-01, due 2026-04-01, signed by Robin"
    for one in held_back.values():
        assert one == [{"kind": "external", "status": "accepted", "justification": said}]


@pytest.mark.parametrize(("count", "kept"), [(8, 8), (9, 5)])
def test_too_many_results_are_cut_to_the_worst(count: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 8)
    monkeypatch.setattr(sarif, "KEPT_RESULTS", 5)
    found = [issue("L", LOW, line) for line in range(1, count)] + [issue("C", CRITICAL, 99)]
    run = valid(to_sarif(found))
    assert len(run["results"]) == kept and run["results"][0]["ruleId"] == "bandit/C"
    told = run["invocations"][0].get("toolExecutionNotifications", [])
    assert bool(told) is (kept < count)


def test_the_limits_are_those_of_the_code_host() -> None:
    assert (sarif.MOST_RESULTS, sarif.KEPT_RESULTS) == (25_000, 5_000)
    log = to_sarif([issue("L", LOW, line) for line in range(1, 25_002)])
    assert len(log["runs"][0]["results"]) == 5_000
