"""What hadolint, zizmor and squawk report, as findings: their severities by rule, for they grade by other measures."""

from collections.abc import Mapping

from pydantic import ConfigDict, Field, RootModel

from gates.documents import Foreign
from gates.findings import Finding, Severity, make_finding
from gates.scans.outcome import ReportError, read_report

CRITICAL, HIGH, MEDIUM, LOW = Severity


class _Model(Foreign, of="the reports of hadolint, zizmor and squawk"):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class _Hint(_Model):
    code: str = Field(min_length=1, max_length=40)
    file: str
    level: str
    line: int
    message: str


class _Hints(RootModel[tuple[_Hint, ...]]):
    pass


# The user root, sudo, `latest`: what the others are about is style, or costs build time.
HADOLINT: Mapping[str, Severity] = {"DL3002": HIGH, "DL3004": HIGH, "DL3007": HIGH, "DL3006": HIGH}
HADOLINT_LEVELS: Mapping[str, Severity] = {"error": MEDIUM, "warning": MEDIUM, "info": LOW, "style": LOW}


def read_hadolint(text: str, names: Mapping[str, str], texts: Mapping[str, str]) -> tuple[list[Finding], list[str]]:
    """Return findings and the files that hadolint could not parse. `names` turns its paths into ours.

    `texts` gives each file's text, by our name: the offending line makes the fingerprint. ReportError as usual.
    """
    findings, problems = [], []
    for hint in read_report(_Hints, text, "hadolint").root:
        if hint.file not in names:
            raise ReportError("hadolint reported a file that it was not given")
        file = names[hint.file]
        if hint.code == "DL1000":
            problems.append(f"hadolint cannot parse {file}, line {hint.line}")
            continue
        severity = HADOLINT.get(hint.code) or HADOLINT_LEVELS.get(hint.level, MEDIUM)
        subject = _line(texts[file], hint.line)
        key = (hint.code, file, subject)
        findings.append(make_finding("hadolint", hint.code, severity, hint.message, file, line=hint.line, key=key))
    return findings, problems


class _Point(_Model):
    row: int = Field(ge=0)


class _Range(_Model):
    start_point: _Point


class _Concrete(_Model):
    location: _Range
    feature: str = ""


class _Symbolic(_Model):
    key: dict[str, dict[str, str] | str]
    kind: str = ""
    annotation: str = ""


class _Location(_Model):
    symbolic: _Symbolic
    concrete: _Concrete


class _Grades(_Model):
    severity: str


class _Audit(_Model):
    ident: str = Field(min_length=1, max_length=80)
    desc: str
    determinations: _Grades
    locations: tuple[_Location, ...] = Field(min_length=1)


class _Audits(RootModel[tuple[_Audit, ...]]):
    pass


ZIZMOR: Mapping[str, Severity] = {"High": HIGH, "Medium": MEDIUM, "Low": LOW, "Informational": LOW, "Unknown": MEDIUM}
# What lets a stranger run code with the repository's rights.
ZIZMOR_CRITICAL = ("template-injection", "github-env")


def read_zizmor(output: str, names: Mapping[str, str]) -> list[Finding]:
    """Read zizmor's log lines with the JSON after them. Raises ReportError if it did not complete each of the files.

    `names` turns its paths into ours.
    """
    lines = output.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("[")), len(lines))
    missing = [ours for path, ours in names.items() if not any(f"completed {path}" in line for line in lines[:start])]
    if missing:
        raise ReportError(f"zizmor did not complete {', '.join(missing)[:300]}")
    findings = []
    for audit in read_report(_Audits, "\n".join(lines[start:]), "zizmor").root:
        place = next((entry for entry in audit.locations if entry.symbolic.kind == "Primary"), audit.locations[0])
        file = names.get(_path(place.symbolic), "")
        severity = ZIZMOR.get(audit.determinations.severity, MEDIUM)
        if severity is HIGH and audit.ident in ZIZMOR_CRITICAL:
            severity = CRITICAL
        line = place.concrete.location.start_point.row + 1
        message = f"{audit.desc}: {place.symbolic.annotation}"
        key = (audit.ident, file, place.concrete.feature[:500])
        findings.append(make_finding("zizmor", audit.ident, severity, message, file, line=line, key=key))
    return findings


def _path(place: _Symbolic) -> str:
    local = place.key.get("Local", {})
    return local.get("verbatim_path") or local.get("given_path") or "" if isinstance(local, dict) else ""


class _Warning(_Model):
    file: str
    line: int = Field(ge=0)
    message: str
    rule_name: str = Field(min_length=1, max_length=80)


class _Warnings(RootModel[tuple[_Warning, ...]]):
    pass


# What breaks the version that still runs, or the rows that are there. https://squawkhq.com/docs/rules
SQUAWK: Mapping[str, Severity] = {
    **dict.fromkeys(
        (
            "adding-not-nullable-field",
            "adding-required-field",
            "ban-alter-domain-with-add-constraint",
            "ban-concurrent-index-creation-in-transaction",
            "ban-drop-column",
            "ban-drop-database",
            "ban-drop-table",
            "ban-truncate-cascade",
            "changing-column-type",
            "renaming-column",
            "renaming-table",
        ),
        HIGH,
    ),
    **dict.fromkeys(("require-lock-timeout", "require-statement-timeout"), LOW),
}
# Matters of taste: which types to choose, and statements that could run twice. Transactions are alembic's.
SQUAWK_IGNORED = (
    "ban-uncommitted-transaction",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamptz",
    "transaction-nesting",
)


def read_squawk(text: str, names: Mapping[str, str], texts: Mapping[str, str]) -> tuple[list[Finding], list[str]]:
    """Return findings of SQL files and why some could not be judged; `names` and `texts` as for hadolint."""
    findings, problems = [], []
    for warning in read_report(_Warnings, text, "squawk").root:
        if warning.file not in names:
            raise ReportError("squawk reported a file that it was not given")
        file, rule = names[warning.file], warning.rule_name
        if rule == "syntax-error":
            problems.append(f"squawk cannot parse the SQL of {file}")
            continue
        subject = _line(texts[file], warning.line + 1)
        message, key = f"{warning.message}: {subject}", (rule, file, subject)
        findings.append(make_finding("squawk", rule, SQUAWK.get(rule, MEDIUM), message, file, key=key))
    return findings, list(dict.fromkeys(problems))


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1].strip()[:300] if 0 < number <= len(lines) else ""
