import os
from pathlib import Path

from evidence.check_report import Report, expected_seconds, keep_report
from gates.check import Check, Outcome
from host.home import Home


def report(run: str, **seconds: float) -> Report:
    checks = tuple(Check(name=name, outcome=Outcome.PASSED, reason="", seconds=took) for name, took in seconds.items())
    return Report(
        run=run, version="1", commit="c" * 40, branch="main", digest="", good=True, reason="", seconds=1, checks=checks
    )


def test_what_a_check_took_in_the_newest_run_is_expected_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert expected_seconds(home) == {}
    keep_report(home, report("old", unit=1, mypy=60))
    keep_report(home, report("new", unit=2.5))
    os.utime(tmp_path / "reports" / "old.json", (1, 1))
    assert expected_seconds(home) == {"unit": 2.5}


def test_a_report_that_cannot_be_read_expects_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keep_report(home, report("new", unit=2.5))
    (tmp_path / "reports" / "new.json").write_text("{")
    assert expected_seconds(home) == {}
