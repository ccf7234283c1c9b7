import json

import pytest

from gates.findings import Severity, fingerprint
from gates.scans.linters import SQUAWK, SQUAWK_IGNORED, read_hadolint, read_squawk, read_zizmor
from gates.scans.outcome import ReportError

HINT = {"code": "DL3007", "file": "/t/Dockerfile", "level": "warning", "line": 1, "message": "m", "column": 1}
WARNING = {"file": "/t/0.sql", "line": 0, "message": "m", "rule_name": "ban-drop-column", "level": "Warning"}


@pytest.mark.parametrize(
    ("code", "level", "severity"),
    [
        ("DL3002", "warning", Severity.HIGH),
        ("DL3004", "error", Severity.HIGH),
        ("DL3006", "warning", Severity.HIGH),
        ("DL3007", "warning", Severity.HIGH),
        ("DL3042", "warning", Severity.MEDIUM),
        ("DL4000", "error", Severity.MEDIUM),
        ("DL3015", "info", Severity.LOW),
        ("DL3059", "style", Severity.LOW),
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
        ("require-statement-timeout", Severity.LOW),
        ("adding-not-nullable-field", Severity.HIGH),
        ("adding-required-field", Severity.HIGH),
        ("ban-alter-domain-with-add-constraint", Severity.HIGH),
        ("ban-concurrent-index-creation-in-transaction", Severity.HIGH),
        ("ban-drop-database", Severity.HIGH),
        ("ban-drop-table", Severity.HIGH),
        ("ban-truncate-cascade", Severity.HIGH),
        ("changing-column-type", Severity.HIGH),
        ("renaming-column", Severity.HIGH),
        ("renaming-table", Severity.HIGH),
    ],
)
def test_squawk_is_graded_by_rule(rule: str, severity: Severity) -> None:
    text = json.dumps([{**WARNING, "rule_name": rule}])
    found, _ = read_squawk(text, {"/t/0.sql": "0001"}, {"0001": "ALTER TABLE a\n DROP COLUMN b;"})
    assert [(one.severity, one.message) for one in found] == [(severity, "m: ALTER TABLE a")]


def test_sql_that_squawk_cannot_parse_is_told_once() -> None:
    text = json.dumps([{**WARNING, "rule_name": "syntax-error"}] * 3)
    assert read_squawk(text, {"/t/0.sql": "0001"}, {"0001": ""}) == ([], ["squawk cannot parse the SQL of 0001"])


def test_no_rule_is_both_graded_and_left_out() -> None:
    assert not set(SQUAWK) & set(SQUAWK_IGNORED)


DOCKERFILE = "FROM a:latest\n  RUN sudo b  \nUSER root"


@pytest.mark.parametrize(
    ("line", "subject"), [(-1, ""), (0, ""), (1, "FROM a:latest"), (2, "RUN sudo b"), (3, "USER root"), (4, "")]
)
def test_a_hint_is_known_by_the_text_of_its_line(line: int, subject: str) -> None:
    text = json.dumps([{**HINT, "line": line}])
    (one,), _ = read_hadolint(text, {"/t/Dockerfile": "Dockerfile"}, {"Dockerfile": DOCKERFILE})
    assert one.fingerprint == fingerprint("DL3007", "Dockerfile", subject)
    assert (one.tool, one.rule, one.line, one.message) == ("hadolint", "DL3007", line, "m")


@pytest.mark.parametrize(("length", "subject"), [(300, 300), (301, 300)])
def test_of_a_long_line_the_first_300_characters_count(length: int, subject: int) -> None:
    (one,), _ = read_hadolint(json.dumps([HINT]), {"/t/Dockerfile": "D"}, {"D": "x" * length})
    assert one.fingerprint == fingerprint("DL3007", "D", "x" * subject)


def test_a_message_is_cut_at_500_characters() -> None:
    (one,), _ = read_hadolint(json.dumps([{**HINT, "message": "m" * 501}]), {"/t/Dockerfile": "D"}, {"D": ""})
    assert one.message == "m" * 500


def test_the_hints_beside_one_that_cannot_be_parsed_are_kept() -> None:
    text = json.dumps([{**HINT, "code": "DL1000"}, HINT])
    found, blind = read_hadolint(text, {"/t/Dockerfile": "D"}, {"D": "FROM a"})
    assert ([one.rule for one in found], len(blind)) == (["DL3007"], 1)


@pytest.mark.parametrize(("length", "good"), [(0, False), (1, True), (40, True), (41, False)])
def test_a_hadolint_code_has_some_length(length: int, good: bool) -> None:
    text = json.dumps([{**HINT, "code": "C" * length}])
    if good:
        assert read_hadolint(text, {"/t/Dockerfile": "D"}, {"D": ""})[0][0].rule == "C" * length
    else:
        with pytest.raises(ReportError):
            read_hadolint(text, {"/t/Dockerfile": "D"}, {"D": ""})


@pytest.mark.parametrize("line", [0, 1])
def test_squawk_counts_lines_from_0_and_its_finding_has_none(line: int) -> None:
    statements = ["ALTER TABLE a", "DROP COLUMN b;"]
    text = json.dumps([{**WARNING, "line": line}])
    (one,), blind = read_squawk(text, {"/t/0.sql": "0001"}, {"0001": "\n".join(statements)})
    assert (one.tool, one.line, one.message, blind) == ("squawk", 0, f"m: {statements[line]}", [])
    assert one.fingerprint == fingerprint("ban-drop-column", "0001", statements[line])


@pytest.mark.parametrize(
    "change", [{"file": "other"}, {"line": -1}, {"rule_name": ""}, {"rule_name": "r" * 81}, {"message": None}]
)
def test_squawk_garbage_is_an_error(change: dict[str, object]) -> None:
    with pytest.raises(ReportError):
        read_squawk(json.dumps([{**WARNING, **change}]), {"/t/0.sql": "0001"}, {"0001": ""})


@pytest.mark.parametrize("length", [1, 80])
def test_a_squawk_rule_has_some_length(length: int) -> None:
    text = json.dumps([{**WARNING, "rule_name": "r" * length}])
    assert read_squawk(text, {"/t/0.sql": "0001"}, {"0001": ""})[0][0].rule == "r" * length


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
        ("High", "github-env", Severity.CRITICAL),
        ("Low", "github-env", Severity.LOW),
        ("Medium", "x", Severity.MEDIUM),
        ("Low", "x", Severity.LOW),
        ("Informational", "x", Severity.LOW),
        ("Unknown", "x", Severity.MEDIUM),
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


FILES = {"/t/ci.yml": "ci.yml", "/t/b.yml": "b.yml"}
BOTH = " INFO audit: zizmor: completed /t/ci.yml\n INFO audit: zizmor: completed /t/b.yml"


def test_every_file_must_be_completed_and_the_others_are_named() -> None:
    assert read_zizmor(zizmor(log=BOTH), FILES) == []
    for log, missing in ((BOTH.splitlines()[0], "b.yml"), ("", "ci.yml, b.yml")):
        with pytest.raises(ReportError) as refused:
            read_zizmor(zizmor(log=log), FILES)
        assert str(refused.value) == f"zizmor did not complete {missing}"
    many = {f"/t/{number:03}": f"{number:03}" for number in range(100)}
    with pytest.raises(ReportError) as refused:
        read_zizmor(zizmor(), many)
    assert len(str(refused.value)) == len("zizmor did not complete ") + 300


def test_a_file_is_not_completed_by_what_its_report_says() -> None:
    with pytest.raises(ReportError):
        read_zizmor(zizmor(log="") + "\n completed /t/ci.yml", {"/t/ci.yml": "ci.yml"})


def placed(kind: str, file: str, row: int, feature: str = "uses: a@v4") -> dict[str, object]:
    (location,) = audit(file=file)["locations"]  # type: ignore[misc]
    location["symbolic"]["kind"] = kind
    location["concrete"] = {"location": {"start_point": {"row": row}}, "feature": feature}
    return location  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("kinds", "place"),
    [
        (("Related", "Primary"), ("b.yml", 10)),
        (("Primary", "Related"), ("ci.yml", 1)),
        (("Primary", "Primary"), ("ci.yml", 1)),
        (("Related", "Hidden"), ("ci.yml", 1)),
    ],
)
def test_an_audits_primary_place_is_told_else_its_first(kinds: tuple[str, str], place: tuple[str, int]) -> None:
    places = [placed(kinds[0], "/t/ci.yml", 0), placed(kinds[1], "/t/b.yml", 9)]
    (one,) = read_zizmor(zizmor({**audit(), "locations": places}, log=BOTH), FILES)
    assert (one.file, one.line, one.message) == (*place, "d: here")
    assert one.fingerprint == fingerprint("x", place[0], "uses: a@v4")


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ({"Local": {"verbatim_path": "/t/ci.yml"}}, "ci.yml"),
        ({"Local": {"given_path": "/t/b.yml"}}, "b.yml"),
        ({"Local": {"verbatim_path": "/t/ci.yml", "given_path": "/t/b.yml"}}, "ci.yml"),
        ({"Local": {"verbatim_path": "/elsewhere"}}, ""),
        ({"Local": {}}, ""),
        ({"Local": "text"}, ""),
        ({"Remote": {"given_path": "/t/b.yml"}}, ""),
    ],
)
def test_an_audits_file_is_told_by_our_name_and_none_that_it_was_not_given(key: dict[str, object], file: str) -> None:
    place = placed("Primary", "", 3)
    place["symbolic"]["key"] = key  # type: ignore[index]
    assert [one.file for one in read_zizmor(zizmor({**audit(), "locations": [place]}, log=BOTH), FILES)] == [file]


@pytest.mark.parametrize(("length", "kept"), [(500, 500), (501, 500)])
def test_of_a_feature_the_first_500_characters_count(length: int, kept: int) -> None:
    place = placed("Primary", "/t/ci.yml", 0, "f" * length)
    (one,) = read_zizmor(zizmor({**audit(), "locations": [place]}, log=BOTH), FILES)
    assert one.fingerprint == fingerprint("x", "ci.yml", "f" * kept)


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({"locations": []}, False),
        ({"locations": [placed("Primary", "/t/ci.yml", -1)]}, False),
        ({"ident": ""}, False),
        ({"ident": "i" * 80}, True),
        ({"ident": "i" * 81}, False),
    ],
)
def test_an_audit_has_a_name_and_a_place(change: dict[str, object], good: bool) -> None:
    output = zizmor({**audit(), **change}, log=BOTH)
    if good:
        assert len(read_zizmor(output, FILES)) == 1
    else:
        with pytest.raises(ReportError, match="zizmor left no report that can be trusted"):
            read_zizmor(output, FILES)
