import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from gates.check import Outcome
from gates.scans.outcome import conclude
from tasks.scans import Subject
from tasks.scans.dependency import batches, look_at_python, read_pip_audit, scan_dependency
from tasks.scans.packages.pins import Pin
from tests.corpus import Corpus
from tests.tasks.scans.packages.advisories import NOW, PLANTS, record
from tests.tasks.scans.subjects import fake_tool, judged, make_subject

HASH = " \\\n    --hash=sha256:" + "0" * 64
FINE = "flask==3.0.0" + HASH + "\n"


def look(subject: Subject) -> tuple[Outcome, str]:
    check = conclude("dependency", "", look_at_python(subject))
    return check.outcome, check.reason


def test_planted_pins_are_found_and_their_twins_are_not(
    tmp_path: Path, osv_url: str, scanners: Path, corpus: Corpus
) -> None:
    bad = "".join(f"{plant.name}=={plant.vulnerable}{HASH}\n" for plant in PLANTS)
    good = "".join(f"{plant.name}=={plant.clean}{HASH}\n" for plant in PLANTS) + f"mistaken==1.0{HASH}\n"
    locks = {"runtime": "bad.lock", "ci": "good.lock"}
    check = scan_dependency(make_subject(tmp_path, {"bad.lock": bad, "good.lock": good}, locks, osv_url=osv_url))
    found = {(one.package, one.installed, one.rule, one.severity, one.fixed) for one in check.findings}
    expected = {(one.name, one.vulnerable, one.rule, one.severity, one.fixed) for one in PLANTS}
    false = [one for one in check.findings if one.file == "good.lock"]
    corpus.record(
        "dependency", found=len(found & expected), planted=len(PLANTS), false=len(false), clean=len(PLANTS) + 1
    )
    assert found == expected
    assert not false
    assert judged(check) is Outcome.FAILED
    assert "bad.lock: 9 packages, good.lock: 10 packages" in check.examined
    assert len({one.fingerprint for one in check.findings}) == len(PLANTS)


def test_clean_locks_pass_and_tell_what_was_not_looked_at(tmp_path: Path, osv_url: str, scanners: Path) -> None:
    lock = FINE + f"jinja2==2.10 ; python_version < '3'{HASH}\nacme-billing==1.0{HASH}\n"
    subject = make_subject(tmp_path, {"requirements.lock": lock}, osv_url=osv_url, private_packages=["acme-*"])
    check = scan_dependency(subject)
    assert (check.outcome, check.reason, check.examined) == (
        Outcome.PASSED,
        "nothing found",
        "requirements.lock: 1 packages",
    )
    notes = "\n".join(check.notes)
    assert "private, so nobody can audit them: acme-billing" in notes
    assert 'not audited: jinja2 2.10 (python_version < "3")' in notes


def test_a_vulnerability_in_two_locks_is_one_finding_in_the_more_important(
    tmp_path: Path, osv_url: str, scanners: Path
) -> None:
    files = {"ci.lock": f"pyyaml==5.3{HASH}\n", "run.lock": FINE + f"pyyaml==5.3{HASH}\n"}
    subject = make_subject(tmp_path, files, {"runtime": "run.lock", "ci": "ci.lock"}, osv_url=osv_url)
    (finding,) = look_at_python(subject).findings
    assert finding.file == "run.lock"
    assert "also in ci.lock" in finding.message


def test_different_versions_in_two_locks_are_both_audited(tmp_path: Path, osv_url: str, scanners: Path) -> None:
    files = {"run.lock": FINE + f"pyyaml==6.0.2{HASH}\n", "ci.lock": f"pyyaml==5.3{HASH}\njinja2==2.10{HASH}\n"}
    subject = make_subject(tmp_path, files, {"runtime": "run.lock", "ci": "ci.lock"}, osv_url=osv_url)
    found = {(one.package, one.installed, one.file) for one in look_at_python(subject).findings}
    assert found == {("pyyaml", "5.3", "ci.lock"), ("jinja2", "2.10", "ci.lock")}


def test_no_list_for_pip_audit_has_a_name_twice() -> None:
    pins = [Pin("a", "1"), Pin("b", "1"), Pin("a", "2"), Pin("a", "1"), Pin("a", "3"), Pin("b", "2")]
    lists = batches(pins)
    assert lists == [[Pin("a", "1"), Pin("b", "1")], [Pin("a", "2"), Pin("b", "2")], [Pin("a", "3")]]
    assert batches([]) == []


def test_lines_that_pin_nothing_and_locks_that_are_none_are_named_and_no_verdict(
    tmp_path: Path, osv_url: str, scanners: Path
) -> None:
    files = {"run.lock": FINE + "-r other.txt\n", "ci.lock": b"\xff\xfe", "smoke.lock": ""}
    locks = {"runtime": "run.lock", "ci": "ci.lock", "smoke": "smoke.lock"}
    outcome, reason = look(make_subject(tmp_path, files, locks, osv_url=osv_url))
    assert outcome is Outcome.NO_VERDICT
    assert "run.lock: line 3: an option, not a package: -r other.txt" in reason
    assert "ci.lock: cannot be read" in reason
    assert "smoke.lock: it pins nothing" in reason
    locks = {"runtime": "absent.lock", "ci": "absent.lock"}
    outcome, reason = look(make_subject(tmp_path / "other", {}, locks, osv_url=osv_url))
    assert (outcome, reason) == (Outcome.NO_VERDICT, "absent.lock: cannot be read: FileNotFoundError")


def report(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


CANARY = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "X", "aliases": [], "fix_versions": []}]}
CLEAN = {"name": "flask", "version": "3.0.0", "vulns": []}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param("sys.exit(1)", "(exit code 1)", id="crash"),
        pytest.param("sys.exit(0)", "(exit code 0)", id="nothing"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "(exit code 137)", id="killed"),
        pytest.param("write('-o', '')", "report is empty", id="empty"),
        pytest.param("write('-o', 'No known vulnerabilities')", "not whole JSON", id="garbage"),
        pytest.param(f"write('-o', {report(CANARY)!r}[:-9])", "not whole JSON", id="truncated"),
        pytest.param("write('-o', '[' * 100000)", "not whole JSON", id="nested"),
        pytest.param("write('-o', '{}')", "report is not its own", id="another's"),
        pytest.param("write('-o', '{\"dependencies\": []}')", "left out 2 of 2", id="reports none"),
        pytest.param(
            f"write('-o', {report({**CANARY, 'vulns': []}, CLEAN)!r})", "does not report the canary", id="blind"
        ),
        pytest.param(
            f"write('-o', {report({'name': 'jinja2', 'skip_reason': 'not found'})!r})", "did not look at 1", id="skips"
        ),
        pytest.param(
            f"write('-o', {report(CANARY)!r})",
            "pip-audit left out 1 of 2 packages: flask 3.0.0",
            id="fewer",
        ),
        pytest.param(f"write('-o', {report(CANARY)!r}); sys.exit(3)", "exit code 3", id="strange exit"),
        pytest.param(
            "os.symlink('/etc/passwd', arguments[arguments.index('-o') + 1])", "report is not there", id="link"
        ),
    ],
)
def test_a_scanner_that_misbehaves_is_no_verdict(
    tmp_path: Path, osv_url: str, monkeypatch: pytest.MonkeyPatch, body: str, problem: str
) -> None:
    monkeypatch.setenv("SLIPWAY_PIP_AUDIT", str(fake_tool(tmp_path / "fake", body)))
    outcome, reason = look(make_subject(tmp_path, {"requirements.lock": FINE}, osv_url=osv_url))
    assert outcome is Outcome.NO_VERDICT
    assert problem in reason


def test_an_absent_and_a_hanging_scanner_are_no_verdict(
    tmp_path: Path, osv_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make_subject(tmp_path, {"requirements.lock": FINE}, osv_url=osv_url)
    monkeypatch.setenv("SLIPWAY_PIP_AUDIT", str(tmp_path / "nowhere"))
    assert look(subject) == (Outcome.NO_VERDICT, "pip-audit is absent: nowhere is no program (SLIPWAY_PIP_AUDIT)")
    monkeypatch.setenv("SLIPWAY_PIP_AUDIT", str(fake_tool(tmp_path / "fake", "time.sleep(60)")))
    monkeypatch.setattr("tasks.scans.dependency.TIMEOUT_S", 0.5)
    assert look(subject) == (Outcome.NO_VERDICT, "tool did not end within 0.5 s")


def test_only_exactly_what_was_asked_counts_as_reported() -> None:
    other = {"dependencies": [{"name": "flask", "version": "3.0.1", "vulns": []}]}
    with pytest.raises(Exception, match="left out 1 of 1 packages: flask 3.0.0"):
        read_pip_audit(other, [Pin("flask", "3.0.0")])
    spelt = {"dependencies": [{"name": "Flask_Cors", "version": "3.0.0", "vulns": []}]}
    assert len(read_pip_audit(spelt, [Pin("flask-cors", "3.0.0")])) == 1


def test_when_the_source_dies_after_the_audit_what_was_found_is_kept_and_is_no_verdict(
    tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = record("PYSEC-2019-217", "jinja2", {"introduced": "0"}, {"fixed": "2.10.1"}, modified=NOW.isoformat())
    httpserver.expect_oneshot_request("/v1/query").respond_with_json({"vulns": [known]})
    httpserver.expect_request("/v1/query").respond_with_data("", 500)
    found = {"name": "flask", "version": "3.0.0", "vulns": [{"id": "CVE-1", "aliases": [], "fix_versions": ["3.0.1"]}]}
    answers = f"write('-o', {report(CANARY, found)!r})"
    monkeypatch.setenv("SLIPWAY_PIP_AUDIT", str(fake_tool(tmp_path / "fake", answers)))
    subject = make_subject(tmp_path, {"requirements.lock": FINE}, osv_url=httpserver.url_for("/").rstrip("/"))
    check = conclude("dependency", "", look_at_python(subject))
    assert check.outcome is Outcome.NO_VERDICT
    assert "flask: severity unknown" in check.reason
    assert [(one.rule, one.severity, one.fixed) for one in check.findings] == [("CVE-1", "high", "3.0.1")]


def test_an_unreachable_source_is_found_out_before_anything_runs(
    tmp_path: Path, refused: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_PIP_AUDIT", str(tmp_path / "would-be-absent"))
    lock = FINE + "-r other.txt\n"
    outcome, reason = look(make_subject(tmp_path, {"requirements.lock": lock}, osv_url=refused()))
    assert outcome is Outcome.NO_VERDICT
    assert "cannot be reached" in reason
    assert "requirements.lock: line 3: an option, not a package: -r other.txt" in reason
    assert "absent" not in reason


def test_a_lock_of_another_tool_is_no_verdict_when_it_is_named_and_told_when_not(
    tmp_path: Path, osv_url: str, scanners: Path
) -> None:
    files = {"requirements.lock": FINE, "pixi.lock": "version: 6\n", "jobs/poetry.lock": ""}
    locks: dict[str, object] = {"runtime": "requirements.lock", "ci": "requirements.lock", "others": ["pixi.lock"]}
    check = scan_dependency(make_subject(tmp_path, files, locks, osv_url=osv_url))  # type: ignore[arg-type]
    assert check.outcome is Outcome.NO_VERDICT
    assert "pixi.lock: this lock cannot be read; make one that can: slipway lock" in check.reason
    (note,) = [note for note in check.notes if "poetry" in note]
    assert note.startswith("jobs/poetry.lock: not read, so nothing of it is audited; ") and note.endswith(
        "name it in [locks] others"
    )
