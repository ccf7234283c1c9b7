from pathlib import Path

import pytest

from cli.adopt import baseline as command
from cli.screen import console
from evidence.check_report import Report, keep_report
from gates.baseline import FILE
from gates.check import Check, Outcome
from gates.findings import Severity
from gates.release.approval import Approver
from host.errors import ConfigError
from host.home import Home
from settings import baseline as settings_of
from settings.baseline import parse_baseline
from tests.gates.findings import issue

COMMIT = "c0ffee" + "0" * 34


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(command, "CHECKOUT", tmp_path)
    monkeypatch.setattr(command, "written_baseline", lambda: settings_of.written_baseline(tmp_path))
    people = [Approver("Robin", (), (), ("a key",)), Approver("Sasha", (), ())]
    monkeypatch.setattr(command, "read_approvers", lambda: people)
    (tmp_path / "config").mkdir()
    return Home.find()


def keep(home: Home, *checks: Check) -> None:
    said = {"run": "run-1", "version": "v1", "commit": COMMIT, "branch": "main", "digest": "", "reason": "bad"}
    keep_report(home, Report.model_validate({**said, "good": False, "seconds": 1, "checks": checks}))


def failed(name: str, *severities: Severity) -> Check:
    found = tuple(issue(severity=one, line=line, tool=name) for line, one in enumerate(severities, 1))
    return Check(name=name, outcome=Outcome.FAILED, reason="bad", findings=found)


def test_it_writes_what_blocks_and_shows_it(home: Home, tmp_path: Path) -> None:
    secret = failed("secrets", Severity.CRITICAL)
    keep(home, failed("code", Severity.CRITICAL, Severity.MEDIUM), failed("mypy", *[Severity.MEDIUM] * 3), secret)
    with console.capture() as said:
        command.baseline(COMMIT[:7], due=["critical=3"])
    written = parse_baseline((tmp_path / FILE).read_bytes())
    assert not written.trouble and (written.approver, written.commit) == ("Robin", COMMIT)
    assert [(one.check, one.severity, one.count) for one in written.entries] == [
        ("code", Severity.CRITICAL, 1),
        ("mypy", Severity.MEDIUM, 3),
    ]
    assert (written.entries[0].due - written.entries[0].first_seen).days == 3
    text = said.get()
    assert "never goes in: a secret" in text and "git add config/baseline.toml" in text
    with pytest.raises(ConfigError, match="no due date is moved"):
        command.baseline(due=["critical=3"])


def test_what_it_cannot_know_is_an_error(home: Home) -> None:
    with pytest.raises(ConfigError, match="no run of ci is known"):
        command.baseline()
    keep(home, failed("code", Severity.HIGH))
    with pytest.raises(ConfigError, match="no run of ci of 0123456 is known"):
        command.baseline("0123456")
    with pytest.raises(ConfigError, match="Sasha has no ssh_keys"):
        command.baseline(approver="Sasha")
    with pytest.raises(ConfigError, match="expected SEVERITY=DAYS"):
        command.baseline(due=["critical=0"])
