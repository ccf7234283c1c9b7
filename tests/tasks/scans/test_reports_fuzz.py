"""Whatever a scan's tool reports: no error but our own, and no finding lost without a word.

These reports are documents of others: a key that is added is passed over, so it must not change what was found.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.scans.container import read_trivy
from gates.scans.linters import read_hadolint, read_squawk, read_zizmor
from gates.scans.npm_lock import NpmLock
from gates.scans.outcome import ReportError, ScanOutcome
from gates.scans.secrets import leaks, read_kingfisher
from host.errors import ToolError
from host.sandbox.run import Completed
from tasks.scans.code import read_bandit
from tasks.scans.dependency import read_pip_audit
from tasks.scans.packages.npm import NpmReport, read_npm_audit
from tasks.scans.packages.pins import Pin
from tasks.scans.sast import read_semgrep
from tasks.scans.tools import as_report, parse_json
from tasks.scans.tree import Tree
from tests.mutants import VALUES, changed, mutants, part_at, places, without

TREE = Tree(Path("/nowhere"), ())
LOCK = NpmLock.model_validate({"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0"}}})
LOG = " INFO audit: zizmor: completed /t/ci.yml\n"


def told(outcome: ScanOutcome) -> list[str]:
    return [*(one.rule for one in outcome.findings), *outcome.problems]


def rules(findings: Any, problems: Any = ()) -> list[str]:
    return [*(one.rule for one in findings), *problems]


def parsed(text: str) -> Any:
    return parse_json(text.encode(errors="surrogatepass"), Completed(0, "", False, False, False, 0.0))


def of_pip_audit(text: str) -> list[str]:
    return [one.id for package in read_pip_audit(parsed(text), [Pin("a", "1.0")]) for one in package.vulns]


def of_kingfisher(text: str) -> list[str]:
    return [one.rule for one in leaks(read_kingfisher(text.encode(errors="surrogatepass"), 1), {})]


# By tool: a report of one finding, and how it is read: what is told of it, findings and problems alike.
HADOLINT = [{"code": "DL3007", "file": "/t/D", "level": "warning", "line": 1, "message": "m", "column": 1}]
SQUAWK = [{"file": "/t/0.sql", "line": 0, "column": 0, "message": "m", "rule_name": "ban-drop-column", "level": "W"}]
ZIZMOR = [
    {
        "ident": "template-injection",
        "desc": "d",
        "determinations": {"severity": "High", "confidence": "High"},
        "locations": [
            {
                "symbolic": {
                    "key": {"Local": {"verbatim_path": "/t/ci.yml"}},
                    "kind": "Primary",
                    "annotation": "here",
                },
                "concrete": {"location": {"start_point": {"row": 6}}, "feature": "uses: a@v4"},
            }
        ],
    }
]
KINGFISHER = {
    "findings": [
        {
            "rule": {"id": "kingfisher.aws.1", "name": "AWS"},
            "finding": {"path": "app.py", "line": 3, "snippet": "[REDACTED:1f]"},
        }
    ],
    "audit": {"repositories": [{"scan": {"status": "completed"}, "stats": {"blobs_scanned": 5}}]},
    "metadata": {"summary": {"findings": 1, "rules_applied": 900}},
}
TRIVY = {
    "SchemaVersion": 2,
    "Results": [
        {
            "Target": "a",
            "Vulnerabilities": [
                {"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1", "Severity": "HIGH"}
            ],
        }
    ],
}
BANDIT = {
    "errors": [],
    "metrics": {"_totals": {"loc": 3}, "./a.py": {"loc": 3}},
    "results": [
        {
            "filename": "./a.py",
            "line_number": 2,
            "test_id": "B602",
            "test_name": "shell",
            "issue_severity": "HIGH",
            "issue_confidence": "HIGH",
            "issue_text": "subprocess with shell",
        }
    ],
}
SEMGREP = {
    "results": [
        {
            "check_id": "rules.python.sql-injection",
            "path": "a.py",
            "start": {"line": 1, "col": 1},
            "end": {"line": 1, "col": 9},
            "extra": {"message": "m", "severity": "ERROR", "metadata": {"slipway-severity": "high"}},
        }
    ],
    "errors": [],
    "paths": {"scanned": ["a.py"]},
}
PIP_AUDIT = {
    "dependencies": [
        {"name": "a", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}]}
    ],
    "fixes": [],
}
NPM = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "a": {
            "name": "a",
            "severity": "high",
            "via": [{"source": 1, "name": "a", "title": "t", "url": "https://x/GHSA-1", "severity": "high"}],
            "nodes": ["node_modules/a"],
            "fixAvailable": True,
        }
    },
    "metadata": {"dependencies": {"total": 1}},
}
TOOLS: dict[str, tuple[Any, Callable[[str], list[str]]]] = {
    "hadolint": (HADOLINT, lambda text: rules(*read_hadolint(text, {"/t/D": "D"}, {"D": "FROM a"}))),
    "squawk": (SQUAWK, lambda text: rules(*read_squawk(text, {"/t/0.sql": "1"}, {"1": "DROP"}))),
    "zizmor": (ZIZMOR, lambda text: rules(read_zizmor(LOG + text, {"/t/ci.yml": "ci.yml"}))),
    "kingfisher": (KINGFISHER, of_kingfisher),
    "trivy": (TRIVY, lambda text: rules(read_trivy(text.encode(errors="surrogatepass"), "app")[1])),
    "bandit": (BANDIT, lambda text: told(read_bandit(parsed(text), ["a.py"], TREE)[0])),
    "semgrep": (SEMGREP, lambda text: told(read_semgrep(parsed(text), ["a.py"], TREE))),
    "pip-audit": (PIP_AUDIT, of_pip_audit),
    "npm audit": (
        NPM,
        lambda text: told(read_npm_audit(as_report(NpmReport, parsed(text), "npm audit"), LOCK, "package-lock.json")),
    ),
}
# Nothing found is said by leaving these out.
MAY_BE_ABSENT = {"trivy": {"Vulnerabilities"}, "npm audit": {"a"}}


@pytest.mark.parametrize("tool", list(TOOLS))
def test_each_sample_tells_its_one_finding(tool: str) -> None:
    sample, read = TOOLS[tool]
    assert len(read(json.dumps(sample))) == 1


@pytest.mark.parametrize("tool", list(TOOLS))
def test_no_key_is_missing_without_a_word(tool: str) -> None:
    sample, read = TOOLS[tool]
    for place in places(sample):
        if not place or not isinstance(place[-1], str) or place[-1] in MAY_BE_ABSENT.get(tool, set()):
            continue
        text = json.dumps(changed(sample, place[:-1], without(part_at(sample, place[:-1]), place[-1])))
        try:
            assert read(text), place
        except (ReportError, ToolError):
            pass


@pytest.mark.fuzz
@pytest.mark.parametrize("tool", list(TOOLS))
@given(data=st.data())
def test_no_mutant_of_a_report_is_an_error_of_another_kind(tool: str, data: st.DataObject) -> None:
    sample, read = TOOLS[tool]
    text = json.dumps(data.draw(mutants(sample)))
    cut = data.draw(st.integers(0, 3))
    try:
        read(text[: len(text) * cut // 3] if cut else text)
    except (ReportError, ToolError) as error:
        assert str(error)


@pytest.mark.fuzz
@pytest.mark.parametrize("tool", list(TOOLS))
@given(data=st.data())
def test_no_key_that_is_added_hides_a_finding(tool: str, data: st.DataObject) -> None:
    sample, read = TOOLS[tool]
    parts = [path for path in places(sample) if isinstance(part_at(sample, path), dict)]
    path, key, value = data.draw(st.sampled_from(parts)), data.draw(st.text(max_size=8)), data.draw(VALUES)
    if key in part_at(sample, path):
        return
    try:
        assert read(json.dumps(changed(sample, path, {**part_at(sample, path), key: value})))
    except (ReportError, ToolError):
        pass


@pytest.mark.fuzz
@pytest.mark.parametrize("tool", list(TOOLS))
@given(
    text=st.text(max_size=300)
    | st.sampled_from(["[]", "{}", "null", "[[[[", '{"a": 1, "a": 2}', "[NaN]", '["\\ud800"]', "[" * 100_000])
)
def test_no_text_is_an_error_of_another_kind(tool: str, text: str) -> None:
    try:
        TOOLS[tool][1](text)
    except (ReportError, ToolError):
        pass
