"""What the secret scanners' reports say: a report that covers less than all is an error, and no secret is repeated."""

import json
from typing import Any

import pytest

from gates.findings import Severity, fingerprint
from gates.scans.outcome import ReportError
from gates.scans.secrets import (
    Leak,
    Report,
    check_coverage,
    leaks,
    past_leaks,
    read_kingfisher,
    read_trufflehog,
    secret_findings,
    without_samples,
)

OLD, NEW, OTHER = "a" * 40, "b" * 40, "c" * 40
ORDER = {OLD: 0, NEW: 1}


def found(
    file: str = "app.py", line: int = 3, commit: str = "", mark: str = "1f", rule: str = "kingfisher.aws.1"
) -> dict[str, Any]:
    where: dict[str, Any] = {"path": file, "line": line, "snippet": f"[REDACTED:{mark}]"}
    if commit:
        where["git_metadata"] = {"commit": {"id": commit}}
    return {"rule": {"id": rule, "name": "AWS"}, "finding": where}


def looked(status: str = "completed", blobs: int = 5, **git: Any) -> dict[str, Any]:
    history = {"tip_sha": NEW, "shallow": False, "fetched_commit_count": 2, **git}
    return {"scan": {"status": status}, "stats": {"blobs_scanned": blobs}, "git": history}


def text(
    *findings: dict[str, Any],
    inputs: tuple[dict[str, Any], ...] = (looked(),),
    count: int | None = None,
    rules: int = 900,
) -> bytes:
    summary = {"findings": len(findings) if count is None else count, "rules_applied": rules}
    report = {"findings": findings, "audit": {"repositories": inputs}, "metadata": {"summary": summary}}
    return json.dumps(report).encode()


def report(*findings: dict[str, Any], **more: Any) -> Report:
    return Report.model_validate_json(text(*findings, **more))


def test_a_report_over_all_inputs_is_read() -> None:
    read = read_kingfisher(text(found(), inputs=(looked(blobs=5), looked(blobs=2))), 2)
    assert (len(read.findings), read.blobs) == (1, 7)
    assert read_kingfisher(text(rules=1), 1).findings == ()


PARTIAL = "kingfisher completed {} of {} inputs, or only in part"


@pytest.mark.parametrize(
    ("given", "inputs", "why"),
    [
        (text(), 2, PARTIAL.format(1, 2)),
        (text(inputs=(looked(), looked())), 1, PARTIAL.format(2, 1)),
        (text(inputs=()), 1, PARTIAL.format(0, 1)),
        (text(inputs=(looked(), looked("failed"))), 2, PARTIAL.format(2, 2)),
        (text(found(), count=2), 1, "kingfisher's report has another number of findings than its summary says"),
        (text(found(), count=0), 1, "kingfisher's report has another number of findings than its summary says"),
        (text(rules=0), 1, "kingfisher looked with no rules"),
        (b"", 1, "kingfisher left an empty report"),
    ],
)
def test_a_report_that_is_partial_or_in_conflict_with_itself_is_refused(given: bytes, inputs: int, why: str) -> None:
    with pytest.raises(ReportError) as refused:
        read_kingfisher(given, inputs)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    "changed",
    [
        {"snippet": "hunter2"},
        {"snippet": "[REDACTED:hunter2]"},
        {"snippet": "[REDACTED:]"},
        {"snippet": "hunter2 [REDACTED:1f]"},
        {"snippet": "[REDACTED:1f] hunter2"},
        {"line": -1},
        {"git_metadata": {"commit": {"id": "hunter2"}}},
        {"git_metadata": {"commit": {"id": "a" * 39}}},
        {"git_metadata": {"commit": {"id": "a" * 65}}},
        {"git_metadata": {"commit": {"id": "A" * 40}}},
    ],
)
def test_a_finding_that_is_not_redacted_or_has_no_place_is_refused_and_never_repeated(changed: dict[str, Any]) -> None:
    one = found()
    one["finding"] |= changed
    with pytest.raises(ReportError, match="kingfisher left no report that can be trusted") as refused:
        read_kingfisher(text(one), 1)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("length", "good"), [(0, False), (1, True), (200, True), (201, False)])
def test_a_rule_has_a_name_of_some_length(length: int, good: bool) -> None:
    given = text(found(rule="r" * length))
    if good:
        assert read_kingfisher(given, 1).findings[0].rule.id == "r" * length
    else:
        with pytest.raises(ReportError):
            read_kingfisher(given, 1)


def test_a_line_may_be_none_and_a_commit_may_be_of_sha_256() -> None:
    read = read_kingfisher(text(found(line=0, commit="a" * 64)), 1)
    assert leaks(read, {}) == [Leak("kingfisher.aws.1", "app.py", 0, "a" * 64, "[REDACTED:1f]")]


WHOLE = f"kingfisher did not look at the whole history of {'b' * 12}"


@pytest.mark.parametrize(
    ("input_", "why"),
    [
        (looked(), ""),
        (looked(fetched_commit_count=3, blobs=6), ""),
        (looked(tip_sha=OLD), WHOLE),
        (looked(shallow=True), WHOLE),
        ({**looked(), "git": None}, WHOLE),
        (looked(fetched_commit_count=1), "kingfisher looked at 1 of 2 commits, 5 of 5 contents"),
        (looked(blobs=4), "kingfisher looked at 2 of 2 commits, 4 of 5 contents"),
    ],
)
def test_a_scan_of_less_than_the_whole_history_is_refused(input_: dict[str, Any], why: str) -> None:
    read = report(inputs=(input_,))
    if not why:
        check_coverage(read, NEW, commits=2, blobs=5)
        return
    with pytest.raises(ReportError) as refused:
        check_coverage(read, NEW, commits=2, blobs=5)
    assert str(refused.value) == why


def test_of_one_secret_in_one_file_the_oldest_place_is_told() -> None:
    places = [
        found(line=9, commit=NEW),
        found(line=8, commit=OLD),
        found(line=4, commit=OLD),
        found(line=1, commit=OTHER),
    ]
    for given in (places, places[::-1]):
        (leak,) = leaks(report(*given), ORDER)
        assert (leak.commit, leak.line) == (OLD, 4)


@pytest.mark.parametrize("other", [{"rule": "x"}, {"mark": "2f"}, {"file": "b.py"}])
def test_another_rule_secret_or_file_is_another_leak(other: dict[str, str]) -> None:
    assert len(leaks(report(found(), found(**other)), ORDER)) == 2


def test_leaks_are_told_oldest_first_then_by_line_file_and_rule_and_without_a_commit_last() -> None:
    given = [
        found("z.py", 1),
        found("y.py", 7, commit=NEW),
        found("b.py", 3, commit=OLD),
        found("a.py", 3, commit=OLD, rule="s"),
        found("a.py", 3, commit=OLD, rule="r"),
        found("c.py", 2, commit=OLD),
    ]
    assert [(leak.file, leak.rule) for leak in leaks(report(*given), ORDER)] == [
        ("c.py", "kingfisher.aws.1"),
        ("a.py", "r"),
        ("a.py", "s"),
        ("b.py", "kingfisher.aws.1"),
        ("y.py", "kingfisher.aws.1"),
        ("z.py", "kingfisher.aws.1"),
    ]


REVOKE = "revoke it, then take it out of the history"


@pytest.mark.parametrize(
    ("file", "commit", "message"),
    [
        ("app.py", OLD, f"a secret (r) since commit {'a' * 12}: {REVOKE}"),
        ("gone.py", OLD, f"a secret (r) since commit {'a' * 12}; the file is gone, the history still has it: {REVOKE}"),
        ("app.py", "", f"a secret (r) in the files of this commit: {REVOKE}"),
        ("gone.py", "", f"a secret (r) in the files of this commit: {REVOKE}"),
        ("app.zip!inner.txt", OLD, f"a secret (r) since commit {'a' * 12}: {REVOKE}"),
        ("", OLD, f"a secret (r) in the message of commit {'a' * 12}: {REVOKE}"),
    ],
)
def test_a_leak_is_a_critical_finding_that_says_where_it_is(file: str, commit: str, message: str) -> None:
    (finding,) = secret_findings("kingfisher", [Leak("r", file, 3, commit, "m")], {"app.py", "app.zip"})
    assert (finding.severity, finding.message) == (Severity.CRITICAL, message)
    assert (finding.tool, finding.rule, finding.file, finding.line) == ("kingfisher", "r", file, 3)


def test_fingerprints_hold_neither_line_nor_secret_and_tell_leaks_of_one_place_apart() -> None:
    one, two, three = secret_findings(
        "t", [Leak("r", "a", 3, OLD, "m"), Leak("r", "a", 8, OLD, "n"), Leak("r", "b", 3, OLD, "m")], ()
    )
    assert one.fingerprint == fingerprint("secret", "r", "a", OLD, "1")
    assert two.fingerprint == fingerprint("secret", "r", "a", OLD, "2")
    assert three.fingerprint == fingerprint("secret", "r", "b", OLD, "1")
    (moved,) = secret_findings("t", [Leak("r", "a", 99, OLD, "another")], ())
    assert moved.fingerprint == one.fingerprint


END = '{"msg": "finished scanning", "chunks": 1}'


def git(**more: Any) -> str:
    data = {"commit": OLD, "file": "app.py", "line": 3, **more}
    return json.dumps({"SourceMetadata": {"Data": {"Git": data}}, "DetectorName": "AWS", "Raw": "hunter2"})


def test_trufflehogs_lines_are_read_without_the_secret() -> None:
    assert read_trufflehog([git(), "", "  ", '{"msg": "running source"}', END]) == [Leak("AWS", "app.py", 3, OLD, "")]
    assert read_trufflehog([END, git()]) == [Leak("AWS", "app.py", 3, OLD, "")]


@pytest.mark.parametrize(
    "last",
    [
        [],
        ['{"msg": "finished scanning", "chunks": 0}'],
        ['{"msg": "finished scanning"}'],
        ['{"msg": "running source", "chunks": 1}'],
    ],
)
def test_trufflehog_that_did_not_finish_or_looked_at_nothing_is_refused(last: list[str]) -> None:
    with pytest.raises(ReportError) as refused:
        read_trufflehog([git(), *last])
    assert str(refused.value) == "trufflehog did not say that it finished, or looked at nothing"


@pytest.mark.parametrize("line", ["hunter2", '{"chunks": "hunter2"}', git(line="hunter2"), "[]"])
def test_what_trufflehog_does_not_print_is_refused_and_never_repeated(line: str) -> None:
    with pytest.raises(ReportError) as refused:
        read_trufflehog([line, END])
    assert str(refused.value) == "trufflehog printed a line that is not its report"
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(("length", "good"), [(200, True), (201, False)])
def test_a_detectors_name_has_an_end(length: int, good: bool) -> None:
    line = json.dumps({"SourceMetadata": {"Data": {"Git": {}}}, "DetectorName": "d" * length})
    if good:
        assert read_trufflehog([line, END]) == [Leak("d" * length, "", 0, "", "")]
    else:
        with pytest.raises(ReportError):
            read_trufflehog([line, END])


@pytest.mark.parametrize(
    ("rule", "file", "counts"),
    [
        ("slipway.named", "shop/settings.py", True),
        ("slipway.named", "tests/conftest.py", False),
        ("slipway.named", "shop/tests/fixtures/users.json", False),
        ("slipway.named", "shop/test_login.py", False),
        ("slipway.named", "web/login.spec.ts", False),
        ("slipway.named", "shop/latest/contest.py", True),  # tests by their whole name only
        ("slipway.named", "docs/conf.py", False),
        ("slipway.named", "docs/docker-compose.prod.yml", True),  # production's by its name, wherever it stands
        ("slipway.named", "fixtures/prod.env", True),
        ("slipway.named", "deploy/e2e/production/app.env", True),
        ("slipway.named", "fixtures/products.env", False),
        ("slipway.named", "production/tests/app.env", False),  # what is above the tests says nothing of them
        ("slipway.named", "shop/test_prod.py", False),
        ("slipway.named", "spec/values.yaml", True),
        ("slipway.named", "spec/login.rb", False),
        ("slipway.named", "README.md", False),
        ("slipway.named", "poetry.lock", False),
        ("slipway.address", "requirements.lock", True),
        ("slipway.address", "tests/conftest.py", False),
        ("slipway.line", "shop/app.py", False),
        ("slipway.line", "main.tf", False),
        ("slipway.named", "main.tf", True),
        ("slipway.command", "shop/app.py", True),
        ("slipway.line", ".env", True),
        ("slipway.line", "start.sh", True),
        ("slipway.line", "Dockerfile", True),
        ("slipway.line", "", True),  # a commit's message
        ("betterleaks.github-pat", "tests/conftest.py", True),
    ],
)
def test_what_is_only_named_like_a_secret_counts_where_it_is_one(rule: str, file: str, counts: bool) -> None:
    leak = Leak(rule, file, 1, "", "")
    assert without_samples([leak]) == (([leak], 0) if counts else ([], 1))


def test_a_rule_of_ours_adds_nothing_to_what_another_found() -> None:
    read = report(
        found(rule="slipway.named", mark="2a"),
        found(rule="kingfisher.aws.1", mark="1f"),
        found(rule="slipway.named", line=4, mark="2b"),
        found(rule="slipway.line", line=4, mark="2b"),
        found(rule="slipway.named", line=5, mark="2b", commit=OLD),
    )
    assert [(leak.rule, leak.line) for leak in leaks(read, ORDER)] == [("slipway.named", 5), ("kingfisher.aws.1", 3)]
    assert [(one.rule, one.line) for one in leaks(report(found(rule="slipway.line", line=4)), {})] == [
        ("slipway.line", 4)
    ]


def test_of_two_secrets_of_a_line_that_a_rule_for_unquoted_values_sees_a_part_of_one_counts() -> None:
    both = report(found(rule="slipway.variable", mark="1f"), found(rule="slipway.text", mark="2a"))
    assert [one.rule for one in leaks(both, ORDER)] == ["slipway.text"]
    # Two variables of a line are two, and so are two texts.
    for rules in (("slipway.variable", "slipway.variable"), ("slipway.named", "slipway.otherwise")):
        two = report(found(rule=rules[0], mark="1f"), found(rule=rules[1], mark="2a"))
        assert len(leaks(two, ORDER)) == 2


def test_what_is_in_the_history_alone_is_told_apart() -> None:
    gone, moved, again = (
        Leak("a", "old.env", 1, "c", "m1"),
        Leak("a", "b.env", 1, "c", "m2"),
        Leak("a", "c", 1, "c", "m2"),
    )
    message = Leak("a", "", 0, "c", "m3")
    past = past_leaks([gone, moved, again, message], [Leak("a", "c", 5, "", "other salt")])
    assert past == {gone, message}
    findings = secret_findings("kingfisher", [gone, moved], {"b.env"}, past)
    assert [one.past for one in findings] == [True, False]
