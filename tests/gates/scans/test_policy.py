import pytest

from gates.findings import Finding, Severity, fingerprint
from gates.scans.dockerfiles.judge import ImageRules
from gates.scans.policy import Allowed, Files, Images, Policy, apply_allowed, judge_files

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


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.pem", "a/b/key.pem", True),
        ("a/*.pem", "a/b/key.pem", True),
        ("b/*.pem", "a/b/key.pem", False),
        ("key.pem", "a/key.pem", True),
        ("a", "a/key.pem", False),
        ("*.PEM", "key.pem", False),
    ],
)
def test_a_pattern_with_a_slash_is_held_against_the_whole_path(pattern: str, path: str, matches: bool) -> None:
    assert bool(judge_files({path: 1}, (), Files(forbidden=(pattern,)))) is matches


def test_each_finding_is_told_in_full() -> None:
    rules = Files(required=("LICENSE",), forbidden=("*.pem",), max_mb=1.5)
    missing, forbidden, large = judge_files({"a/key.pem": 2_600_000}, ("LICENSE", "NOTICE"), rules)[1:]
    assert (missing.rule, missing.severity, missing.message, missing.file) == (
        "required-file",
        Severity.HIGH,
        "the commit has no NOTICE",
        "",
    )
    assert (forbidden.rule, forbidden.severity, forbidden.message, forbidden.file) == (
        "forbidden-file",
        Severity.HIGH,
        "a file of this name does not belong in a repository",
        "a/key.pem",
    )
    assert (large.rule, large.severity, large.message, large.file) == (
        "large-file",
        Severity.MEDIUM,
        "3 MB, more than 1.5 MB",
        "a/key.pem",
    )
    assert [one.fingerprint for one in (missing, forbidden, large)] == [
        fingerprint("required-file", "NOTICE"),
        fingerprint("forbidden-file", "a/key.pem"),
        fingerprint("large-file", "a/key.pem"),
    ]


def test_of_several_allowances_the_first_that_covers_it_is_told() -> None:
    rules = [
        Allowed(rule="b", reason="of another rule"),
        Allowed(rule="a", says="x", reason="first reason"),
        Allowed(rule="a", reason="second reason"),
    ]
    assert apply_allowed([finding("a", "")], rules) == ([], ["allowed: a in service router: x: first reason"])
    kept = finding("c", "f")
    assert apply_allowed([kept, finding("b", "f")], rules) == ([kept], ["allowed: b in f: of another rule"])


@pytest.mark.parametrize(("length", "good"), [(9, False), (10, True)])
def test_a_reason_has_ten_characters(length: int, good: bool) -> None:
    if good:
        assert Allowed(rule="a", reason="r" * length).file == "*"
    else:
        with pytest.raises(ValueError, match="reason"):
            Allowed(rule="a", reason="r" * length)


def test_limits_of_size_have_defaults_and_are_above_zero() -> None:
    assert (Files().max_mb, Images().max_mb) == (20, 1000)
    for section in (Files, Images):
        assert section(max_mb=0.5).max_mb == 0.5
        with pytest.raises(ValueError, match="max_mb"):
            section(max_mb=0)


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="requird"):
        Policy.model_validate({"files": {"requird": []}})
    assert Policy.model_validate({}) == Policy()
