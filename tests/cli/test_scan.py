import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from cli import scan
from cli.screen import console
from evidence.scan_report import KEPT, ScanReport, ScanReports, keep_scans, read_scans_of
from evidence.statements import Scanned
from gates.check import Check, Outcome
from gates.scans.waivers import Refused
from host.errors import ConfigError
from host.home import Home
from tests.gates.findings import issue, vulnerability

SCHEMA = json.loads((Path(__file__).parent.parent / "data" / "sarif-2.1.0.json").read_text())


def report(commit: str = "c" * 40) -> ScanReport:
    checks = (
        Check(name="dependency", outcome=Outcome.ACCEPTED_UNRUN, reason="no internet; [bold]OSV refused[/bold]"),
        Check(name="code", outcome=Outcome.FAILED, reason="1 high", findings=(issue(), vulnerability())),
    )
    refused = (Refused(name="a" * 24, why="it expired"),)
    said = Scanned(
        commit=commit,
        version="v1",
        branch="main",
        at=datetime(2026, 3, 1, tzinfo=UTC),
        run="r",
        checks=checks,
        refused=refused,
        unneeded=("b" * 24,),
    )
    return ScanReport(title="v1 (main)", scanned=said, new=(issue().fingerprint,))


def test_the_table_says_what_was_found_and_loudly_what_nobody_looked_at() -> None:
    with console.capture() as said:
        scan.print_scans(report())
    text = said.get()
    assert "NOBODY LOOKED: dependency: no internet; [bold]OSV refused[/bold]" in text
    assert "high: B602 in app.py:3: bad (new, " in text and "high: CVE-2024-1 in jinja2 2.10: bad (" in text
    assert f"waiver {'a' * 24} refused: it expired" in text and f"waiver {'b' * 24} is not needed" in text


def test_sarif_has_one_run_for_each_commit_and_says_what_was_not_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "out" / "all.sarif"
    scan.write_sarif(file, (report(), report("d" * 40)))
    log = json.loads(file.read_text())
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    assert [run["properties"]["commit"][0] for run in log["runs"]] == ["c", "d"]
    told = [one["message"]["text"] for one in log["runs"][0]["invocations"][0]["toolExecutionNotifications"]]
    assert any(one.startswith("dependency: accepted un-run") for one in told)
    scan.write_sarif(file, ())
    assert json.loads(file.read_text())["runs"][0]["results"] == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        scan.write_sarif(tmp_path / "file" / "all.sarif", (report(),))


def test_a_working_tree_and_a_commit_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="not both"):
        scan.scan(Path("."), "main")
    with pytest.raises(ConfigError, match="other.toml describes a working tree"):
        scan.scan(pipeline=Path("other.toml"))


def test_reports_are_kept_for_a_while_and_damaged_ones_are_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number in range(KEPT + 2):
        keep_scans(home, f"run-{number}", ScanReports(reports=(report(),)))
    assert len(list((tmp_path / "scans").iterdir())) == KEPT
    newest = f"run-{KEPT + 1}"
    assert read_scans_of(home, newest) == (report(),)
    (tmp_path / "scans" / f"{newest}.json").write_text("{")
    assert read_scans_of(home, newest) == read_scans_of(home, "none") == ()
