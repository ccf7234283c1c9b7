import pytest

from gates.findings import Finding, Severity
from gates.scans.dockerfile import ImageRules
from gates.scans.policy import Allowed, Files, Images, apply_allowed, judge_files

RULES = Files(required=("README*",), forbidden=(".env", "*.pem", "*/.aws/*"), allowed=("*.pub.pem",), max_mb=1)


def found(*names: str, size: int = 1, required: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    findings = judge_files(dict.fromkeys(names, size), required, RULES)
    return [(one.rule, one.file or one.message) for one in findings]


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        (".env", True),
        ("deploy/.env", True),
        (".envrc", False),
        ("a/b/key.pem", True),
        ("a/key.pub.pem", False),
        ("home/.aws/credentials", True),
        ("aws/credentials", False),
    ],
)
def test_forbidden_names_in_any_folder(name: str, forbidden: bool) -> None:
    assert found("README.md", name) == ([("forbidden-file", name)] if forbidden else [])


def test_what_must_be_there() -> None:
    assert found("a.py") == [("required-file", "the commit has no README*")]
    assert found("README.md", required=("requirements.lock",)) == [
        ("required-file", "the commit has no requirements.lock")
    ]
    assert found("docs/README.md", "requirements.lock", required=("requirements.lock",)) == []


def test_large_files_both_sides_of_the_limit() -> None:
    assert found("README.md", size=1_000_000) == []
    assert found("README.md", size=1_000_001) == [("large-file", "README.md")]


def finding(rule: str, file: str) -> Finding:
    return Finding(
        tool="policy", rule=rule, severity=Severity.HIGH, message="service router: x", file=file, fingerprint="f"
    )


@pytest.mark.parametrize(
    ("allowed", "kept"),
    [
        (Allowed(rule="a", reason="it is meant so"), 0),
        (Allowed(rule="a", file="docker/*", says="service router", reason="it is meant so"), 0),
        (Allowed(rule="a", file="other/*", reason="it is meant so"), 1),
        (Allowed(rule="a", says="service app", reason="it is meant so"), 1),
        (Allowed(rule="b", reason="it is meant so"), 1),
    ],
)
def test_an_allowance_covers_only_what_it_names(allowed: Allowed, kept: int) -> None:
    findings, notes = apply_allowed([finding("a", "docker/c.yml")], [allowed])
    assert len(findings) == kept
    assert notes == ([] if kept else ["allowed: a in docker/c.yml: it is meant so"])


def test_an_allowance_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Allowed(rule="a", reason="short")


def test_the_defaults_agree() -> None:
    assert Images().rules == ImageRules(Images().exact, Images().minimal)
