"""Findings for the tests of what decides about them."""

from typing import Any

from gates.findings import Finding, Severity, fingerprint


def vulnerability(rule: str = "CVE-2024-1", severity: Severity = Severity.HIGH, **more: Any) -> Finding:
    known = {
        "tool": "pip-audit",
        "package": "jinja2",
        "installed": "2.10",
        "message": "bad",
        "file": "requirements.lock",
    }
    mark = fingerprint(rule, str(more.get("tool", "pip-audit")), str(more.get("package", "jinja2")))
    return Finding.model_validate({**known, "rule": rule, "severity": severity, "fingerprint": mark, **more})


def issue(rule: str = "B602", severity: Severity = Severity.HIGH, line: int = 3, **more: Any) -> Finding:
    known = {"tool": "bandit", "file": "app.py", "message": "bad"}
    mark = fingerprint(rule, str(more.get("tool", "bandit")), str(more.get("file", "app.py")), str(line))
    return Finding.model_validate(
        {**known, "rule": rule, "severity": severity, "line": line, "fingerprint": mark, **more}
    )
