from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.check_report import Report, keep_report
from gates.check import Check, Outcome
from gates.scans.security_score import SCORE
from host.errors import SourceError
from host.home import Home
from tasks.checks import unchanged
from tasks.checks.unchanged import Seen, held, hold, see
from tests.tasks.source.test_working_tree import repository, run

__all__ = ["repository"]

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
RUN = "3f0c7f5e"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "state")
    home.create()
    return home


def check(name: str, outcome: Outcome = Outcome.PASSED) -> Check:
    return Check(name=name, outcome=outcome, reason="")


def report(seen: Seen, *checks: Check, good: bool = True, remembered: tuple[str, ...] = ("unit",)) -> Report:
    return Report(
        run=RUN,
        version="größe (with uncommitted changes)",
        commit=seen.commit,
        branch="main",
        digest="",
        good=good,
        reason="",
        seconds=1,
        checks=checks or (check("unit"),),
        remembered=remembered,
    )


def found(home: Home, seen: Seen, told: Report, now: datetime = NOW) -> bool:
    """Keep a report, let it hold, and return whether it is told again."""
    keep_report(home, told)
    hold(home, seen, told, NOW)
    return held(home, seen, now) is not None


def test_with_nothing_changed_the_report_is_told_again_and_since_when(repository: Path, home: Home) -> None:
    (repository / "app.py").write_text("one = 2\n")
    seen = see(home, repository)
    assert held(home, seen, NOW) is None
    told = report(seen)
    assert found(home, seen, told)
    assert held(home, see(home, repository), NOW + timedelta(hours=3)) == (told, NOW)


def edit(top: Path, _home: Home) -> None:
    (top / "app.py").write_text("one = 3\n")


def add(top: Path, _home: Home) -> None:
    (top / "new.py").write_text("")


def make_executable(top: Path, _home: Home) -> None:
    (top / "app.py").chmod(0o755)


def commit(top: Path, _home: Home) -> None:
    run(top, "commit", "-q", "--allow-empty", "-m", "second")


def make_another_branch(top: Path, _home: Home) -> None:
    run(top, "branch", "other")


def change_branch(top: Path, _home: Home) -> None:
    run(top, "checkout", "-q", "-b", "other")


def release(_top: Path, home: Home) -> None:
    journal = home.place("production") / "journal.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text("{}\n")


def sign(_top: Path, home: Home) -> None:
    (home.store / "statements" / ("a" * 64)).mkdir(parents=True)


@pytest.mark.parametrize(
    "change",
    [edit, add, make_executable, commit, make_another_branch, change_branch, release, sign],
    ids=lambda change: change.__name__,
)
def test_after_a_change_it_is_looked_again(repository: Path, home: Home, change: Callable[[Path, Home], None]) -> None:
    seen = see(home, repository)
    assert found(home, seen, report(seen))
    change(repository, home)
    assert held(home, see(home, repository), NOW) is None


@pytest.mark.parametrize("name", ["SLIPWAY_OSV_URL", "PATH", "https_proxy", "PIP_INDEX_URL"])
def test_another_variable_that_is_read_is_a_change(
    repository: Path, home: Home, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = see(home, repository)
    assert found(home, seen, report(seen))
    monkeypatch.setenv(name, f"{repository}:/usr/bin:/bin")
    assert held(home, see(home, repository), NOW) is None


@pytest.mark.parametrize("changed", ["config/pipeline.toml", "gates/check.py", "requirements/base.lock"])
def test_another_rule_of_ours_is_a_change(
    repository: Path, home: Home, changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    for name in ("config/pipeline.toml", "gates/__init__.py", "gates/check.py", "requirements/base.lock"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("1")
    monkeypatch.setattr(unchanged, "CHECKOUT", checkout)
    seen = see(home, repository)
    assert found(home, seen, report(seen))
    (checkout / changed).write_text("2")
    assert held(home, see(home, repository), NOW) is None


def test_a_program_put_where_programs_are_looked_for_is_a_change(
    repository: Path, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    seen = see(home, repository)
    assert found(home, seen, report(seen))
    (programs / "trufflehog").write_text("#!/bin/sh\n")
    assert held(home, see(home, repository), NOW) is None


def test_another_folder_of_the_same_repository_is_another_tree(repository: Path, home: Home) -> None:
    for name in ("api", "web"):
        (repository / name).mkdir()
        (repository / name / "app.py").write_text("")
    seen = see(home, repository / "api")
    assert found(home, seen, report(seen))
    assert held(home, see(home, repository / "web"), NOW) is None
    assert held(home, see(home, repository / "api"), NOW) is not None


def test_what_is_no_working_tree_is_refused_with_what_to_do(tmp_path: Path, home: Home) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(SourceError, match="git init"):
        see(home, tmp_path / "plain")


def test_it_holds_for_the_day(repository: Path, home: Home) -> None:
    seen = see(home, repository)
    assert found(home, seen, report(seen), datetime(2026, 12, 1, 23, 59, tzinfo=UTC))
    assert held(home, seen, datetime(2026, 12, 2, tzinfo=UTC)) is None


def test_a_clock_that_went_back_tells_nothing(repository: Path, home: Home) -> None:
    seen = see(home, repository)
    assert not found(home, seen, report(seen), NOW - timedelta(seconds=1))


def test_that_nobody_could_look_holds_for_ten_minutes(repository: Path, home: Home) -> None:
    seen = see(home, repository)
    told = report(seen, check("unit"), check("dependency", Outcome.ACCEPTED_UNRUN), check(SCORE))
    assert found(home, seen, told, NOW + timedelta(minutes=9))
    assert held(home, seen, NOW + timedelta(minutes=10)) is None


def test_what_is_not_applicable_needs_no_memory(repository: Path, home: Home) -> None:
    seen = see(home, repository)
    assert found(home, seen, report(seen, check("unit"), check("container", Outcome.NOT_APPLICABLE)))


def test_a_run_that_was_not_good_is_never_told_again(repository: Path, home: Home) -> None:
    seen = see(home, repository)
    assert not found(home, seen, report(seen, check("unit", Outcome.FAILED), good=False))


def test_what_no_run_remembers_is_looked_at_again(repository: Path, home: Home) -> None:
    seen = see(home, repository)
    assert not found(home, seen, report(seen, check("unit"), check("load")))


def test_a_tree_that_changed_while_the_run_began_is_looked_at_again(repository: Path, home: Home) -> None:
    seen = see(home, repository)
    told = report(seen).model_copy(update={"commit": "c" * 40})
    assert not found(home, seen, told)


@pytest.mark.parametrize("damage", ["{", '{"digest": "x"}', ""], ids=["cut off", "another form", "empty"])
def test_a_damaged_record_tells_nothing(repository: Path, home: Home, damage: str) -> None:
    seen = see(home, repository)
    assert found(home, seen, report(seen))
    (record,) = (home.root / "reports" / "trees").glob("*.json")
    record.write_text(damage)
    assert held(home, seen, NOW) is None


def test_without_its_report_it_tells_nothing(repository: Path, home: Home) -> None:
    seen = see(home, repository)
    assert found(home, seen, report(seen))
    (home.root / "reports" / f"{RUN}.json").unlink()
    assert held(home, seen, NOW) is None
