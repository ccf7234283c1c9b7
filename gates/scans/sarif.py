"""The merged report in SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), as code hosts take it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gates.baseline import Known, known_of, marks
from gates.findings import Finding, Severity
from gates.scans.merge import group, merge
from gates.scans.waivers import Waiver

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
# GitHub's bands: over 9.0 critical, 7.0 high, 4.0 medium, below low.
SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
# GitHub refuses a run of more than 25,000 results and keeps the 5,000 most severe of fewer.
MOST_RESULTS, KEPT_RESULTS = 25_000, 5_000


def to_sarif(
    findings: Sequence[Finding],
    waived: Mapping[str, Waiver] | None = None,
    commit: str = "",
    remarks: Sequence[str] = (),
    known: Sequence[Known] = (),
) -> dict[str, Any]:
    """Return the findings, merged and worst first, as one SARIF run of the tool `slipway`.

    Rules are named `tool/rule`. Of more than 25,000 results the 5,000 worst are kept, and a notification says so.
    Waived ones are suppressed, with approver and reason; so are those of which all that is merged is `known`, held back
    by config/baseline.toml, with since when, until when and by whose word. `remarks` stand in the log beside
    them: which scan could not look, and why.
    """
    merged = merge(findings)
    accepted = _held_back(findings, known) | {mark: str(waiver) for mark, waiver in (waived or {}).items()}
    shown = merged if len(merged) <= MOST_RESULTS else merged[:KEPT_RESULTS]
    rules: dict[str, dict[str, Any]] = {}
    for finding in shown:
        rules.setdefault(_rule_id(finding), _rule(finding))
    numbers = {name: number for number, name in enumerate(rules)}
    cut = [f"{len(merged)} results; the {len(shown)} most severe are kept"] if len(shown) < len(merged) else []
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if notes := [*cut, *remarks]:
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": note}} for note in notes]
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "slipway", "rules": list(rules.values())}},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, numbers, accepted.get(finding.fingerprint, "")) for finding in shown],
    }
    if commit:
        run["properties"] = {"commit": commit}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _held_back(findings: Sequence[Finding], known: Sequence[Known]) -> dict[str, str]:
    """Return why results are accepted by the baseline, by the fingerprint of the finding that leads each. One of more
    findings than the baseline counts is not: nobody can tell which is the new one.
    """
    by_mark = marks(known)
    entries = [known_of(finding, by_mark) for finding in findings]
    counted = Counter(entry.fingerprint for entry in entries if entry)
    kept = {mark for mark, entry in by_mark.items() if counted[mark] <= entry.count}
    held: dict[str, str] = {}
    for members in group(findings):
        found = [known_of(finding, by_mark) for finding in members]
        sound = [entry for entry in found if entry and entry.fingerprint in kept]
        if len(sound) == len(members):
            first = min(sound, key=lambda entry: entry.due)
            held[members[0].fingerprint] = f"in the baseline: {first}, signed by {first.approver}"
    return held


def _rule_id(finding: Finding) -> str:
    return f"{finding.tool}/{finding.rule}"


def _rule(finding: Finding) -> dict[str, Any]:
    """Return the rule as its first, and so its worst, finding shows it."""
    return {
        "id": _rule_id(finding),
        "name": re.sub(r"\W+", "-", finding.rule).strip("-") or "rule",
        "shortDescription": {"text": f"{finding.tool}: {finding.rule}"},
        "defaultConfiguration": {"level": LEVELS[finding.severity]},
        "properties": {"security-severity": SCORES[finding.severity], "tags": ["security"]},
    }


def _result(finding: Finding, numbers: Mapping[str, int], accepted: str) -> dict[str, Any]:
    also = f" (also {', '.join(finding.also_by)})" if finding.also_by else ""
    result: dict[str, Any] = {
        "ruleId": _rule_id(finding),
        "ruleIndex": numbers[_rule_id(finding)],
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message or finding.rule}{also}"},
        "partialFingerprints": {"slipway/v1": finding.fingerprint},
        "properties": {"security-severity": SCORES[finding.severity], "severity": str(finding.severity)},
    }
    if finding.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.file.lstrip("/"), safe="/")}}
        if finding.line > 0:
            place["region"] = {"startLine": finding.line}
        result["locations"] = [{"physicalLocation": place}]
    if accepted:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": accepted}]
    return result
