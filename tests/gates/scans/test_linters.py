import json

import pytest

from gates.findings import Severity
from gates.scans.linters import migrations_in, read_hadolint, read_squawk, read_zizmor
from gates.scans.outcome import ReportError

HINT = {"code": "DL3007", "file": "/t/Dockerfile", "level": "warning", "line": 1, "message": "m", "column": 1}
WARNING = {"file": "/t/0.sql", "line": 0, "message": "m", "rule_name": "ban-drop-column", "level": "Warning"}


@pytest.mark.parametrize(
    ("code", "level", "severity"),
    [
        ("DL3007", "warning", Severity.HIGH),
        ("DL3042", "warning", Severity.MEDIUM),
        ("DL4000", "error", Severity.MEDIUM),
        ("DL3015", "info", Severity.LOW),
        ("SC1", "new level", Severity.MEDIUM),
    ],
)
def test_hadolint_is_graded_by_rule(code: str, level: str, severity: Severity) -> None:
    text = json.dumps([{**HINT, "code": code, "level": level}])
    found, blind = read_hadolint(text, {"/t/Dockerfile": "Dockerfile"}, {"Dockerfile": "FROM a\n"})
    assert [(one.file, one.severity) for one in found] == [("Dockerfile", severity)]
    assert blind == []


def test_what_hadolint_cannot_parse_is_told() -> None:
    text = json.dumps([{**HINT, "code": "DL1000", "line": 9}])
    found, blind = read_hadolint(text, {"/t/Dockerfile": "Dockerfile"}, {"Dockerfile": ""})
    assert (found, blind) == ([], ["hadolint cannot parse Dockerfile, line 9"])


@pytest.mark.parametrize("text", ["", "{}", "[{}]", "garbage", json.dumps([{**HINT, "file": "other"}]), '[{"code": "'])
def test_hadolint_garbage_is_an_error(text: str) -> None:
    with pytest.raises(ReportError):
        read_hadolint(text, {"/t/Dockerfile": "Dockerfile"}, {"Dockerfile": ""})


@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        ("ban-drop-column", Severity.HIGH),
        ("adding-foreign-key-constraint", Severity.MEDIUM),
        ("a-new-rule", Severity.MEDIUM),
        ("require-lock-timeout", Severity.LOW),
    ],
)
def test_squawk_is_graded_by_rule(rule: str, severity: Severity) -> None:
    text = json.dumps([{**WARNING, "rule_name": rule}])
    found, _ = read_squawk(text, {"/t/0.sql": "0001"}, {"0001": "ALTER TABLE a\n DROP COLUMN b;"})
    assert [(one.severity, one.message) for one in found] == [(severity, "m: ALTER TABLE a")]


def test_sql_that_squawk_cannot_parse_is_told_once() -> None:
    text = json.dumps([{**WARNING, "rule_name": "syntax-error"}] * 3)
    assert read_squawk(text, {"/t/0.sql": "0001"}, {"0001": ""}) == ([], ["squawk cannot parse the SQL of 0001"])


def audit(severity: str = "High", ident: str = "x", file: str = "/t/ci.yml") -> dict[str, object]:
    place = {"location": {"start_point": {"row": 6}}, "feature": "uses: a@v4"}
    symbolic = {"key": {"Local": {"verbatim_path": file}}, "kind": "Primary", "annotation": "here"}
    location = {"symbolic": symbolic, "concrete": place}
    return {"ident": ident, "desc": "d", "determinations": {"severity": severity}, "locations": [location]}


def zizmor(*audits: object, log: str = " INFO audit: zizmor: completed /t/ci.yml") -> str:
    return f" INFO zizmor: v1\n{log}\n" + json.dumps(list(audits), indent=1)


@pytest.mark.parametrize(
    ("given", "ident", "severity"),
    [
        ("High", "template-injection", Severity.CRITICAL),
        ("Medium", "template-injection", Severity.MEDIUM),
        ("High", "unpinned-uses", Severity.HIGH),
        ("Informational", "x", Severity.LOW),
        ("Something", "x", Severity.MEDIUM),
    ],
)
def test_zizmor_is_graded(given: str, ident: str, severity: Severity) -> None:
    found = read_zizmor(zizmor(audit(given, ident)), {"/t/ci.yml": ".github/workflows/ci.yml"})
    assert [(one.file, one.line, one.severity) for one in found] == [(".github/workflows/ci.yml", 7, severity)]


@pytest.mark.parametrize(
    "output", ["", "[]", "garbage", zizmor(log=""), zizmor()[:-1], zizmor({}), zizmor().replace("ci.yml", "no.yml")]
)
def test_zizmor_that_did_not_complete_a_file_is_an_error(output: str) -> None:
    with pytest.raises(ReportError):
        read_zizmor(output, {"/t/ci.yml": "ci.yml"})


SQL = """BEGIN;

CREATE TABLE alembic_version (x int);
-- Running upgrade  -> 0001
CREATE TABLE a (b int); -- squawk-ignore ban-drop-table
-- squawk-ignore-file
COMMIT;

BEGIN;

-- Running upgrade 0001 -> 0002
ALTER TABLE a ADD c int;
COMMIT;
CREATE INDEX CONCURRENTLY i ON a (c);
BEGIN;
UPDATE alembic_version SET version_num='0002';
COMMIT;
"""


def test_each_migration_by_itself_without_the_transaction_around_it() -> None:
    found = migrations_in(SQL, "")
    assert list(found) == ["0001", "0002"]
    assert found["0001"] == "CREATE TABLE a (b int); -- squawk_ignore ban-drop-table\n"
    assert found["0002"].startswith("ALTER") and found["0002"].count("COMMIT") == 1
    assert found["0002"].endswith("'0002';\n")


def test_only_what_comes_after_a_revision() -> None:
    assert list(migrations_in(SQL, "0001")) == ["0002"]
    assert migrations_in(SQL, "0002") == {}
    with pytest.raises(ReportError, match="judged_after"):
        migrations_in(SQL, "0003")
